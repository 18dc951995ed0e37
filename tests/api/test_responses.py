"""Cursors and pages of lists."""

from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.api.responses import (
    decode_cursor,
    encode_cursor,
    location,
    no_content,
    page_response,
)
from sparktest.errors import MalformedError


@given(seq=st.integers(1, 2**63 - 1))
def test_a_cursor_decodes_to_its_row_number(seq):
    assert decode_cursor(encode_cursor(seq)) == seq


def test_no_cursor_means_the_first_page():
    assert decode_cursor(None) is None


@pytest.mark.parametrize("cursor", ["", "x", "AQ", "ÿ", "AQAAAAAAAAAA", encode_cursor(5) + "="])
def test_any_other_text_is_refused(cursor):
    with pytest.raises(MalformedError) as raised:
        decode_cursor(cursor)
    assert raised.value.errors[0]["pointer"] == "/cursor"


@pytest.mark.parametrize(("rows", "has_next"), [(2, False), (3, True)])
def test_a_page_has_a_link_only_when_there_is_another_page(app, rows, has_next):
    with app.test_request_context("/api/test-runs?limit=2&q=a&cursor=old"):
        response = page_response([{"seq": 9 - n} for n in range(rows)], 2, dict)
    assert len(response.get_json()) == 2
    if has_next:
        assert response.headers["Link"] == (f'<?limit=2&q=a&cursor={encode_cursor(8)}>; rel="next"')
    else:
        assert "Link" not in response.headers


@pytest.mark.parametrize("prefix", ["", "/tools/sparktest"])
@pytest.mark.parametrize(
    "path", ["/api/runs", "/api/test-runs", "/api/test-runs/1/rerun", "/api/test-definitions/1/run"]
)
def test_a_location_keeps_the_path_prefix_that_a_proxy_removes(app, prefix, path):
    with app.test_request_context(path):
        found = location("/api/test-runs/2")["Location"]
    base = f"https://ci.example.org{prefix}"
    assert urljoin(base + path, found) == f"{base}/api/test-runs/2"


def test_an_empty_response_has_no_content_type():
    response = no_content({"X": "1"})
    assert (response.status_code, response.data, response.headers["X"]) == (204, b"", "1")
    assert "Content-Type" not in response.headers

"""docs/api.md names every route, filter and limit."""

import re
from pathlib import Path

import pytest

from sparktest.api import context, logs, responses, run_lists
from sparktest.api.run_query import RunQuerySchema
from sparktest.api.store import run_pages, run_summary
from tests.api.requests import answered

DOCS = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture(scope="module")
def text() -> str:
    return DOCS.read_text(encoding="utf-8")


def test_it_names_every_route_and_no_other(client, text):
    paths = answered(client.get("/api/openapi.json"), 200)["paths"]
    served = {
        (method.upper(), path)
        for path, operations in paths.items()
        for method in operations
        if method != "parameters"
    }
    documented = set()
    for methods, path in re.findall(r"((?:`?[A-Z]+`?,? )+)(/[\w/{}:-]+)`", text):
        documented |= {(method, path) for method in re.findall(r"[A-Z]+", methods)}
    assert documented == served


def test_it_names_every_filter(text):
    section = text.partition("Filters of the list of runs.")[2].partition("A client that polls")[0]
    filters = {field.data_key for field in RunQuerySchema().fields.values()}
    assert filters - {"limit", "cursor"} <= set(re.findall(r"`(\w+)`", section))


def test_its_limits_are_those_of_the_code(text):
    assert f"`limit` ({responses.DEFAULT_LIMIT}; up to {responses.MAX_LIMIT})" in text
    assert f"At most {context.MAX_STREAMS} streams" in text
    assert f"for {run_pages.BUDGET:,} runs at most" in text
    assert f"newest {run_summary.MAX_COUNTED:,} runs" in text
    assert f"(the {run_lists.MAX_NAMESPACES} with the most runs)" in text
    assert f"a piece of a log: {logs.MAX_APPEND_BYTES // 2**20} MiB" in text

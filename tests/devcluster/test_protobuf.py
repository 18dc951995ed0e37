"""Protobuf bodies, as `kubectl create` and `kubectl auth` send them."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.protobuf import MAGIC, decode


def varint(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value % 2**64)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def body(kind: str, raw: bytes, version: str = "v1") -> bytes:
    head = field(1, version) + field(2, kind)
    return MAGIC + field(1, head) + field(2, raw) + field(3, "") + field(4, "")


META = field(
    1, field(1, "n") + field(3, "") + field(8, b"") + field(11, field(1, "k") + field(2, "v"))
)


def test_a_secret_is_decoded_with_its_values_in_base64() -> None:
    raw = META + field(2, field(1, "a") + field(2, b"\xff")) + field(3, "Opaque")
    assert decode(body("Secret", raw)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "n", "labels": {"k": "v"}},
        "data": {"a": "/w=="},
        "type": "Opaque",
    }


def test_a_job_is_decoded_down_to_its_environment_variables() -> None:
    env = field(1, "A") + field(2, "1")
    limits = field(1, field(1, "cpu") + field(2, field(1, "100m")))
    container = field(1, "c") + field(2, "i") + field(3, "sh") + field(3, "-c") + field(7, env)
    container += field(8, limits) + field(16, 0) + field(18, 1)
    pod = field(2, container) + field(3, "Never") + field(11, 0)
    spec = field(6, field(2, pod)) + field(7, 0) + field(10, 0) + field(3, -1)
    found = decode(body("Job", META + field(2, spec) + field(3, b""), "batch/v1"))
    template = {
        "restartPolicy": "Never",
        "containers": [
            {
                "name": "c",
                "image": "i",
                "command": ["sh", "-c"],
                "env": [{"name": "A", "value": "1"}],
                "resources": {"limits": {"cpu": "100m"}},
                "tty": True,
            }
        ],
    }
    assert found["spec"] == {
        "template": {"spec": template},
        "backoffLimit": 0,
        "suspend": False,
        "activeDeadlineSeconds": -1,
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        MAGIC,
        MAGIC + b"\x0a\xff",
        body("Deployment", META),
        body("Secret", field(99, "x")),
        body("Job", field(2, field(16, b"x"))),
        MAGIC + b"\x0d1234",
        MAGIC + b"\x08\x00",
        body("Job", field(1, 1)),
        body("Secret", field(2, 1)),
        body("Job", field(2, field(10, b"x"))),
    ],
)
def test_an_undecodable_body_is_rejected_with_a_hint(raw: bytes) -> None:
    with pytest.raises(StatusError) as caught:
        decode(raw)
    assert caught.value.code == 415
    assert "application/json" in caught.value.detail


@example(b"\x08\x00", "")
@given(st.binary(max_size=60), st.sampled_from(["", "Secret", "Job", "Namespace"]))
def test_no_body_causes_another_error(raw: bytes, kind: str) -> None:
    for sent in (MAGIC + raw, body(kind, raw)):
        try:
            found: Any = decode(sent)
        except StatusError as error:
            found = error
        assert isinstance(found, dict) or found.code == 415

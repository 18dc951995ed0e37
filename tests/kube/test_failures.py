"""Failures fit into the store, and the reason of a stop survives on its Job."""

import pytest

from sparktest.domain import Failure, FailureClass
from sparktest.kube.failures import (
    MAX_MESSAGE,
    MAX_REASON,
    decode_stop_reason,
    encode_stop_reason,
    make_failure,
)

CANCEL = Failure(class_=FailureClass.CANCELLED, reason="Cancelled", message="by Ann")


def test_texts_are_cut_to_what_can_be_stored() -> None:
    failure = make_failure(FailureClass.TEST, "r" * 999, " m" * 9999, exit_code=3)
    assert len(failure.reason) == MAX_REASON
    assert len(failure.message) == MAX_MESSAGE - 1
    assert failure.message.startswith("m")
    assert failure.exit_code == 3


def test_a_decoded_stop_reason_is_the_encoded_one() -> None:
    assert decode_stop_reason(encode_stop_reason(CANCEL)) == CANCEL


def test_no_annotation_is_no_stop_reason() -> None:
    assert decode_stop_reason(None) is None


@pytest.mark.parametrize("value", ["", "stop!", "[]", '{"class": "whim"}', "null", "1", 7, {}])
def test_an_unreadable_annotation_is_a_cancel(value: object) -> None:
    failure = decode_stop_reason(value)
    assert failure is not None
    assert (failure.class_, failure.reason) == (FailureClass.CANCELLED, "Cancelled")

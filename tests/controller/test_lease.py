from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.controller.lease import (
    LEASE_SECONDS,
    MAX_LEASE_SECONDS,
    RENEW_DEADLINE_SECONDS,
    Action,
    Observed,
    decide,
    held_spec,
    lease_name,
    observe,
    released_spec,
)

NOW = datetime(2026, 11, 28, 12, 0, 0, 123456, tzinfo=UTC)


def lease(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "1"}, "spec": spec}


def held_by(holder: str, seconds: Any = LEASE_SECONDS, renewed: str = "") -> dict[str, Any]:
    return lease(holderIdentity=holder, leaseDurationSeconds=seconds, renewTime=renewed)


def test_without_a_lease_one_is_created() -> None:
    assert decide(None, "me", 0.0) is Action.CREATE


@pytest.mark.parametrize("spec", [{}, {"holderIdentity": ""}, {"holderIdentity": 7}])
def test_a_lease_without_a_holder_is_taken_at_once(spec: dict[str, Any]) -> None:
    assert decide(Observed(lease(**spec), 0.0), "me", 0.0) is Action.TAKE


def test_the_own_lease_is_renewed_even_when_it_has_expired() -> None:
    observed = Observed(held_by("me"), 0.0)
    assert decide(observed, "me", 1.0) is Action.RENEW
    assert decide(observed, "me", 100.0) is Action.RENEW


@given(st.floats(0.0, 1e6), st.floats(0.0, 1e3), st.integers(1, MAX_LEASE_SECONDS))
def test_the_lease_of_another_one_is_taken_only_when_unchanged_for_its_duration(
    seen_at: float, later: float, seconds: int
) -> None:
    observed = Observed(held_by("other", seconds), seen_at)
    now = seen_at + later
    assert (decide(observed, "me", now) is Action.TAKE) == (now >= seen_at + seconds)


@pytest.mark.parametrize(
    ("seconds", "expires"), [(0, 15), (-5, 1), (10**9, MAX_LEASE_SECONDS), ("x", 15), (None, 15)]
)
def test_a_senseless_duration_is_limited(seconds: Any, expires: float) -> None:
    assert Observed(held_by("other", seconds), 0.0).expires_at == expires


def test_a_lease_that_was_read_again_unchanged_counts_from_when_it_was_first_seen() -> None:
    first = observe(None, held_by("other", renewed="a"), 1.0)
    same = observe(first, held_by("other", renewed="a"), 9.0)
    renewed = observe(same, held_by("other", renewed="b"), 12.0)
    assert [first.at, same.at, renewed.at] == [1.0, 1.0, 12.0]


def test_a_holder_stops_writing_before_its_lease_expires_for_others() -> None:
    assert RENEW_DEADLINE_SECONDS < LEASE_SECONDS


def test_a_new_lease_has_all_fields_of_client_go() -> None:
    assert held_spec(None, "me", NOW) == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-11-28T12:00:00.123456Z",
        "renewTime": "2026-11-28T12:00:00.123456Z",
        "leaseTransitions": 0,
    }


def test_a_renewed_lease_keeps_when_it_was_acquired() -> None:
    before = Observed(lease(holderIdentity="me", acquireTime="then", leaseTransitions=3), 0.0)
    spec = held_spec(before, "me", NOW)
    assert (spec["acquireTime"], spec["leaseTransitions"]) == ("then", 3)
    assert spec["renewTime"].startswith("2026-11-28T12:00:00")


def test_a_lease_that_was_taken_counts_a_transition() -> None:
    before = Observed(lease(holderIdentity="other", acquireTime="then", leaseTransitions=3), 0.0)
    spec = held_spec(before, "me", NOW)
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("me", 4)
    assert spec["acquireTime"] == spec["renewTime"]


def test_a_released_lease_is_free_for_others_at_once() -> None:
    released = {"metadata": {}, "spec": released_spec(NOW)}
    assert decide(Observed(released, 0.0), "other", 0.0) is Action.TAKE
    # The API server refuses a duration of 0.
    assert released["spec"]["leaseDurationSeconds"] == 1


def test_controllers_of_different_namespaces_have_different_leases() -> None:
    names = [lease_name(spaces) for spaces in ((), ("a",), ("b",), ("a", "b"))]
    assert len(set(names)) == 4
    assert names[0] == "sparktest-controller"
    assert lease_name(("b", "a", "a")) == names[3]
    assert all(name.startswith("sparktest-controller") for name in names)

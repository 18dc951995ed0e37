import logging
import threading
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparktest.controller import leader
from sparktest.controller.leader import LeaderElector, NotLeaderError, boot_time, open_elector
from sparktest.controller.lease import LEASE_SECONDS
from sparktest.errors import ForbiddenError, InvalidError, UnavailableError
from sparktest.kube.cluster import Cluster
from sparktest.settings import Settings
from tests.controller.clock import Clock
from tests.controller.fake_leases import FakeLeases


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases() -> FakeLeases:
    return FakeLeases()


def elector(leases: FakeLeases, clock: Clock, identity: str) -> LeaderElector:
    cluster = cast("Cluster", leases)
    return LeaderElector(cluster, "sparktest", "controller", identity=identity, clock=clock)


def may_write(candidate: LeaderElector) -> bool:
    try:
        candidate.check()
    except NotLeaderError:
        return False
    return True


def test_the_first_controller_leads_and_the_second_waits(leases: FakeLeases, clock: Clock) -> None:
    first, second = elector(leases, clock, "a"), elector(leases, clock, "b")
    assert not may_write(first)
    assert first.attempt() == leader.RETRY_SECONDS
    assert second.attempt() == leader.POLL_SECONDS
    assert (may_write(first), may_write(second)) == (True, False)
    assert first.elected.is_set()
    assert leases.spec["holderIdentity"] == "a"


def test_a_leader_that_renews_keeps_leading(leases: FakeLeases, clock: Clock) -> None:
    first, second = elector(leases, clock, "a"), elector(leases, clock, "b")
    for _ in range(50):
        clock.now += first.attempt()
        second.attempt()
        assert may_write(first)
        assert not may_write(second)
    assert leases.spec["leaseTransitions"] == 0


def test_a_killed_leader_is_followed_when_its_lease_expires(
    leases: FakeLeases, clock: Clock
) -> None:
    first, second = elector(leases, clock, "a"), elector(leases, clock, "b")
    first.attempt()
    began, seconds = clock.now, 0.0
    while not second.elected.is_set():
        clock.now += seconds
        seconds = second.attempt()
    assert LEASE_SECONDS <= clock.now - began <= LEASE_SECONDS + leader.POLL_SECONDS
    assert leases.spec["leaseTransitions"] == 1


def test_a_released_lease_is_taken_at_the_next_poll(leases: FakeLeases, clock: Clock) -> None:
    first, second = elector(leases, clock, "a"), elector(leases, clock, "b")
    first.attempt()
    seconds = second.attempt()
    first.stop()
    assert not may_write(first)
    assert leases.spec["holderIdentity"] == ""
    clock.now += seconds
    second.attempt()
    assert may_write(second)


def test_a_standby_that_stops_leaves_the_lease_alone(leases: FakeLeases, clock: Clock) -> None:
    first, second = elector(leases, clock, "a"), elector(leases, clock, "b")
    first.attempt()
    second.attempt()
    second.stop()
    assert leases.spec["holderIdentity"] == "a"


def test_a_leader_that_cannot_renew_stops_writing_and_never_leads_again(
    leases: FakeLeases, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    first = elector(leases, clock, "a")
    first.attempt()
    began = clock.now
    leases.fault = UnavailableError("no answer")
    while not first.lost.is_set():
        assert may_write(first) == (clock.now < began + 10.0)
        clock.now += first.attempt()
    assert clock.now - began <= 12.0
    leases.fault = None
    first.attempt()
    assert not may_write(first)
    assert "leadership lost" in caplog.text


def test_a_process_that_was_stopped_writes_nothing_when_it_wakes_up(
    leases: FakeLeases, clock: Clock
) -> None:
    first, second = elector(leases, clock, "a"), elector(leases, clock, "b")
    first.attempt()
    second.attempt()
    clock.now += 30.0
    assert not may_write(first)
    second.attempt()
    writes = leases.writes
    first.attempt()
    assert first.lost.is_set()
    assert leases.writes == writes
    assert leases.spec["holderIdentity"] == "b"


def test_a_leader_whose_lease_was_taken_stops_writing_at_once(
    leases: FakeLeases, clock: Clock
) -> None:
    first = elector(leases, clock, "a")
    first.attempt()
    leases.edit(holderIdentity="b")
    first.attempt()
    first.attempt()
    assert first.lost.is_set()
    assert not may_write(first)


def test_a_deleted_lease_is_created_again(leases: FakeLeases, clock: Clock) -> None:
    first = elector(leases, clock, "a")
    first.attempt()
    leases.lease = None
    first.attempt()
    first.attempt()
    assert leases.spec["holderIdentity"] == "a"
    assert may_write(first)


def test_another_change_of_the_lease_does_not_end_the_leadership(
    leases: FakeLeases, clock: Clock
) -> None:
    first = elector(leases, clock, "a")
    first.attempt()
    leases.edit(strategy="x")
    clock.now += 9.0
    assert first.attempt() < 1.0
    first.attempt()
    clock.now += 9.0
    assert may_write(first)


def test_a_lease_that_was_taken_though_the_reply_was_lost_is_ours(
    leases: FakeLeases, clock: Clock
) -> None:
    first = elector(leases, clock, "a")
    leases.lost_reply = UnavailableError("the reply was lost")
    first.attempt()
    assert not may_write(first)
    first.attempt()
    assert may_write(first)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            # With the deadline and the end of the Lease.
            st.sampled_from([0.0, 0.25, 2.0, 5.0, 10.0, 15.0]),
            st.sampled_from("--xl"),
        ),
        min_size=20,
        max_size=60,
    )
)
def test_no_two_controllers_may_write_at_the_same_time(steps: list[tuple[str, float, str]]) -> None:
    clock, leases = Clock(), FakeLeases()
    electors = {name: elector(leases, clock, name) for name in "ab"}
    for number, (name, seconds, fault) in enumerate(steps):
        clock.now += seconds
        leases.fault = UnavailableError("x") if fault == "x" else None
        leases.lost_reply = UnavailableError("l") if fault == "l" else None
        electors[name].attempt()
        assert sum(map(may_write, electors.values())) <= 1
        if electors[name].lost.is_set():
            # Its program is started again.
            electors[name] = elector(leases, clock, f"{name}-{number}")


def test_missing_rights_are_said_once_with_the_way_out(
    leases: FakeLeases, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    leases.fault = ForbiddenError('cannot get resource "leases"')
    first = elector(leases, clock, "a")
    for _ in range(10):
        clock.now += first.attempt()
    (record,) = caplog.records
    assert "leases.coordination.k8s.io" in record.message
    assert "SPARKTEST_LEADER_ELECTION=off" in record.message
    assert "sparktest crd --rbac" in record.message
    clock.now += leader.REPEAT_MESSAGE_SECONDS
    first.attempt()
    assert len(caplog.records) == 2


def test_the_thread_elects_renews_and_releases(leases: FakeLeases) -> None:
    only = LeaderElector(cast("Cluster", leases), "sparktest", "controller", clock=boot_time)
    only.start()
    assert only.elected.wait(60)
    assert may_write(only)
    only.stop()
    assert not may_write(only)
    assert not any(thread.name == "leader-election" for thread in threading.enumerate())
    assert leases.spec["holderIdentity"] == ""


@pytest.mark.parametrize(("mode", "expected"), [("off", None), ("auto", None), ("on", "tests")])
def test_outside_of_a_pod_there_is_an_election_only_where_it_is_asked_for(
    mode: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "in_pod_namespace", lambda: None)
    monkeypatch.setattr(Cluster, "connect", lambda *args, **kw: cast("Cluster", Closable()))
    with open_elector(Settings(leader_election=mode, namespace="tests")) as found:
        assert (found and found.namespace) == expected


@pytest.mark.parametrize(("chosen", "expected"), [(None, "pods-own"), ("chosen", "chosen")])
def test_in_a_pod_the_lease_is_in_its_namespace_unless_another_one_is_set(
    chosen: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "in_pod_namespace", lambda: "pods-own")
    monkeypatch.setattr(Cluster, "connect", lambda *args, **kw: cast("Cluster", Closable()))
    with open_elector(Settings(leader_election_namespace=chosen)) as found:
        assert found is not None
        assert found.namespace == expected


def test_an_election_needs_a_kubernetes_configuration() -> None:
    with (
        pytest.raises(InvalidError, match="kubeconfig"),
        open_elector(Settings(leader_election="on", kubeconfig="/no/such/file")),
    ):
        pass


class Closable:
    """A cluster that is not called."""

    def close(self) -> None:
        """Close nothing."""

"""What the views say of a pod that they have not seen."""

from datetime import UTC, datetime
from typing import cast

import pytest

from sparktest.controller.tail import PodState
from sparktest.controller.views import Views
from sparktest.errors import UnavailableError
from sparktest.kube.cluster import PODS, Cluster
from tests.controller.fake_cluster import FakeCluster
from tests.controller.faults import Faults
from tests.controller.machinery import NAMESPACE


@pytest.mark.parametrize(("phase", "state"), [("Running", "running"), ("Failed", "ended")])
def test_a_pod_that_no_watch_has_told_of_yet_is_not_taken_for_gone(phase: str, state: str) -> None:
    cluster = FakeCluster(lambda: datetime.now(UTC), Faults())
    views = Views(cast("Cluster", cluster), (), lambda key: None)
    assert views.pod_state(NAMESPACE, "a") is PodState.GONE
    metadata = {"name": "a", "namespace": NAMESPACE}
    cluster.put(PODS, {"metadata": metadata, "status": {"phase": phase}})
    assert views.pod_state(NAMESPACE, "a") is PodState(state)


def test_a_cluster_that_does_not_answer_does_not_say_that_a_pod_is_gone() -> None:
    class Away(FakeCluster):
        def get(self, *_: object) -> dict[str, object]:
            raise UnavailableError("no answer")

    cluster = Away(lambda: datetime.now(UTC), Faults())
    views = Views(cast("Cluster", cluster), (), lambda key: None)
    assert views.pod_state(NAMESPACE, "a") is PodState.RUNNING

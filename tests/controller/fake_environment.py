"""A fake environment: cluster, API, clock, users, and controllers that can crash."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sparktest.client import ApiClient
from sparktest.controller import api_run_poller
from sparktest.controller.actions import Actions
from sparktest.controller.api_run_poller import ApiRunPoller
from sparktest.controller.bulkhead import Bulkhead
from sparktest.controller.caches import Caches
from sparktest.controller.circuit_breaker import CircuitBreaker
from sparktest.controller.logs.collector import LogCollector
from sparktest.controller.plan import plan
from sparktest.controller.reconcile import Reconciler
from sparktest.controller.run_states import RunState, RunStates
from sparktest.controller.testruns import Key, parse_testrun
from sparktest.errors import SparkTestError
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import JOBS, PODS, TESTRUNS
from sparktest.settings import Settings
from tests.controller.fake_api import FakeApi, FakeClient
from tests.controller.fake_cluster import FakeCluster
from tests.controller.fake_kubernetes import NAMESPACE, FakeKubernetes
from tests.controller.faults import Faults
from tests.controller.lagging import LaggingCaches, PromptLogCollector

Object = dict[str, Any]


class Controller:
    """A controller without state, with caches of its own that lag behind."""

    def __init__(self, environment: "FakeEnvironment") -> None:
        self.environment = environment
        self.queue: dict[Key, None] = {}
        self.requeue_after: dict[Key, datetime] = {}
        self.run_states = RunStates()
        self.caches = LaggingCaches(environment.cluster, self.add)
        self.log_collector = PromptLogCollector(environment.cluster, environment.api, self.add)
        self.breaker = CircuitBreaker(
            on_key=self.add, on_open=self._reconcile_unfinished, clock=lambda: environment.now
        )
        client = cast("ApiClient", FakeClient(environment.api, self.breaker.record))
        self.api_run_poller = ApiRunPoller(
            client,
            self.run_states,
            self.breaker,
            cluster="here",
            namespaces=(),
            on_key=self.add,
            on_sweep=self._audit,
            clock=lambda: environment.now,
            monotonic=itertools.count(step=0.05).__next__,
            timings=api_run_poller.Timings(sweep_seconds=0.0),
        )
        caches, log_collector = (
            cast("Caches", self.caches),
            cast("LogCollector", self.log_collector),
        )
        actions = Actions(
            cast("Cluster", environment.cluster),
            client,
            caches,
            log_collector,
            self.breaker,
            restricted=environment.settings.pod_security == "restricted",
            git_image="git:1",
            requeue_after=self._add_later,
            clock=lambda: environment.now,
        )
        self.bulkhead = Bulkhead(1, on_key=self.add, priority=lambda key: 0)
        self.reconciler = Reconciler(
            environment.settings,
            "here",
            caches,
            self.run_states,
            log_collector,
            self.breaker,
            self.bulkhead,
            actions,
            before_observing=lambda key: self.queue.pop(key, None),
            clock=lambda: environment.now,
        )

    def add(self, key: Key) -> None:
        self.queue[key] = None

    def work(self) -> None:
        """Reconcile every key in the queue once; one that fails stays in it."""
        keys, self.queue = list(self.queue), {}
        for key in keys:
            try:
                self.reconciler.reconcile(key)
            except SparkTestError:
                self.add(key)

    def poll(self, *, sweep: bool = False) -> None:
        """Poll the API; with `sweep`, also read the whole list."""
        self.api_run_poller._poller._poll_at = 0.0
        self.api_run_poller.poll_once()
        if sweep:
            self.api_run_poller.poll_once()

    def deliver(self) -> None:
        """Deliver all changes to the caches."""
        for resource in (TESTRUNS, JOBS, PODS):
            self.caches.deliver(resource)

    def time_passed(self) -> None:
        """Queue the keys that are due."""
        for key, at in list(self.requeue_after.items()):
            if at <= self.environment.now:
                del self.requeue_after[key]
                self.add(key)

    def plans(self) -> dict[Key, list[Any]]:
        """Return the steps that are left, for each key that has any."""
        environment = self.environment
        keys = {parse_testrun(obj).key for obj in environment.cluster.all(TESTRUNS)}
        keys |= {
            (job["metadata"]["namespace"], job["metadata"]["name"])
            for job in environment.cluster.all(JOBS)
        }
        keys |= {(run.namespace, run.job_name) for run in environment.api.runs.values()}
        found = {}
        for key in keys:
            state = self.run_states._states.get(key) or RunState()
            if steps := plan(self.reconciler.observe(key, state, environment.now), environment.now):
                found[key] = steps
        return found

    def _add_later(self, key: Key, seconds: float) -> None:
        at = self.environment.now + timedelta(seconds=seconds)
        self.requeue_after[key] = min(at, self.requeue_after.get(key, at))

    def _reconcile_unfinished(self) -> None:
        for key in self.run_states.unfinished():
            self.add(key)

    def _audit(self) -> None:
        for key in self.caches.finished_ids().values():
            self.run_states.verify_exists(key)
            self.add(key)


class FakeEnvironment(FakeKubernetes):
    """All parts, with a method for each thing that can happen to one of them."""

    def __init__(self, controllers: int = 1) -> None:
        self.now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
        self.faults = Faults()
        self.cluster = FakeCluster(lambda: self.now, self.faults)
        self.api = FakeApi(lambda: self.now, self.faults)
        self.settings = Settings(job_ttl_seconds=600)
        self.controllers = [Controller(self) for _ in range(controllers)]

    @property
    def controller(self) -> Controller:
        """The first controller."""
        return self.controllers[0]

    def restart(self, which: int = 0) -> None:
        """Replace a controller by one without state."""
        self.controllers[which] = Controller(self)

    def settle(self, rounds: int = 60) -> None:
        """Run everything until nothing changes; advance the clock when nothing else happens."""
        for _ in range(rounds):
            before = (len(self.cluster.changed), dict(self.api.runs))
            self.job_controller()
            for controller in self.controllers:
                controller.deliver()
                controller.poll(sweep=True)
                controller.log_collector.read()
                for _ in range(10):
                    controller.work()
                controller.log_collector.read()
            if any(controller.queue for controller in self.controllers):
                continue
            if before == (len(self.cluster.changed), dict(self.api.runs)):
                times = [
                    at
                    for controller in self.controllers
                    for at in controller.requeue_after.values()
                ]
                if not times:
                    return
                self.pass_time(max((min(times) - self.now).total_seconds(), 1))
        queues = [(controller.queue, controller.requeue_after) for controller in self.controllers]
        raise AssertionError(f"still changing after {rounds} rounds: {queues}")

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for controller in self.controllers:
            controller.time_passed()

    # --- people ----------------------------------------------------------------------------------

    def apply(self, name: str = "smoke", **spec: Any) -> Object:
        """Create a TestRun."""
        testrun = {
            "metadata": {"name": name, "namespace": NAMESPACE, "generation": 1},
            "spec": {"image": "busybox:1.35", **spec},
        }
        return self.cluster.put(TESTRUNS, testrun)

    def testrun(self, name: str = "smoke") -> Object | None:
        return self.cluster.objects.get((TESTRUNS, NAMESPACE, name))

    def edit(self, name: str = "smoke", **spec: Any) -> None:
        testrun = self.cluster.get(TESTRUNS, NAMESPACE, name)
        testrun["spec"] |= spec
        testrun["metadata"]["generation"] += 1
        self.cluster.put(TESTRUNS, testrun)

    def delete_testrun(self, name: str = "smoke") -> None:
        self.cluster.remove(TESTRUNS, NAMESPACE, name)

    def delete_job(self, name: str) -> None:
        self.cluster.remove(JOBS, NAMESPACE, name)
        self.job_controller()

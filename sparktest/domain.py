"""The nouns of SparkTest as frozen values, with the names they have on the wire.

`msgspec.convert` and `msgspec.json` read and write them: camelCase keys, times as RFC 3339 UTC,
unknown keys ignored. Frozen, so threads may share them.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

# So begins the uid of a dev cluster, where an image is named and a process runs.
DEVCLUSTER_UID_PREFIX = "facade00-"


class Status(StrEnum):
    """Where a run is: pending, then running, then one of four final ones for ever."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether a run in this status never changes again."""
        return self not in (Status.PENDING, Status.RUNNING)

    @property
    def rank(self) -> int:
        """0 pending, 1 running, 2 final: a report may only move a run to a higher rank."""
        return 2 if self.final else int(self is Status.RUNNING)

    @property
    def phase(self) -> str:
        """The same word as `.status.phase` of a TestRun: CamelCase."""
        return "".join(part.capitalize() for part in self.value.split("_"))


class Origin(StrEnum):
    """Who asked for a run: a person or program over REST, or a TestRun object."""

    API = "api"
    CRD = "crd"


class FailureClass(StrEnum):
    """Whose fault it was that a run did not succeed."""

    TEST = "test"
    INFRA = "infra"
    CONFIG = "config"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


class LogState(StrEnum):
    """How much of a run's log is stored."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    NONE = "none"


class WireStruct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A value that travels as JSON: defaults are left out when it is written."""


class K8sRef(WireStruct, frozen=True, kw_only=True):
    """The TestRun object behind a run of origin crd."""

    namespace: str
    name: str
    uid: str | None = None


class Failure(WireStruct, frozen=True, kw_only=True):
    """Why a run ended otherwise than well; `reason` is Kubernetes' own word where there is one."""

    class_: FailureClass = msgspec.field(name="class")
    reason: str
    message: str = ""
    exit_code: int | None = None


class Log(WireStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What is stored of a run's log: `reason` says why it is not complete."""

    state: LogState = LogState.NONE
    reason: str | None = None
    bytes: int = 0


class RunReport(WireStruct, frozen=True, kw_only=True):
    """What the controller saw of a run. None: nothing to say about that field."""

    status: Status
    status_reason: str | None = None
    status_message: str | None = None
    job_uid: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure: Failure | None = None
    log: Log | None = None


class Run(WireStruct, frozen=True, kw_only=True):
    """One execution: one Kubernetes Job.

    What to run is a snapshot: `commands` for a shell, or `entrypoint` and `args` passed as they
    are (Kubernetes' command and args), or neither (the image's own). `command` is what people
    read: the commands, or entrypoint and args in a row. `duration` in seconds.
    """

    id: str
    name: str
    status: Status
    origin: Origin
    created_at: datetime
    image: str = ""
    commands: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: dict[str, str] = {}
    env_from: tuple[dict[str, Any], ...] = ()
    resources: dict[str, Any] = {}
    service_account_name: str | None = None
    image_pull_secrets: tuple[dict[str, str], ...] = ()
    timeout_seconds: int = 3600
    ttl_seconds_after_finished: int | None = None
    status_reason: str | None = None
    status_message: str | None = None
    k8s_ref: K8sRef | None = None
    cluster: str | None = None
    namespace: str = "default"
    job_name: str = ""
    job_uid: str | None = None
    job_created: bool = False
    test_definition_id: str | None = None
    definition_name: str | None = None
    executor_id: str | None = None
    suite_run_id: str | None = None
    rerun_of: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    updated_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    duration: float | None = None
    failure: Failure | None = None
    log: Log = Log()
    labels: dict[str, str] = {}
    version: int = 1

    @property
    def display_image(self) -> str:
        """The image as people read it: of a run on a dev cluster, that it is only a name."""
        named = self.image and (self.cluster or "").startswith(DEVCLUSTER_UID_PREFIX)
        return f"{self.image} (named, not pulled)" if named else self.image


class Definition(WireStruct, frozen=True, kw_only=True):
    """A reusable test: image, commands, and how to run them."""

    id: str
    name: str
    created_at: datetime
    image: str = ""
    commands: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    env_from: tuple[dict[str, Any], ...] = ()
    resources: dict[str, Any] = {}
    service_account_name: str | None = None
    image_pull_secrets: tuple[dict[str, str], ...] = ()
    timeout_seconds: int | None = None
    description: str = ""
    executor_id: str | None = None
    labels: tuple[str, ...] = ()
    version: int = 1


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of runs, newest first; `next` is the cursor of the one after it, None at the end."""

    runs: tuple[Run, ...]
    next: str | None = None


class ControllerSeen(WireStruct, frozen=True, kw_only=True):
    """When the controller of a cluster last spoke to the API."""

    cluster: str
    seen_at: datetime

"""The domain model: frozen values that name each field once, for Python and for JSON.

`msgspec.convert` and `msgspec.json` read and write them: camelCase keys, times as RFC 3339 UTC,
unknown keys ignored. The API derives its answers and its OpenAPI schemas from the same classes.
Instances are immutable, so threads may share them.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec

# Prefix of the uid of every dev cluster, which runs local processes and pulls no images.
DEVCLUSTER_UID_PREFIX = "facade00-"

# The limits of the API. A TestRun object may have a longer name; `Run.k8s_ref` has all of it.
MAX_NAME_LENGTH = 200
MAX_LABELS = 1000
# The longest key in Kubernetes: a prefix of 253 characters, a slash and 63 more.
MAX_LABEL_KEY_LENGTH = 317
MAX_LABEL_VALUE_LENGTH = 253

Id = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uuid"})]


class Status(StrEnum):
    """Status of a run: pending, then running, then one of the four final statuses."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True when a run in this status never changes again."""
        return self not in (Status.PENDING, Status.RUNNING)

    @property
    def rank(self) -> int:
        """0 pending, 1 running, 2 final: a report may only move a run to a higher rank."""
        return 2 if self.final else int(self is Status.RUNNING)

    @property
    def phase(self) -> str:
        """The status as `.status.phase` of a TestRun, in CamelCase."""
        return "".join(part.capitalize() for part in self.value.split("_"))


class Origin(StrEnum):
    """Origin of a run: a request to the REST API, or a TestRun object."""

    API = "api"
    CRD = "crd"


class FailureClass(StrEnum):
    """Cause of a failure: the test, the infrastructure, the configuration, a limit, a cancel."""

    TEST = "test"
    INFRA = "infra"
    CONFIG = "config"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


class Scope(StrEnum):
    """What a token allows.

    `read` < `run` < `admin`; `controller` allows what a controller sends, and nothing else.
    """

    READ = "read"
    RUN = "run"
    ADMIN = "admin"
    CONTROLLER = "controller"


class LogState(StrEnum):
    """Completeness of a stored log."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    NONE = "none"


# Reason of a log that is partial because it has more bytes than the API stores.
LOG_TOO_LARGE = "LogTooLarge"


class WireStruct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base class of values sent as JSON; fields that have their default are left out."""


class K8sRef(WireStruct, frozen=True, kw_only=True):
    """The TestRun object behind a run of origin crd."""

    namespace: str
    name: str
    uid: str | None = None


class Failure(WireStruct, frozen=True):
    """Why a run did not succeed.

    `reason` is Kubernetes' own term where it has one; `container` is the name of the container
    that failed, None for the test's own.
    """

    class_: FailureClass = msgspec.field(name="class")
    reason: str
    message: str = ""
    exit_code: int | None = None
    container: str | None = None


class Log(WireStruct, frozen=True, kw_only=True, omit_defaults=False):
    """State of a run's stored log; `reason` says why it is not complete."""

    state: LogState = LogState.NONE
    reason: str | None = None
    bytes: int = 0


class RunReport(WireStruct, frozen=True, kw_only=True):
    """Report of the controller about a run; None leaves a field as it is."""

    status: Status
    status_reason: str | None = None
    status_message: str | None = None
    job_uid: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure: Failure | None = None
    log: Log | None = None
    git_commit: str | None = None


class RunSpec(WireStruct, frozen=True, kw_only=True):
    """What to run: the fields that a run and a definition have in common.

    `template` is a partial PodTemplateSpec; the other fields take precedence over it. `git` has
    the keys url, ref, path and secretName.
    """

    image: str = ""
    commands: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    env_from: tuple[dict[str, Any], ...] = ()
    resources: dict[str, Any] = {}
    service_account_name: str | None = None
    image_pull_secrets: tuple[dict[str, str], ...] = ()
    git: dict[str, str] = {}
    template: dict[str, Any] = {}


class Run(RunSpec, frozen=True, kw_only=True):
    """One execution: one Kubernetes Job.

    The spec is a snapshot: `commands` are run by a shell; `entrypoint` and `args` are passed as
    they are (Kubernetes' command and args); without either, the image's own command runs.
    `command` is for display: the commands, or `entrypoint` followed by `args`; without them, the
    command of the template's test container. `containers` are the names of its containers, that of
    the test first. `git_commit` is the commit that was checked out. `duration` is in seconds: whole
    where both times are whole seconds, else with milliseconds.
    """

    id: Id
    name: str
    status: Status
    origin: Origin
    created_at: datetime
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    containers: tuple[str, ...] = ("test",)
    git_commit: str | None = None
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
    test_definition_id: Id | None = None
    definition_name: str | None = None
    executor_id: Id | None = None
    suite_run_id: Id | None = None
    schedule_id: Id | None = None
    rerun_of: Id | None = None
    repeat_of: Id | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    updated_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    duration: int | float | None = None
    failure: Failure | None = None
    log: Log = Log()
    labels: dict[str, str] = {}
    version: int = 1

    @property
    def display_image(self) -> str:
        """The image for display; on a dev cluster, with a note that it is not pulled."""
        named = self.image and (self.cluster or "").startswith(DEVCLUSTER_UID_PREFIX)
        return f"{self.image} (named, not pulled)" if named else self.image

    @property
    def failed_init_container(self) -> str | None:
        """The init container with which the run ended before its test started, else None."""
        return self.failure.container if self.failure and not self.started_at else None


class Definition(RunSpec, frozen=True, kw_only=True):
    """A reusable test; `command` is Kubernetes' command, passed as it is."""

    id: Id
    name: str
    created_at: datetime
    command: tuple[str, ...] = ()
    timeout_seconds: int | None = None
    description: str = ""
    executor_id: Id | None = None
    labels: tuple[str, ...] = ()
    version: int = 1


class Executor(WireStruct, frozen=True, kw_only=True):
    """A named kind of test runner; a definition that points to it may leave out what it has.

    `command` is Kubernetes' command; where it is empty, a shell runs `default_command`.
    `environment_variables` are the names of variables that its tests read.
    """

    id: Id
    name: str
    created_at: datetime
    description: str = ""
    image: str = ""
    default_command: str = ""
    command: tuple[str, ...] = ()
    supported_file_types: tuple[str, ...] = ()
    environment_variables: tuple[str, ...] = ()
    env: dict[str, str] = {}
    template: dict[str, Any] = {}
    icon: str = ""
    version: int = 1


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of runs, newest first; `next` is the cursor of the next page, None at the end."""

    runs: tuple[Run, ...]
    next: str | None = None


class RunSummary(WireStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Counts of the newest runs, 5,000 at most.

    `complete` says that all runs were counted; else those since `oldest`. `class_` counts failures
    by their cause; `namespace` has the 20 namespaces with the most runs.
    """

    total: int
    complete: bool
    oldest: datetime | None
    status: dict[Status, int]
    origin: dict[Origin, int]
    class_: dict[FailureClass, int] = msgspec.field(name="class")
    namespace: dict[str, int]


class ControllerSeen(WireStruct, frozen=True, kw_only=True):
    """Time of the last request from the controller of a cluster."""

    cluster: str
    seen_at: datetime


class StoredLog(WireStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Number of bytes stored for a container's log."""

    bytes: int

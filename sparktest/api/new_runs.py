"""Create API runs: from a request, from a definition, or as a rerun."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, cast

from sqlalchemy import Connection

from sparktest.api.schemas import privileged_fields
from sparktest.api.specs import executor_defaults, resolve_rerun, resolve_spec, template_error
from sparktest.api.store import runs
from sparktest.api.store.engine import Row
from sparktest.api.store.resources import DEFINITIONS, EXECUTORS
from sparktest.api.store.run_documents import CONTROLLER_TIMEOUT
from sparktest.domain import FailureClass, LogState, Origin, Status
from sparktest.errors import ConflictError, FieldError, InvalidError
from sparktest.kube.jobs import job_name_of_api_run
from sparktest.settings import Settings

NO_SOURCE: Mapping[str, Any] = MappingProxyType({})


class UnresolvedError(InvalidError):
    """Error for a spec that cannot be resolved; `reason` is the reason of the failed run."""

    def __init__(self, pointer: str, reason: str, message: str) -> None:
        field: FieldError = {"pointer": pointer, "detail": message}
        super().__init__(message, errors=[field])
        self.reason = reason


def create(
    connection: Connection,
    payload: Mapping[str, Any],
    settings: Settings,
    now: datetime,
    definition: Row | None = None,
    *,
    source: Mapping[str, Any] = NO_SOURCE,
) -> Row:
    """Create an API run and return its row, with JSON columns as text.

    Args:
        connection: in a transaction.
        payload: a loaded RunCreateSchema, or the OverridesSchema for a run of `definition`.
        settings: with the namespace and the default timeout of API runs.
        now: the time of creation.
        definition: the row, if the caller has it already.
        source: columns that say what it is part of, such as `schedule_id`.

    Raises:
        UnresolvedError: the definition does not exist, or there is no image.
        InvalidError: the namespace is not one for API runs.
    """
    namespace = _namespace(payload, settings)
    definition = definition or find_definition(connection, payload)
    spec = resolve(connection, payload, definition, settings)
    name = payload.get("name") or (definition["name"] if definition else "")
    return _add_api_run(connection, {**spec, "name": name, **source}, namespace, now)


def add_failed(
    connection: Connection,
    error: InvalidError,
    settings: Settings,
    now: datetime,
    definition: Row | None = None,
    *,
    source: Mapping[str, Any] = NO_SOURCE,
) -> Row:
    """Store an API run that failed because it could not be created; return its row.

    For runs that nobody waits for: so that they appear in every list.

    Args:
        connection: in a transaction.
        error: why it could not be created.
        settings: with the namespace and the default timeout of API runs.
        now: the time of creation.
        definition: the row of its definition.
        source: columns that say what it is part of, such as `schedule_id`, and its `name`.
    """
    spec = resolve_spec(
        {}, definition, None, default_timeout_seconds=settings.default_timeout_seconds
    )
    return _add_api_run(
        connection, {**spec, **failed(error, now), **source}, settings.namespace, now
    )


def rerun(connection: Connection, payload: Mapping[str, Any], run: Row, now: datetime) -> Row:
    """Create an API run like this run and return its row, with JSON columns as text.

    It has the same namespace, and the same cluster if the controller of that one is there.

    Args:
        connection: in a transaction.
        payload: a loaded OverridesSchema.
        run: the row of the run to repeat.
        now: the time of creation.

    Raises:
        ConflictError: the run has no image.
        InvalidError: with the overrides, the spec is invalid.
    """
    if not run["image"]:
        raise ConflictError("this run has no image; run its definition instead")
    if error := template_error(payload, [run]):
        raise InvalidError.at(**error)
    spec = resolve_rerun(payload, run)
    if not spec["image"]:
        # The override makes another container the test's.
        raise InvalidError.at("/template", "the container that runs the test has no image")
    heard = runs.heartbeats(connection).get(run["cluster"])
    if heard is not None and now - heard <= CONTROLLER_TIMEOUT:
        spec["cluster"] = run["cluster"]
    return _add_api_run(connection, spec, run["namespace"], now)


def namespaces(settings: Settings) -> tuple[str, ...]:
    """Return the namespaces of API runs, the default one first."""
    return tuple(dict.fromkeys((settings.namespace, *settings.run_namespaces)))


def _namespace(payload: Mapping[str, Any], settings: Settings) -> str:
    allowed = namespaces(settings)
    namespace = payload.get("namespace") or settings.namespace
    if namespace not in allowed:
        names = ", ".join(allowed)
        raise InvalidError.at(
            "/namespace",
            f"must be one of {names}; the setting SPARKTEST_RUN_NAMESPACES allows others",
        )
    return str(namespace)


def rerun_privileges(connection: Connection, run: Row) -> list[str]:
    """Return the JSON pointers of the run's privileged fields that its definition does not give.

    Whoever may run the definition gets the others anyway.
    """
    definition_id = run["test_definition_id"]
    definition = DEFINITIONS.find(connection, definition_id) if definition_id else None
    executor = _executor(connection, definition)
    given = privileged_fields(resolve_spec({}, definition, executor, default_timeout_seconds=1))
    has = privileged_fields(run)
    return [pointer for pointer, value in has.items() if given.get(pointer) != value]


def failed(error: InvalidError, now: datetime) -> dict[str, Any]:
    """Return the columns of a run that failed for its configuration."""
    reason = getattr(error, "reason", "Invalid")
    failure = {"class": FailureClass.CONFIG, "reason": reason, "message": error.detail}
    return {"status": Status.FAILED, "failure": failure, "finished_at": now}


def _add_api_run(
    connection: Connection, spec: dict[str, Any], namespace: str, now: datetime
) -> Row:
    row = new_row(now) | spec
    row |= {
        "origin": Origin.API,
        "namespace": namespace,
        "job_name": job_name_of_api_run(row["id"]),
    }
    if row.get("suite_run_id") is None:
        return runs.add_later(connection, row)
    # The suite run is answered with its runs, which are read. Only the run of a TestRun object
    # can be there already.
    return cast(Row, runs.add(connection, row))


def new_row(now: datetime) -> dict[str, Any]:
    """Return the columns that every new run has."""
    return {
        "id": str(uuid.uuid4()),
        "status": Status.PENDING,
        "created_at": now,
        "updated_at": now,
        "log_state": LogState.NONE,
        "log_bytes": 0,
        "version": 1,
    }


def resolve(
    connection: Connection, payload: Mapping[str, Any], definition: Row | None, settings: Settings
) -> dict[str, Any]:
    """Return the spec columns of a run of the payload and its definition.

    Raises:
        UnresolvedError: there is no image, or not one test container.
    """
    executor = _executor(connection, definition)
    parents = [executor_defaults(executor)] if executor else []
    if error := template_error(payload, [*parents, definition or {}]):
        raise UnresolvedError(error["pointer"], "Invalid", error["detail"])
    spec = resolve_spec(
        payload, definition, executor, default_timeout_seconds=settings.default_timeout_seconds
    )
    if not spec["image"]:
        raise UnresolvedError(
            "/image",
            "ImageMissing",
            "neither the run nor its definition has an image, and the template's test container "
            "has none",
        )
    return spec


def _executor(connection: Connection, definition: Row | None) -> Row | None:
    executor_id = definition["executor_id"] if definition else None
    return EXECUTORS.find(connection, executor_id) if executor_id else None


def find_definition(connection: Connection, payload: Mapping[str, Any]) -> Row | None:
    """Return the definition that the payload refers to, None if it refers to none.

    Raises:
        UnresolvedError: it does not exist.
    """
    if definition_id := payload.get("definition_id"):
        found = DEFINITIONS.find(connection, definition_id)
        if found is None:
            raise _not_found("/definitionId", f"no definition has the id {definition_id}")
        return found
    if name := payload.get("definition_name"):
        named = DEFINITIONS.find_named(connection, name)
        if named is None:
            raise _not_found("/definitionName", f"no definition is called {name!r}")
        return named
    return None


def _not_found(pointer: str, message: str) -> UnresolvedError:
    return UnresolvedError(pointer, "DefinitionNotFound", message)

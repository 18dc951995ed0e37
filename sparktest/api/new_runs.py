"""New runs: asked for by a person, of a definition, again, or registered for a TestRun object."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from sparktest.api.specs import MAX_NAME, copy_for_rerun, resolve_spec
from sparktest.api.store import definitions, runs
from sparktest.api.store.rows import Row
from sparktest.domain import FailureClass, LogState, Origin, Status
from sparktest.errors import ConflictError, FieldError, GoneError, InvalidError
from sparktest.kube.jobs import job_name_of_api_run, job_name_of_testrun
from sparktest.settings import Settings


class UnresolvedError(InvalidError):
    """What to run cannot be found out; `reason` is the word for it in a failed run."""

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
) -> str:
    """The id of a new API run.

    Args:
        connection: in a transaction.
        payload: a loaded RunCreateSchema, or the OverridesSchema of a run of `definition`.
        settings: where API runs go, and how long they may take.
        now: when it is created.
        definition: the row, where the caller has it already.

    Raises:
        UnresolvedError: the definition is not there, or nobody names an image.
    """
    definition = definition or _definition(connection, payload)
    what = _what(connection, payload, definition, settings)
    name = payload.get("name") or (definition["name"] if definition else "")
    return _add_api_run(connection, what | {"name": name}, settings, now)


def rerun(connection: Connection, run: Row, settings: Settings, now: datetime) -> str:
    """The id of a new API run that runs what this run ran.

    Raises:
        ConflictError: the run had nothing to run, or rights that an API run may not have.
    """
    what = copy_for_rerun(run)
    if not what["image"]:
        raise ConflictError("this run never knew what to run; run its definition instead")
    rights = ("service_account_name", "env_from", "image_pull_secrets")
    if run["origin"] == Origin.CRD and any(what[name] for name in rights):
        raise ConflictError(
            "this run uses a ServiceAccount or Secrets of its TestRun's namespace, which an API "
            "run may not; create the TestRun again under another name"
        )
    return _add_api_run(connection, what, settings, now)


def register(
    connection: Connection, payload: Mapping[str, Any], settings: Settings, now: datetime
) -> tuple[str, bool]:
    """The id of the run of a TestRun object, and whether it is new; one object has one run.

    An object that cannot be resolved becomes a failed run, so that it is seen in every list.

    Raises:
        GoneError: the object had a run, and it was deleted.
    """
    cluster, ref = payload["cluster"], payload["k8s_ref"]
    known = runs.of_testrun(connection, cluster, ref["uid"])
    if known is None:
        _refuse_removed(connection, cluster, ref["uid"])
        row = _testrun_row(connection, payload, settings, now)
        if runs.add(connection, row):
            return row["id"], True
        known = runs.of_testrun(connection, cluster, ref["uid"])
    if known is None:
        _refuse_removed(connection, cluster, ref["uid"])
        raise ConflictError("this TestRun is being registered and deleted at once; ask again")
    return known, False


def _refuse_removed(connection: Connection, cluster: str, uid: str) -> None:
    if runs.is_removed_of_testrun(connection, cluster, uid):
        raise GoneError("the run of this TestRun was deleted; create the TestRun again to run it")


def _testrun_row(
    connection: Connection, payload: Mapping[str, Any], settings: Settings, now: datetime
) -> dict[str, Any]:
    ref = payload["k8s_ref"]
    end: dict[str, Any] = {}
    try:
        what = _what(connection, payload, _definition(connection, payload), settings)
    except UnresolvedError as error:
        what = resolve_spec(payload, None, None, default_timeout_seconds=_timeout(settings))
        what["test_definition_id"] = payload.get("definition_id")
        what["definition_name"] = payload.get("definition_name")
        failure = {"class": FailureClass.CONFIG, "reason": error.reason, "message": error.detail}
        end = {"status": Status.FAILED, "failure": failure, "finished_at": now}
    return (
        _row(now)
        | what
        | end
        | {
            # A TestRun's name may be longer than what people call things here.
            "name": (payload.get("name") or ref["name"])[:MAX_NAME],
            "origin": Origin.CRD,
            "cluster": payload["cluster"],
            "namespace": ref["namespace"],
            "job_name": job_name_of_testrun(ref["name"], ref["uid"]),
            "k8s_ref_namespace": ref["namespace"],
            "k8s_ref_name": ref["name"],
            "k8s_ref_uid": ref["uid"],
        }
    )


def _add_api_run(
    connection: Connection, what: dict[str, Any], settings: Settings, now: datetime
) -> str:
    row = _row(now) | what
    row |= {
        "origin": Origin.API,
        "namespace": settings.namespace,
        "job_name": job_name_of_api_run(row["id"]),
    }
    runs.add(connection, row)
    return str(row["id"])


def _row(now: datetime) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "status": Status.PENDING,
        "created_at": now,
        "updated_at": now,
        "log_state": LogState.NONE,
        "log_bytes": 0,
        "version": 1,
    }


def _what(
    connection: Connection,
    payload: Mapping[str, Any],
    definition: Row | None,
    settings: Settings,
) -> dict[str, Any]:
    executor_id = definition["executor_id"] if definition else None
    executor = definitions.executor(connection, executor_id) if executor_id else None
    what = resolve_spec(payload, definition, executor, default_timeout_seconds=_timeout(settings))
    if not what["image"]:
        raise UnresolvedError(
            "/image", "ImageMissing", "neither the run nor its definition names an image"
        )
    return what


def _definition(connection: Connection, payload: Mapping[str, Any]) -> Row | None:
    """The definition that the wishes name; None where they name none."""
    if definition_id := payload.get("definition_id"):
        found = definitions.find(connection, definition_id)
        if found is None:
            raise _not_found("/definitionId", f"no definition has the id {definition_id}")
        return found
    if name := payload.get("definition_name"):
        named = definitions.named(connection, name)
        if not named:
            raise _not_found("/definitionName", f"no definition is called {name!r}")
        if len(named) > 1:
            raise UnresolvedError(
                "/definitionName",
                "DefinitionAmbiguous",
                f"more than one definition is called {name!r}; use definitionId",
            )
        return named[0]
    return None


def _not_found(pointer: str, message: str) -> UnresolvedError:
    return UnresolvedError(pointer, "DefinitionNotFound", message)


def _timeout(settings: Settings) -> int:
    return settings.default_timeout_seconds

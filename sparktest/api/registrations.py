"""Runs of TestRun objects: registered by a controller, or recorded by another program."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection

from sparktest.api.new_runs import UnresolvedError, failed, find_definition, new_row, resolve
from sparktest.api.specs import resolve_spec
from sparktest.api.store import runs
from sparktest.api.store.engine import Row
from sparktest.domain import MAX_NAME_LENGTH, Origin
from sparktest.errors import GoneError
from sparktest.kube.jobs import job_name_of_testrun
from sparktest.settings import Settings

# Of a record, whose Job is not SparkTest's.
RECORDED = {
    "status_reason": "WaitingForReport",
    "status_message": "SparkTest does not run it: the program that created it reports for it",
}


def register(
    connection: Connection, payload: Mapping[str, Any], settings: Settings, now: datetime
) -> tuple[Row, bool]:
    """Return the row of the run of a TestRun object, with JSON as text, and True if it is new.

    An object has one run. If its spec cannot be resolved, the run is created as failed, so that
    it appears in every list.

    Raises:
        GoneError: the run of this object was deleted.
    """
    cluster, uid = payload["cluster"], payload["k8s_ref"]["uid"]
    if found := runs.find_testrun(connection, cluster, uid):
        return found, False
    removed = runs.removed_testrun(connection, cluster, uid)
    if removed is None:
        row = _testrun_row(connection, payload, settings, now)
        if added := runs.add(connection, row):
            return added, True
        # A concurrent request has registered the object.
        if found := runs.find_testrun(connection, cluster, uid):
            return found, False
    why = "the run of this TestRun was deleted; create the TestRun again to run it"
    raise GoneError.of_run(removed, why) if removed else GoneError(why)


def _testrun_row(
    connection: Connection, payload: Mapping[str, Any], settings: Settings, now: datetime
) -> dict[str, Any]:
    ref = payload["k8s_ref"]
    end: dict[str, Any] = {}
    try:
        spec = resolve(connection, payload, find_definition(connection, payload), settings)
    except UnresolvedError as error:
        spec = resolve_spec(
            payload, None, None, default_timeout_seconds=settings.default_timeout_seconds
        )
        spec["test_definition_id"] = payload.get("definition_id")
        spec["definition_name"] = payload.get("definition_name")
        if not payload["started"]:
            end = failed(error, now)
    return (
        new_row(now)
        | spec
        | end
        | {
            # A TestRun object may have a longer name than a run.
            "name": (payload.get("name") or ref["name"])[:MAX_NAME_LENGTH],
            "origin": Origin.CRD,
            "cluster": payload["cluster"],
            "namespace": ref["namespace"],
            "job_name": job_name_of_testrun(ref["name"], ref["uid"]),
            "k8s_ref_namespace": ref["namespace"],
            "k8s_ref_name": ref["name"],
            "k8s_ref_uid": ref["uid"],
        }
    )


def record(
    connection: Connection, payload: Mapping[str, Any], settings: Settings, now: datetime
) -> Row:
    """Store a run that another program executes and reports for; return its row.

    Without the uid of its TestRun object it is no registration: it has no Job, and no controller
    takes it.

    Raises:
        UnresolvedError: the definition does not exist, or there is no image.
    """
    ref = payload["k8s_ref"]
    row = (
        new_row(now)
        | resolve(connection, payload, find_definition(connection, payload), settings)
        | RECORDED
        | {
            "name": (payload.get("name") or ref["name"])[:MAX_NAME_LENGTH],
            "origin": Origin.CRD,
            "namespace": ref["namespace"],
            "job_name": "",
            "k8s_ref_namespace": ref["namespace"],
            "k8s_ref_name": ref["name"],
        }
    )
    # Only a run with a uid can be there already.
    return cast(Row, runs.add(connection, row))

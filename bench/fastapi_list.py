# mypy: ignore-errors
"""The list of runs as FastAPI and pydantic serve it, to compare with: see `bench.million_servers`.

The same table, columns, document, token and Link header, in the way of their documentation. It
needs the extra `bench` only: `uvicorn bench.fastapi_list:app`, with DATABASE_URL and TOKEN.
"""

import os
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, Json
from pydantic.alias_generators import to_camel
from sqlalchemy import MetaData, Table, create_engine, select

engine = create_engine(os.environ["DATABASE_URL"], pool_size=16)
runs = Table("test_runs", MetaData(), autoload_with=engine)
app = FastAPI()
bearer = HTTPBearer()


class Model(BaseModel):
    """Base class: camelCase keys, built from attributes."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class K8sRef(Model):
    """The TestRun object."""

    namespace: str
    name: str
    uid: str | None


class Log(Model):
    """The state of the log."""

    state: str
    bytes: int
    reason: str | None = None


class Run(Model):
    """A run."""

    id: str
    name: str
    status: str
    status_reason: str | None = None
    status_message: str | None = None
    origin: str
    k8s_ref: K8sRef | None = None
    cluster: str | None = None
    namespace: str
    job_name: str
    job_uid: str | None = None
    job_created: bool
    test_definition_id: str | None
    definition_name: str | None = None
    executor_id: str | None
    suite_run_id: str | None = None
    schedule_id: str | None = None
    rerun_of: str | None = None
    repeat_of: str | None = None
    image: str
    commands: list[str]
    entrypoint: list[str]
    args: list[str]
    command: list[str]
    containers: list[str] = Field(default=["test"])
    env: dict[str, str]
    env_from: list[dict[str, Any]]
    resources: dict[str, Any]
    image_pull_secrets: list[dict[str, str]]
    service_account_name: str | None = None
    git: dict[str, str]
    git_commit: str | None = None
    template: dict[str, Any]
    timeout_seconds: int
    ttl_seconds_after_finished: int | None = None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    cancel_requested_at: datetime | None = None
    duration: float | None
    failure: dict[str, Any] | None = None
    log: Log
    labels: dict[str, str]
    version: int


class Stored(Run):
    """A run from its row: JSON columns are text."""

    commands: Json[list[str]]
    entrypoint: Json[list[str]]
    args: Json[list[str]]
    env: Json[dict[str, str]]
    env_from: Json[list[dict[str, Any]]]
    resources: Json[dict[str, Any]]
    image_pull_secrets: Json[list[dict[str, str]]]
    git: Json[dict[str, str]]
    template: Json[dict[str, Any]]
    failure: Json[dict[str, Any]] | None
    labels: Json[dict[str, str]]
    command: Json[list[str]]


def check_token(sent: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> None:
    """Refuse a request without the token."""
    if sent.credentials != os.environ["TOKEN"]:
        raise HTTPException(401)


@app.get(
    "/api/test-runs",
    response_model=list[Run],
    response_model_exclude_none=True,
    dependencies=[Depends(check_token)],
)
def list_runs(
    response: Response,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[int | None, Query()] = None,
) -> list[Stored]:
    """List runs, newest first."""
    query = select(runs).order_by(runs.c.seq.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(runs.c.seq < cursor)
    with engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    if len(rows) > limit:
        response.headers["Link"] = f'<?limit={limit}&cursor={rows[limit - 1]["seq"]}>; rel="next"'
    return [_stored(row) for row in rows[:limit]]


def _stored(row: Any) -> Stored:
    started, finished = row["started_at"], row["finished_at"]
    ended = started and finished
    reference = None
    if row["k8s_ref_name"]:
        reference = {name: row[f"k8s_ref_{name}"] for name in ("namespace", "name", "uid")}
    log = {"state": row["log_state"], "bytes": row["log_bytes"], "reason": row["log_reason"]}
    return Stored.model_validate(
        {
            **row,
            "command": row["commands"],
            "job_created": row["job_uid"] is not None,
            "duration": (finished - started).total_seconds() if ended else None,
            "k8s_ref": reference,
            "log": log,
        }
    )

"""Rows that tests store without the API."""

import uuid
from datetime import UTC, datetime
from typing import Any

CREATED = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def run_row(number: int, **columns: Any) -> dict[str, Any]:
    """Return the columns of a pending run."""
    run_id = str(uuid.UUID(int=number, version=4))
    return {
        "id": run_id,
        "name": "login",
        "status": "pending",
        "entrypoint": [],
        "timeout_seconds": 60,
        "namespace": "tests",
        "job_name": f"test-run-{run_id}",
        "definition_name": None,
        "labels": {},
        "created_at": CREATED,
        "updated_at": CREATED,
        "log_state": "none",
        "log_bytes": 0,
        "version": 1,
        "origin": "api",
    } | columns

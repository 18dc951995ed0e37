"""Examples of the OpenAPI document: bodies of requests and of the main responses."""

from collections.abc import Mapping
from typing import Any

from sparktest.api import sse

RUN_ID = "3f2a6c1e-5b0d-4c7a-9e1f-2d8b4a6c0e11"
DEFINITION_ID = "8a1d2f60-7c3b-4e5a-b9d8-1f0e2c4a6b22"
EXECUTOR_ID = "c4e5a6b7-1d2e-4f30-8a9b-0c1d2e3f4a33"
SUITE_ID = "5e6f7a8b-9c0d-4e1f-a2b3-c4d5e6f7a844"
SCHEDULE_ID = "d7c6b5a4-3f2e-4d1c-9b0a-8f7e6d5c4b55"
SUITE_RUN_ID = "91827364-5a4b-4c3d-8e2f-1a0b9c8d7e66"
CLUSTER = "6b1f0d0a-2f0e-4a57-9a55-5d1c3f1b8e88"

_SPEC = {
    "image": "ghcr.io/example/shop-tests:1.4",
    "commands": ["npm ci", "npm test -- login"],
    "env": {"SHOP_HOST": "shop.example.org"},
    "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "512Mi"}},
}
# Every spec in an answer has all of its fields.
_EMPTY: dict[str, Any] = {
    "args": [],
    "envFrom": [],
    "imagePullSecrets": [],
    "git": {},
    "template": {},
}
_WHOLE_SPEC = _EMPTY | _SPEC
_EXECUTOR = {
    "name": "node",
    "description": "Tests with npm.",
    "image": "node:22-alpine",
    "defaultCommand": "npm test",
    "supportedFileTypes": ["js", "ts"],
    "environmentVariables": ["SHOP_HOST"],
}
_DEFINITION = {"name": "login", "description": "Log in, log out.", "labels": ["smoke"], **_SPEC}
_SUITE = {
    "name": "smoke",
    "description": "Before each release.",
    "executionMode": "sequential",
    "stopOnFailure": True,
    "labels": ["release"],
    "testDefinitionIds": [DEFINITION_ID],
}
_SCHEDULE = {
    "name": "nightly smoke",
    "suiteId": SUITE_ID,
    "cron": "30 2 * * MON-FRI",
    "timeZone": "Europe/Berlin",
    "concurrency": "forbid",
    "startingDeadlineSeconds": 600,
}
_TOKEN = {"name": "ci", "scopes": ["run"], "expiresAt": "2027-01-01T00:00:00Z"}
_FAILURE = {"class": "test", "reason": "Error", "message": "exit code 1", "exitCode": 1}

RUN = {
    "id": RUN_ID,
    "name": "login",
    "status": "failed",
    "origin": "api",
    "createdAt": "2026-05-01T12:00:00Z",
    "updatedAt": "2026-05-01T12:01:05Z",
    "startedAt": "2026-05-01T12:00:03Z",
    "finishedAt": "2026-05-01T12:01:04.500Z",
    "duration": 61.5,
    "namespace": "tests",
    "cluster": CLUSTER,
    "jobName": f"test-run-{RUN_ID}",
    "jobUid": "b0c1d2e3-f405-4617-8829-3a4b5c6d7e99",
    "jobCreated": True,
    "testDefinitionId": DEFINITION_ID,
    "definitionName": "login",
    "executorId": None,
    "labels": {"team": "shop"},
    "timeoutSeconds": 900,
    "entrypoint": [],
    "command": _SPEC["commands"],
    "containers": ["test"],
    "failure": _FAILURE,
    "log": {"state": "complete", "bytes": 1843},
    "version": 5,
    **_WHOLE_SPEC,
}
_PENDING_RUN = {
    name: value
    for name, value in RUN.items()
    if name not in ("jobUid", "failure", "cluster", "testDefinitionId", "definitionName")
} | {
    "status": "pending",
    "updatedAt": RUN["createdAt"],
    "startedAt": None,
    "finishedAt": None,
    "duration": None,
    "jobCreated": False,
    "testDefinitionId": None,
    "log": {"state": "none", "bytes": 0},
    "version": 1,
}
_OBJECT = {"createdAt": "2026-05-01T09:30:00Z", "version": 1}

# The bodies of requests, by operation.
REQUESTS: Mapping[str, Any] = {
    "listMissingRuns": {"ids": [RUN_ID]},
    "createRun": {"name": "login", "labels": {"team": "shop"}, "timeoutSeconds": 900, **_SPEC},
    "createRuns": {
        "items": [
            {"name": "login", **_SPEC},
            {"definitionName": "checkout", "labels": {"browser": "firefox"}, "repeat": 3},
        ],
        "repeat": 1,
    },
    "rerun": {"env": {"LOG_LEVEL": "debug"}, "timeoutSeconds": 1800},
    "runDefinition": {"name": "login of 1.4.1", "image": "ghcr.io/example/shop-tests:1.4.1"},
    "claimRun": {"cluster": CLUSTER},
    "reportRun": {
        "status": "failed",
        "jobUid": RUN["jobUid"],
        "startedAt": RUN["startedAt"],
        "finishedAt": RUN["finishedAt"],
        "failure": _FAILURE,
        "log": RUN["log"],
    },
    "appendLog": "> shop-tests@1.4.0 test\n",
    "createDefinition": _DEFINITION,
    "replaceDefinition": _DEFINITION,
    "patchDefinition": {"env": {"SHOP_HOST": None, "REGION": "eu"}, "timeoutSeconds": 600},
    "createExecutor": _EXECUTOR,
    "replaceExecutor": _EXECUTOR,
    "patchExecutor": {"image": "node:24-alpine"},
    "createSuite": _SUITE,
    "replaceSuite": _SUITE,
    "patchSuite": {"stopOnFailure": False},
    "createSchedule": _SCHEDULE,
    "replaceSchedule": _SCHEDULE,
    "patchSchedule": {"enabled": False},
    "createToken": _TOKEN,
    "applyDocuments": {
        "documents": [
            {"kind": "Definition", **_DEFINITION},
            {"kind": "Suite", "name": "smoke", "definitions": ["login"]},
        ],
        "dryRun": True,
    },
}

# The main responses, by the name of their schema.
RESPONSES: Mapping[str, Any] = {
    "Run": RUN,
    "Definition": {
        "id": DEFINITION_ID,
        **_OBJECT,
        "executorId": EXECUTOR_ID,
        "command": [],
        **_WHOLE_SPEC,
        **_DEFINITION,
    },
    "Executor": {
        "id": EXECUTOR_ID,
        **_OBJECT,
        "command": [],
        "env": {},
        "template": {},
        "icon": "",
        **_EXECUTOR,
    },
    "Suite": {"id": SUITE_ID, **_OBJECT, **_SUITE},
    "SuiteRun": {
        "id": SUITE_RUN_ID,
        "suiteId": SUITE_ID,
        "suiteName": "smoke",
        "executionMode": "sequential",
        "stopOnFailure": True,
        "status": "failed",
        "counts": {"failed": 1},
        "createdAt": RUN["createdAt"],
        "startedAt": RUN["startedAt"],
        "finishedAt": RUN["finishedAt"],
        "runs": [RUN | {"suiteRunId": SUITE_RUN_ID}],
        "version": 3,
    },
    "Schedule": {
        "id": SCHEDULE_ID,
        **_OBJECT,
        "description": "",
        "enabled": True,
        "nextRunAt": "2026-05-04T00:30:00Z",
        "lastRunAt": "2026-05-01T00:30:00Z",
        "lastRunId": SUITE_RUN_ID,
        "missedRuns": 0,
        **_SCHEDULE,
    },
    "DueTimes": {"times": ["2026-05-04T00:30:00Z", "2026-05-05T00:30:00Z"]},
    # Without its secret, which only the answer to the creation has.
    "Token": {
        "id": "0f1e2d3c-4b5a-4697-8877-665544332277",
        "createdAt": "2026-05-01T09:30:00Z",
        **_TOKEN,
    },
    "BatchResult": {"status": 201, "run": _PENDING_RUN},
    "RunSummary": {
        "total": 3,
        "complete": True,
        "oldest": RUN["createdAt"],
        "status": {
            "pending": 0,
            "running": 1,
            "succeeded": 1,
            "failed": 1,
            "timed_out": 0,
            "cancelled": 0,
        },
        "origin": {"api": 2, "crd": 1},
        "class": {"test": 1, "infra": 0, "config": 0, "timeout": 0, "cancelled": 0},
        "namespace": {"tests": 3},
    },
    "AuditEntry": {
        "at": RUN["createdAt"],
        "actor": "ci",
        "method": "POST",
        "path": "/api/test-runs",
        "status": 201,
        "objectId": RUN_ID,
    },
    "Problem": {
        "type": "urn:sparktest:problem:invalid-input",
        "title": "Invalid input",
        "status": 422,
        "detail": "/timeoutSeconds: Not a valid integer.",
        "errors": [{"pointer": "/timeoutSeconds", "detail": "Not a valid integer."}],
    },
}

# The events of streams, by operation.
STREAMS: Mapping[str, str] = {
    "streamEvents": sse.event("deleted", f'{{"id":"{RUN_ID}"}}'.encode(), "4711").decode(),
    "getLog": sse.event("log", b'{"text":"PASS  login\\n"}', "1843").decode(),
}


def add(operation: dict[str, Any]) -> None:
    """Add the examples of an operation, which has its id, to its body and its responses."""
    name = operation["operationId"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = REQUESTS[name]
    for status, response in operation["responses"].items():
        if not str(status).startswith("2"):
            continue
        for mimetype, content in response.get("content", {}).items():
            if mimetype == sse.MIMETYPE:
                content["example"] = STREAMS[name]
            else:
                content |= _of_schema(content.get("schema", {}))


def _of_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the example of a response with this schema, or of a list of such documents."""
    item = schema.get("items", schema)
    name = item.get("$ref", "").rpartition("/")[2]
    if name not in RESPONSES:
        return {}
    if item is schema:
        return {"examples": {name: reference(name)}}
    return {"example": [RESPONSES[name]]}


def reference(name: str) -> dict[str, str]:
    """Return the reference to an example of RESPONSES in the document."""
    return {"$ref": f"#/components/examples/{name}"}

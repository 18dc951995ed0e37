"""Whether the API is there and works: a finding a question."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparktest.cli.exits import Exit, of_error, text_of
from sparktest.cli.findings import OK, PROBLEM, UNCHECKED, Finding
from sparktest.errors import SparkTestError, UnavailableError
from sparktest.times import format_age

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.domain import ControllerSeen

# As long as the API itself waits before it calls a controller silent.
SILENT_SECONDS = 15.0
START = "sparktest up, or set SPARKTEST_BACKEND_URL to the address of one that runs"


def api_findings(client: "ApiClient", *, cluster: str | None) -> Iterator[Finding]:
    """What the API says of itself and of its controllers; `cluster` is the uid of ours."""
    try:
        client.health()
    except SparkTestError as error:
        yield Finding("API", PROBLEM, text_of(error), START, of_error(error))
        for check in ("token", "database", "controller"):
            yield Finding(check, UNCHECKED, "the API does not answer")
        return
    yield Finding("API", OK, f"{client.url} is healthy")
    yield _token(client)
    yield _database(client)
    yield _controller(client, cluster)


def _token(client: "ApiClient") -> Finding:
    try:
        client.list_runs(limit=1)
    except SparkTestError as error:
        todo = "set SPARKTEST_TOKEN or SPARKTEST_TOKEN_FILE to the token of this API"
        return Finding("token", PROBLEM, text_of(error), todo, of_error(error))
    return Finding("token", OK, "the API lets us in")


def _database(client: "ApiClient") -> Finding:
    try:
        client.ready()
    except UnavailableError as error:
        return Finding("database", PROBLEM, text_of(error), "sparktest db upgrade")
    except SparkTestError as error:
        return Finding("database", UNCHECKED, text_of(error))
    return Finding("database", OK, "as new as the API")


def _controller(client: "ApiClient", cluster: str | None) -> Finding:
    try:
        seen = client.list_controllers()
    except SparkTestError as error:
        return Finding("controller", UNCHECKED, text_of(error))
    return controller_finding(seen, cluster, datetime.now(UTC))


def controller_finding(
    seen: Sequence["ControllerSeen"], cluster: str | None, now: datetime
) -> Finding:
    """What there is to say of the controllers that ever spoke, the one that spoke last first."""
    todo = "sparktest controller, or sparktest up"
    if not seen:
        return Finding("controller", PROBLEM, "none ever spoke to the API", todo)
    ours = next((each for each in seen if each.cluster == cluster), None)
    last = ours or seen[0]
    silent = (now - last.seen_at).total_seconds()
    whose = "this cluster" if ours else f"cluster {last.cluster}"
    text = f"that of {whose} spoke {format_age(silent)} ago"
    if silent > SILENT_SECONDS:
        return Finding("controller", PROBLEM, text, todo)
    if cluster and not ours:
        text += ", none of the cluster checked here"
    return Finding("controller", OK, text, code=Exit.PASSED)

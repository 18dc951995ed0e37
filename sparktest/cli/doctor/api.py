"""Checks of the API, its token, its database and its controllers."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sparktest.cli.context import token_error
from sparktest.cli.doctor.checks import OK, PROBLEM, UNCHECKED, Check
from sparktest.cli.exits import Exit, error_code, error_text
from sparktest.client import ApiClient
from sparktest.domain import ControllerSeen
from sparktest.errors import SparkTestError, UnauthorizedError, UnavailableError
from sparktest.responses import ForeignServerError
from sparktest.times import format_age, format_time

# As long as the API itself waits before it reports a controller as missing.
SILENT_SECONDS = 15.0
START = "run `sparktest up`, or set SPARKTEST_BACKEND_URL to the address of a running API"


def api_checks(client: ApiClient, *, cluster: str | None, token_source: str) -> Iterator[Check]:
    """Check the API and its controllers.

    Args:
        client: of the API.
        cluster: the uid of the configured cluster, None when it is not known.
        token_source: the source of the token in the settings.
    """
    try:
        client.health()
    except SparkTestError as error:
        yield Check("API", PROBLEM, error_text(error), START, error_code(error))
        for check in ("token", "database", "controller"):
            yield Check(check, UNCHECKED, "the API does not answer")
        return
    yield Check("API", OK, f"{client.url} is healthy")
    yield _token(client, token_source)
    yield _database(client)
    yield _controller(client, cluster)


def _token(client: ApiClient, source: str) -> Check:
    todo = "set SPARKTEST_TOKEN or SPARKTEST_TOKEN_FILE to the token of this API"
    try:
        own = client.tokens.own()
    except UnauthorizedError as error:
        return Check("token", PROBLEM, token_error(source), todo, error_code(error))
    except SparkTestError as error:
        return Check("token", PROBLEM, error_text(error), todo, error_code(error))
    scopes = ", ".join(own.scopes)
    until = f", until {format_time(own.expires_at)}" if own.expires_at else ""
    noun = "scope" if len(own.scopes) == 1 else "scopes"
    return Check("token", OK, f"accepted by the API as {own.name} with the {noun} {scopes}{until}")


def _database(client: ApiClient) -> Check:
    try:
        client.ready()
    except ForeignServerError as error:
        # A proxy may send only /api to the API.
        return Check("database", UNCHECKED, error_text(error))
    except UnavailableError as error:
        return Check("database", PROBLEM, error_text(error), "sparktest db upgrade")
    except SparkTestError as error:
        return Check("database", UNCHECKED, error_text(error))
    return Check("database", OK, "up to date")


def _controller(client: ApiClient, cluster: str | None) -> Check:
    try:
        seen = client.list_controllers()
    except SparkTestError as error:
        return Check("controller", UNCHECKED, error_text(error))
    return controller_check(seen, cluster, datetime.now(UTC))


def controller_check(seen: Sequence[ControllerSeen], cluster: str | None, now: datetime) -> Check:
    """Check the controllers that ever reported to the API; `seen` has the most recent one first."""
    todo = "sparktest controller, or sparktest up"
    if not seen:
        return Check("controller", PROBLEM, "no controller has ever reported to the API", todo)
    ours = next((each for each in seen if each.cluster == cluster), None)
    last = ours or seen[0]
    silent = now - last.seen_at
    whose = "this cluster" if ours else f"cluster {last.cluster}"
    text = f"the controller of {whose} last reported {format_age(silent)} ago"
    if silent.total_seconds() > SILENT_SECONDS:
        return Check("controller", PROBLEM, text, todo)
    if cluster and not ours:
        text += "; none for the cluster checked here"
    return Check("controller", OK, text, code=Exit.PASSED)

"""Secrets are found nowhere: logs, errors, answers, command lines, reprs, output of commands."""

import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
from sqlalchemy import make_url

from sparktest.api.authenticator import Authenticator, Caller
from sparktest.api.context import AppContext, utc_now
from sparktest.client import ApiClient
from sparktest.domain import Scope
from sparktest.domain_access import Token
from sparktest.settings import Settings
from tests.api import databases
from tests.api.credentials import bearer
from tests.api.requests import adhoc
from tests.requirements import require_postgres

TOKEN = "canary-token-0123456789"
PASSWORD = "canary-password"
VALUE = "canary-value"
TIMEOUT_SECONDS = 60


def environment(folder: Path, **variables: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "SPARKTEST_TOKEN": TOKEN,
        "SPARKTEST_LOG_LEVEL": "debug",
        "SPARKTEST_PORT": "0",
    } | variables


@contextmanager
def serving(environ: dict[str, str], log: Path):
    """Start the API with its output in the file; yield its URL."""
    command = [sys.executable, "-m", "sparktest", "api"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=out)
    try:
        assert process.stdout
        yield process.stdout.readline().decode().split()[-1]
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT_SECONDS)


def send_all_kinds(url: str) -> tuple[str, list[str]]:
    """Send good and bad requests; return a secret that the API made, and the answers."""
    session = requests.Session()
    session.headers.update(bearer(TOKEN))
    made = session.post(f"{url}/api/tokens", json={"name": "ci", "scopes": ["read"]}).json()
    run = adhoc(env={"KEY": VALUE})
    assert session.post(f"{url}/api/test-runs", json=run).status_code == 201
    cut = f'{{"env": {{"KEY": "{VALUE}"'
    as_json = {"Content-Type": "application/json"}
    own = bearer(made["token"])
    answers = [
        session.post(f"{url}/api/test-runs", json=run | {"timeoutSeconds": "soon"}),
        session.post(f"{url}/api/test-runs", json=run | {"image": 5, "template": {"spec": VALUE}}),
        session.post(f"{url}/api/test-runs", data=cut, headers=as_json),
        session.post(f"{url}/api/tokens", json={"name": "ci", "scopes": ["read"]}),
        *(session.get(f"{url}/api/{path}") for path in ("tokens", "tokens/self", "audit")),
        *(session.get(f"{url}/api/{path}") for path in ("openapi.json", "k8s/health", "k8s/jobs")),
        *(session.get(f"{url}/{path}") for path in ("metrics", "nowhere", "readyz")),
        session.get(f"{url}/api/tokens/self", headers=own),
        session.post(f"{url}/api/test-runs", headers=own),
        session.get(f"{url}/api/test-runs", headers=bearer(TOKEN + "x")),
        session.get(f"{url}/api/test-runs", headers={"Authorization": f"Basic {TOKEN}"}),
    ]
    return made["token"].rpartition("_")[2], [
        answer.text + str(answer.headers) for answer in answers
    ]


def command_lines() -> str:
    """Return the command lines of all processes."""
    lines = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines += path.read_bytes()
    return lines.decode(errors="replace")


def output_of(*args: str, environ: dict[str, str]) -> str:
    """Return the output of a command, stdout and stderr."""
    command = [sys.executable, "-m", "sparktest", *args]
    done = subprocess.run(command, env=environ, capture_output=True, timeout=TIMEOUT_SECONDS)
    assert done.stdout + done.stderr
    return (done.stdout + done.stderr).decode()


def test_no_secret_leaves_the_programs(tmp_path):
    # Any password is accepted where the server trusts its clients.
    url = make_url(require_postgres()).set(password=PASSWORD)
    with databases.empty("postgresql", tmp_path) as empty:
        query = make_url(empty).query
        database = url.update_query_dict(query).render_as_string(hide_password=False)
        environ = environment(tmp_path, SPARKTEST_DATABASE_URL=database)
        with serving(environ, tmp_path / "api.log") as address:
            secret, places = send_all_kinds(address)
            places.append(command_lines())
            clients = environ | {"SPARKTEST_BACKEND_URL": address}
            wrong = clients | {"SPARKTEST_TOKEN": f"{TOKEN}-wrong"}
            places += [
                output_of("config", environ=clients),
                output_of("doctor", environ=clients),
                output_of("doctor", environ=wrong),
                output_of("runs", environ=wrong),
                output_of("token", "list", environ=clients),
                output_of("db", "current", environ=clients),
                # The port is taken.
                output_of("api", environ=clients | {"SPARKTEST_PORT": address.rpartition(":")[2]}),
            ]
    places.append((tmp_path / "api.log").read_text())
    assert "request refused actor=ci" in places[-1]
    for canary in (TOKEN, PASSWORD, VALUE, secret):
        for place in places:
            assert canary not in place


def test_no_secret_is_in_a_repr(store):
    database = f"postgresql://u:{PASSWORD}@h/d"
    settings = Settings(token=TOKEN, database_url=database)
    ctx = AppContext(settings, store, utc_now)
    values = [
        settings,
        ctx,
        ctx.authenticator,
        Authenticator(store, utc_now),
        Caller("id", "ci", frozenset({Scope.READ})),
        Token(id="id", name="ci", scopes=(), created_at=utc_now(), token=TOKEN),
        ApiClient("http://127.0.0.1:1/api", TOKEN),
    ]
    for value in values:
        for canary in (TOKEN, PASSWORD):
            assert canary not in repr(value) + str(value), type(value)

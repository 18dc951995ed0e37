"""Requests generated from the OpenAPI document: `python -m bench.schema [EXAMPLES]`.

Run schemathesis (extra `bench`) with all of its checks against the API on SQLite, and on PostgreSQL
where SPARKTEST_TEST_POSTGRES_URL names a server. EXAMPLES for each operation, by default 500. The
routes of the cluster need one, in KUBECONFIG. Exit with 1 if a check fails.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.api import databases

CONFIG = Path(__file__).with_name("schemathesis.toml")
# It sends more wrong tokens than an address may, and takes 429 for a token that was not checked.
API = """
from sparktest.api import context
context.WRONG_TOKENS_PER_MINUTE = 1_000_000
from sparktest.cli import main
main()
"""


def main() -> int:
    """Run schemathesis on each engine and return the exit code."""
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    if program is None:
        raise SystemExit("schemathesis is missing: pip install 'sparktest[bench]'")
    examples = sys.argv[1] if len(sys.argv) > 1 else "500"
    engines = databases.ENGINES if os.environ.get("SPARKTEST_TEST_POSTGRES_URL") else ("sqlite",)
    failed = []
    for engine in engines:
        print(f"{engine}: {examples} examples for each operation")
        with tempfile.TemporaryDirectory() as folder, api(engine, Path(folder)) as (url, token):
            command = [program, "--config-file", str(CONFIG), "run", f"{url}/api/openapi.json"]
            command += ["--url", url, "--header", f"Authorization: Bearer {token}"]
            command += ["--max-examples", examples, "--phases", "examples,coverage,fuzzing"]
            if subprocess.run(command, cwd=folder, check=False).returncode:
                failed.append(engine)
    return 1 if failed else 0


@contextmanager
def api(engine: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the URL of an API over an empty database, and its token."""
    token = secrets.token_hex(16)
    with databases.empty(engine, folder) as database_url:
        settings = {"SPARKTEST_TOKEN": token, "SPARKTEST_DATABASE_URL": database_url}
        command = [sys.executable, "-c", API, "api", "--port", "0"]
        with subprocess.Popen(
            command,
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            text=True,
            stderr=(folder / "api.log").open("w"),
        ) as process:
            assert process.stdout
            yield process.stdout.readline().split()[-1], token
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())

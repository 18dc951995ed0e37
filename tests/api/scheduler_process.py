"""A process with a scheduler, for tests: `python -m tests.api.scheduler_process DATABASE_URL`.

It reads times from stdin, one a line, starts what is due at each, and writes the time back.
"""

import sys
from datetime import UTC, datetime

from sparktest.api import create_app
from sparktest.api.scheduler import Scheduler
from sparktest.settings import Settings


def main(database_url: str) -> None:
    now = datetime.now(UTC)
    app = create_app(Settings(database_url=database_url, namespace="tests"), clock=lambda: now)
    scheduler = Scheduler(app.extensions["sparktest"])
    print("ready", flush=True)
    for line in sys.stdin:
        now = datetime.fromisoformat(line.strip())
        scheduler.start_due()
        print(line.strip(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

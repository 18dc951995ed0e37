"""The command audit."""

import json

from sparktest.cli.exits import Exit
from sparktest.client import ApiClient
from tests.cli.conftest import Cli

RUN = {"name": "login", "image": "busybox:1.35", "commands": ["true"]}


def test_it_lists_who_wrote_what(cli: Cli, api: ApiClient) -> None:
    run = api.create_run(RUN)
    api.cancel_run(run.id)

    lines = cli("audit").out.splitlines()

    assert lines[0].split() == ["AGE", "ACTOR", "METHOD", "PATH", "STATUS", "OBJECT"]
    assert [line.split()[1:3] for line in lines[1:]] == [["bootstrap", "POST"]] * 2
    assert all(line.split()[-1] == run.id for line in lines[1:])
    documents = json.loads(cli("audit", "-o", "json", "--limit", "1").out)
    assert [entry["path"] for entry in documents] == [f"/api/test-runs/{run.id}/cancel"]


def test_it_can_be_filtered(cli: Cli, api: ApiClient) -> None:
    first, second = api.create_run(RUN), api.create_run(RUN)

    def objects(*filters: str) -> list[str]:
        return [entry["objectId"] for entry in json.loads(cli("audit", "-ojson", *filters).out)]

    assert objects("--actor", "bootstrap", "--since", "1h") == [second.id, first.id]
    assert objects("--object", first.id) == [first.id]
    assert objects("--actor", "nobody") == objects("--until", "1h") == []
    assert cli("audit", "--object", "x").code == Exit.USAGE
    assert cli("audit", "--since", "soon").code == Exit.USAGE

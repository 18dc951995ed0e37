from sparktest.client import ApiClient
from tests.cli.conftest import Cli


def test_an_executor_is_created_from_options_and_used_by_name(cli: Cli, api: ApiClient) -> None:
    result = cli(
        *("executors", "create", "--name", "k6", "--image", "grafana/k6", "-e", "A=b"),
        *("--default-command", "k6 run x.js", "--file-type", "js", "--description", "load"),
    )

    assert (result.code, result.err) == (0, "")
    made = api.executors.get(result.out.strip())
    assert (made.image, made.default_command, made.env) == ("grafana/k6", "k6 run x.js", {"A": "b"})
    assert (made.supported_file_types, made.description) == (("js",), "load")

    used = cli("definitions", "create", "--name", "load", "--executor", "k6").out.strip()
    assert api.definitions.get(used).executor_id == made.id
    assert "definitions refer to it" in cli("executors", "delete", "k6").err


def test_without_an_image_nothing_is_sent(cli: Cli, api: ApiClient) -> None:
    result = cli("executors", "create", "--name", "k6")

    assert result.code == 2
    assert "--image" in result.err


def test_executors_are_listed_changed_and_deleted(cli: Cli, api: ApiClient) -> None:
    api.executors.create({"name": "k6", "image": "grafana/k6", "command": ["k6", "run"]})

    assert cli("executors", "update", "k6", "--image", "grafana/k6:1").code == 0
    _, line = cli("executors", "list", "-o", "wide").out.splitlines()
    assert line.split()[1:3] == ["k6", "grafana/k6:1"]
    assert "k6 run" in line
    assert cli("executors", "delete", "k6").code == 0
    assert api.executors.list() == ()

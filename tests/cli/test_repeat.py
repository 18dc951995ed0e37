from sparktest.client import ApiClient
from tests.cli.conftest import Cli


def test_a_definition_is_started_several_times(cli: Cli, api: ApiClient) -> None:
    api.definitions.create({"name": "smoke", "image": "busybox"})

    result = cli("run", "smoke", "--repeat", "3", "-e", "A=b")

    assert (result.code, result.err) == (0, "")
    runs = [api.get_run(line) for line in result.out.splitlines()]
    assert len({run.id for run in runs}) == 3
    assert {(run.definition_name, run.env["A"]) for run in runs} == {("smoke", "b")}
    assert [run.repeat_of for run in runs] == [None, runs[0].id, runs[0].id]


def test_every_document_of_a_file_is_repeated(cli: Cli, api: ApiClient) -> None:
    pods = "\n---\n".join(
        f"{{kind: Pod, apiVersion: v1, metadata: {{name: {name}}},"
        " spec: {containers: [{name: test, image: busybox}]}}"
        for name in ("a", "b")
    )

    assert cli("run", "-f", "-", "--repeat", "2", stdin=pods).code == 0

    assert [run.name for run in api.list_runs().runs[::-1]] == ["a", "a", "b", "b"]


def test_all_or_none_of_them_are_started(cli: Cli, api: ApiClient) -> None:
    result = cli("run", "--image", "x" * 1025, "--repeat", "2")

    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("sparktest: image: ")
    assert api.list_runs().runs == ()


def test_their_number_is_limited(cli: Cli) -> None:
    assert "at most 500" in cli("run", "--image", "x", "--repeat", "501").err
    assert "at least 1" in cli("run", "--image", "x", "--repeat", "0").err

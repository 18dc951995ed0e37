import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sparktest.devcluster.app import DevCluster
from sparktest.kube.resources import EVENTS
from tests.cli.conftest import Result
from tests.cli.plugin.conftest import Sandbox

Plugin = Callable[..., Result]
RUN_ID = "0f0e0d0c-0000-4000-8000-000000000017"


def test_list_prints_a_table(sandbox: Sandbox, plugin: Plugin) -> None:
    sandbox.apply("one", definitionName="checkout")
    sandbox.apply("two")
    failure = {"class": "test", "reason": "Error", "message": "exit code 7", "exitCode": 7}
    sandbox.set_status(
        "two",
        phase="Failed",
        startedAt="2026-01-02T03:04:05Z",
        duration="3s",
        runId=RUN_ID,
        failure=failure,
    )

    result = plugin("list")

    assert (result.code, result.err) == (0, "")
    title, *lines = (line.split() for line in result.out.splitlines())
    assert title == ["NAME", "PHASE", "DEFINITION", "REASON", "DURATION", "AGE"]
    assert sorted(line[:5] for line in lines) == [
        ["one", "Pending", "checkout", "-", "-"],
        ["two", "Failed", "busybox", "Error", "3s"],
    ]
    assert plugin("list", "two", "-o", "wide").out.split()[-4:] == ["test", "7", RUN_ID, "-"]
    assert plugin("list", "two", "-o", "name").out == "testrun.sparktest.dev/two\n"


def test_json_and_yaml_are_the_objects_of_the_cluster(sandbox: Sandbox, plugin: Plugin) -> None:
    sandbox.apply("one")

    listed = json.loads(plugin("list", "-o", "json").out)

    assert listed["kind"] == "List"
    assert [each["metadata"]["name"] for each in listed["items"]] == ["one"]
    assert yaml.safe_load(plugin("list", "one", "-o", "yaml").out) == listed["items"][0]


def test_another_namespace_context_or_kubeconfig_is_chosen_as_with_kubectl(
    sandbox: Sandbox, plugin: Plugin, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.apply("here")

    elsewhere = plugin("list", "-n", "nowhere")
    by_file = plugin("list", "--kubeconfig", str(kubeconfig), "-o", "name")
    every = plugin("list", "-A", "--kubeconfig", str(kubeconfig))
    unknown = plugin("list", "--context", "nope")

    assert (elsewhere.code, elsewhere.out) == (0, "")
    assert elsewhere.err == "sparktest: no TestRuns in namespace nowhere\n"
    assert by_file.out == ""
    assert sandbox.namespace in every.out
    assert unknown.code == 3
    assert "choose one with --context" in unknown.err
    # The settings of SparkTest are ignored.
    monkeypatch.setenv("SPARKTEST_KUBECONFIG", "/nope")
    assert plugin("list", "-o", "name").out == "testrun.sparktest.dev/here\n"


def test_an_unknown_name_is_a_usage_error(sandbox: Sandbox, plugin: Plugin) -> None:
    assert plugin("list", "nope").code == 2
    assert plugin("describe", "nope").code == 2
    assert plugin("list", "nope", "-A").code == 2


def test_describe_prints_fields_events_and_commands(sandbox: Sandbox, plugin: Plugin) -> None:
    testrun = sandbox.apply("mine", image="busybox", commands=["a", "b"], env={"TOKEN": "hidden"})
    failure = {"class": "test", "reason": "Error", "exitCode": 3}
    condition = {
        "type": "Finished",
        "status": "True",
        "reason": "Failed",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
    sandbox.set_status(
        "mine", phase="Failed", runId=RUN_ID, failure=failure, conditions=[condition]
    )
    reference = {
        "kind": "TestRun",
        "name": "mine",
        "namespace": sandbox.namespace,
        "uid": testrun["metadata"]["uid"],
    }
    sandbox.cluster.create(
        EVENTS,
        sandbox.namespace,
        {
            "metadata": {"generateName": "mine-"},
            "involvedObject": reference,
            "type": "Warning",
            "reason": "Broken",
            "message": "it \x1b[2Jis",
            "lastTimestamp": "2026-01-02T03:04:05Z",
        },
    )

    result = plugin("describe", "mine")

    assert (result.code, result.err) == (0, "")
    for line in (
        "Status failed",
        "Env TOKEN",
        f"Source TestRun {sandbox.namespace}/mine",
        "Why test, Error: exit code 3",
        "Finished True Failed",
        f"Stored log sparktest logs {RUN_ID}",
    ):
        assert line in [" ".join(line.split()) for line in result.out.splitlines()]
    assert "Warning Broken: it is" in result.out
    for unexpected in ("hidden", "Timeout", "not created yet"):
        assert unexpected not in result.out


def test_commands_to_paste_name_the_cluster_that_was_chosen(
    sandbox: Sandbox, plugin: Plugin
) -> None:
    sandbox.apply("mine")
    context = ["--context", "sparktest-devcluster"]

    result = plugin("describe", "mine", *context)

    chosen = f"mine -n {sandbox.namespace} {' '.join(context)}"
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert f"Log kubectl sparktest logs -f {chosen}" in lines
    assert f"Cancel kubectl sparktest cancel {chosen}" in lines
    assert f"Delete kubectl delete testruns.sparktest.dev {chosen}" in lines


def test_escape_sequences_in_an_object_are_removed(sandbox: Sandbox, plugin: Plugin) -> None:
    sandbox.apply("mine", image="busybox", commands=["echo \x1b]0;pwned\x07"])
    sandbox.set_status("mine", phase="Pending", reason="\x1b[31mRed", message="\u202egnol")

    for args in (["list"], ["list", "-o", "yaml"], ["describe", "mine"], ["list", "-o", "json"]):
        out = plugin(*args).out
        assert "\x1b" not in out
        assert "\\u001b" not in out
        assert "\u202e" not in out
    refused = plugin("list", "\x1b[31m\u202ex")
    assert (refused.code, refused.out) == (2, "")
    assert not {"\x1b", "\u202e"} & set(refused.err)


def test_a_cluster_without_the_crd_names_the_command_that_installs_it(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DevCluster.start(tmp_path / "bare") as bare:
        monkeypatch.setenv("KUBECONFIG", str(bare.kubeconfig))
        for args in (["list"], ["run", "--image", "i"], ["wait", "x"]):
            result = plugin(*args)

            assert (result.code, result.out) == (3, "")
            assert result.err.count("\n") == 1
            assert "sparktest crd | kubectl apply -f -" in result.err
        named = plugin("list", "--kubeconfig", str(bare.kubeconfig))
        assert f"sparktest crd | kubectl --kubeconfig {bare.kubeconfig} apply -f -" in named.err


def test_an_unreachable_cluster_exits_with_6(
    sandbox: Sandbox, plugin: Plugin, tmp_path: Path
) -> None:
    document = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    away = tmp_path / "away"
    away.write_text(yaml.safe_dump(document))

    result = plugin("list", "--kubeconfig", str(away))

    assert result.code == 6
    assert result.err.count("\n") == 1

"""A git repository of a run: what is refused, and what the pod gets."""

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.errors import InvalidError
from sparktest.kube.git import FOLDER, add_clone, git_errors, read_commit
from sparktest.kube.git_script import REF, SCRIPT, URL
from sparktest.kube.jobs import build_job
from sparktest.kube.pod_view import parse_pod
from sparktest.kube.script import escape_dollars
from sparktest.kube.views import parse_job
from sparktest.kube.wait_policy import pod_wait
from tests.kube.objects import a_job, a_pod, a_run, at, exited, running, waiting
from tests.kube.test_template_checks import TEMPLATES

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SAFE = [
    {"name": "GIT_CONFIG_KEY_0", "value": "safe.directory"},
    {"name": "GIT_CONFIG_VALUE_0", "value": FOLDER},
    {"name": "GIT_CONFIG_COUNT", "value": "1"},
]


def a_container(**fields: Any) -> dict[str, Any]:
    return {"name": "test", "image": "i", **fields}


def cloned(*containers: dict[str, Any], git: dict[str, str] | None = None, **pod: Any) -> Any:
    repository = {"url": "https://example.com/x.git"} | (git or {})
    given = list(containers or [a_container()])
    return add_clone({"containers": given, **pod}, repository, test=given[0], image="git:1")


def env_of(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/x.git",
        "http://10.0.0.1:8000/x",
        "ssh://git@example.com:2222/x.git",
        "ssh://git@[::1]:22/x.git",
        "git@github.com:team/x.git",
        "git://example.com/x",
        "file:///srv/x.git",
        "https://example.com/~me/a%20b@c",
    ],
)
def test_a_url_of_a_repository_is_accepted(url: str) -> None:
    assert git_errors({"url": url}) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-x",
        "--upload-pack=touch /tmp/x",
        "ext::sh -c id",
        "ssh://-oProxyCommand=id/x",
        "-oProxyCommand=id@host:x",
        "git@-oProxyCommand=id:x",
        "git@host:-x",
        "https://a b",
        "https://a\nhttps://b",
        "/srv/x.git",
        "file://host/x",
        "example.com/x",
    ],
)
def test_anything_else_is_refused_with_what_is_accepted(url: str) -> None:
    (error,) = git_errors({"url": url})
    assert error["pointer"] == "/url"
    assert "https://" in error["detail"]


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter2@example.com/x.git",
        "https://hunter2@example.com/x.git",
        "http://:hunter2@example.com/x.git",
        "ssh://git:hunter2@example.com/x.git",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    (error,) = git_errors({"url": url})
    assert "secretName" in error["detail"]
    with pytest.raises(InvalidError) as caught:
        cloned(git={"url": url})
    assert "hunter2" not in caught.value.detail


@pytest.mark.parametrize(
    ("ref", "accepted"),
    [
        ("main", True),
        ("v1.2+build", True),
        ("feature/ünï", True),
        ("refs/pull/12/head", True),
        (COMMIT, True),
        ("-x", False),
        ("+main", False),
        ("a:b", False),
        ("a..b", False),
        ("main~1", False),
        ("HEAD^{}", False),
        ("main@{1}", False),
        ("a b", False),
        ("refs/heads/*", False),
    ],
)
def test_a_ref_is_a_name_or_a_commit(ref: str, accepted: bool) -> None:
    errors = git_errors({"url": "https://example.com/x", "ref": ref})
    assert [error["pointer"] for error in errors] == ([] if accepted else ["/ref"])


@pytest.mark.parametrize(
    ("path", "accepted"),
    [
        ("sub", True),
        ("a b/c..d/", True),
        ("./sub", True),
        ("/etc", False),
        ("..", False),
        ("a/../../b", False),
        ("a/..", False),
    ],
)
def test_a_path_stays_inside_the_repository(path: str, accepted: bool) -> None:
    errors = git_errors({"url": "https://example.com/x", "path": path})
    assert [error["pointer"] for error in errors] == ([] if accepted else ["/path"])


# --- the pod --------------------------------------------------------------------------------------


def test_the_clone_is_the_first_init_container_and_the_working_directory() -> None:
    fixtures = {"name": "fixtures", "image": "f"}
    data = {"name": "data", "emptyDir": {}}
    pod = cloned(a_container(), git={"ref": "v1"}, initContainers=[fixtures], volumes=[data])

    init, other = pod["initContainers"]
    (test,) = pod["containers"]
    assert (init["name"], init["image"], other["name"]) == ("sparktest-git", "git:1", "fixtures")
    assert env_of(init)[URL] == "https://example.com/x.git"
    assert env_of(init)[REF] == "v1"
    assert test["workingDir"] == FOLDER
    assert "workingDir" not in other
    assert pod["volumes"] == [data, {"name": "sparktest-git", "emptyDir": {}}]
    for container in (test, other):
        assert container["volumeMounts"] == [{"name": "sparktest-git", "mountPath": FOLDER}]
        assert container["env"] == SAFE


def test_git_takes_the_default_branch_asks_nothing_and_runs_no_program_of_a_url() -> None:
    env = env_of(cloned()["initContainers"][0])
    assert (env[REF], env["GIT_TERMINAL_PROMPT"]) == ("HEAD", "0")
    assert set(env["GIT_ALLOW_PROTOCOL"].split(":")) == {"https", "http", "ssh", "git", "file"}


@pytest.mark.parametrize(("path", "place"), [("sub/", "/sub"), ("./a b", "/a b"), (".", "")])
def test_a_path_is_the_working_directory(path: str, place: str) -> None:
    assert cloned(git={"path": path})["containers"][0]["workingDir"] == FOLDER + place


def test_a_working_directory_of_its_own_stays() -> None:
    pod = cloned(a_container(workingDir="/work"), {"name": "db", "image": "d"})
    assert [each.get("workingDir") for each in pod["containers"]] == ["/work", None]


def test_a_container_that_mounts_something_there_keeps_it() -> None:
    mount = {"name": "mine", "mountPath": FOLDER}
    pod = cloned(a_container(volumeMounts=[mount]))
    assert pod["containers"][0]["volumeMounts"] == [mount]


def test_settings_of_git_in_the_environment_stay() -> None:
    given = [
        # Of two variables with the same name, Kubernetes uses the later one.
        {"name": "GIT_CONFIG_COUNT", "value": "7"},
        {"name": "GIT_CONFIG_COUNT", "value": "1"},
        {"name": "GIT_CONFIG_KEY_0", "value": "user.name"},
        {"name": "GIT_CONFIG_VALUE_0", "value": "me"},
    ]
    env = env_of(cloned(a_container(env=given))["containers"][0])
    assert (env["GIT_CONFIG_COUNT"], env["GIT_CONFIG_KEY_0"]) == ("2", "user.name")
    assert (env["GIT_CONFIG_KEY_1"], env["GIT_CONFIG_VALUE_1"]) == ("safe.directory", FOLDER)


@pytest.mark.parametrize("count", [{"value": "x"}, {"valueFrom": {"fieldRef": {}}}])
def test_a_count_that_is_not_known_stays(count: dict[str, Any]) -> None:
    env = [{"name": "GIT_CONFIG_COUNT", **count}]
    assert cloned(a_container(env=env))["containers"][0]["env"] == env


def test_it_runs_as_the_user_of_the_test_and_has_its_resources() -> None:
    security = {"runAsUser": 7, "runAsNonRoot": True, "privileged": True}
    quantities = {"limits": {"memory": "1Gi"}, "requests": {"cpu": "1"}}
    resources = {**quantities, "claims": [{"name": "gpu"}]}
    pod = cloned(a_container(securityContext=security, resources=resources))
    init = pod["initContainers"][0]
    assert init["securityContext"] == {
        "runAsUser": 7,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert init["resources"] == quantities


def test_a_secret_is_mounted_only_where_the_repository_is_cloned() -> None:
    pod = cloned(git={"secretName": "creds"})
    mounting = [
        container["name"]
        for kind in ("initContainers", "containers")
        for container in pod[kind]
        if any(mount["name"].endswith("credentials") for mount in container["volumeMounts"])
    ]
    assert mounting == ["sparktest-git"]
    assert pod["volumes"][1]["secret"] == {"secretName": "creds", "optional": True}


@given(
    url=st.text(alphabet="$()aB'\"`;&|\\", max_size=20).map("https://a/{}".format),
    ref=st.text(alphabet="$()aB'\"`;&|", min_size=1, max_size=20),
)
def test_no_value_becomes_text_of_the_script_or_a_reference(url: str, ref: str) -> None:
    init = cloned(git={"url": url, "ref": ref})["initContainers"][0]
    shell, option, script = init["command"]
    assert (shell, option) == ("sh", "-c")
    assert script == escape_dollars(SCRIPT)
    assert env_of(init)[URL].replace("$$", "$") == url
    for value in env_of(init).values():
        assert not re.search(r"\$\(", value.replace("$$", ""))


@given(template=TEMPLATES)
def test_no_template_breaks_it(template: dict[str, Any]) -> None:
    # The controller would try to create the Job for ever.
    with suppress(InvalidError):
        build_job(a_run(template=template, git={"url": "https://example.com/x.git"}))


def test_two_containers_with_the_name_of_the_test_are_left_to_kubernetes() -> None:
    pod = cloned(a_container(), a_container())
    assert [each.get("workingDir") for each in pod["containers"]] == [FOLDER, None]


def test_the_pod_that_was_given_is_not_changed() -> None:
    container = a_container(env=[{"name": "A", "value": "a"}], volumeMounts=[])
    cloned(container)
    assert container == a_container(env=[{"name": "A", "value": "a"}], volumeMounts=[])


@pytest.mark.parametrize(("name", "named"), [("sparktest-git", True), ("fixtures", False)])
def test_the_setting_is_named_if_the_image_cannot_be_pulled(name: str, named: bool) -> None:
    init = {"name": name, "state": waiting("ImagePullBackOff", "no such host")}
    pod = parse_pod(a_pod(waiting("PodInitializing"), initContainerStatuses=[init]))
    limits: dict[str, Any] = {"since": at(0), "image_pull_timeout_seconds": 90, "events": ()}
    wait = pod_wait(a_run(), parse_job(a_job()), pod, at(5), **limits)
    assert wait is not None
    assert f"init container {name}: no such host" in wait.message
    assert ("SPARKTEST_GIT_IMAGE" in wait.message) is named


# --- the commit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "commit"),
    [
        (exited(0, message=COMMIT), COMMIT),
        (exited(0, message=COMMIT + COMMIT[:24]), COMMIT + COMMIT[:24]),
        (exited(0, message=f"{COMMIT}\n"), None),
        (exited(0, message="<script>"), None),
        (exited(1, message=COMMIT), None),
        (exited(0), None),
        (running(), None),
    ],
)
def test_the_commit_is_the_message_of_a_clone_that_ended_well(
    state: dict[str, Any], commit: str | None
) -> None:
    statuses = [
        {"name": "other", "state": exited(0, message="f" * 40)},
        {"name": "sparktest-git", "state": state},
    ]
    assert read_commit(a_pod(initContainerStatuses=statuses)) == commit

"""Tests whose code comes from a git repository."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from sparktest.domain import FailureClass, Status
from sparktest.errors import InvalidError
from sparktest.kube.resources import Resource
from tests.e2e.images import NODES, require_git_image
from tests.e2e.stack import IMAGE, Stack
from tests.repositories import PASSWORD, USER, Repository, make_repository, serve

pytestmark = pytest.mark.e2e
SAY = ["cat say.txt", "echo more >>say.txt"]
SECRETS = Resource("", "v1", "secrets", "Secret")
AS_USER = {"spec": {"securityContext": {"runAsUser": 1234, "runAsGroup": 1234}}}


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return make_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="session")
def host(stack: Stack) -> str:
    """Return an address of this machine that pods reach."""
    if not stack.target.real:
        return "127.0.0.1"
    require_git_image(stack.cluster)
    (node,) = stack.cluster.list(NODES).items
    addresses = {each["type"]: each["address"] for each in node["status"]["addresses"]}
    return str(addresses["InternalIP"])


@pytest.fixture(scope="session")
def url(repository: Repository, host: str) -> Iterator[str]:
    with serve(repository.folder, host) as served:
        yield served


@pytest.fixture(scope="session")
def private(repository: Repository, host: str, stack: Stack) -> Iterator[str]:
    keys = {"username": USER, "password": PASSWORD}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in keys.items()}
    secret = {"metadata": {"name": "reader"}, "type": "kubernetes.io/basic-auth", "data": data}
    stack.cluster.create(SECRETS, stack.namespace, secret)
    with serve(repository.folder, host, password=True) as served:
        yield served


@pytest.fixture(scope="session", autouse=True)
def testruns(stack: Stack, repository: Repository, url: str, private: str) -> None:
    """Start all runs of this module before the first test waits for one."""

    def apply(name: str, url: str, commands: list[str] = SAY, **git: str) -> None:
        spec: dict[str, Any] = {"git": {"url": url, **git}, "commands": commands}
        stack.apply(name, **spec, template=AS_USER if name == "git-user" else {"spec": {}})

    apply("git-default", url)
    apply("git-user", url, ["cat say.txt", "rm say.txt && echo new >say.txt", "cat say.txt"])
    apply("git-feature", url, ref="feature")
    apply("git-v1", url, ref="v1")
    apply("git-commit", url, ref=repository.commits["v1"])
    apply("git-path", url, path="sub")
    apply("git-private", private, secretName="reader")
    apply("git-locked", private)
    apply("git-no-secret", private, secretName="nosuch")
    apply("git-no-ref", url, ref="nosuch$(HOME)")


@pytest.mark.parametrize(
    ("name", "said", "commit"),
    [
        ("git-default", "main", "main"),
        ("git-user", "main\nnew", "main"),
        ("git-feature", "feature", "feature"),
        ("git-v1", "v1", "v1"),
        ("git-commit", "v1", "v1"),
        ("git-path", "sub", "main"),
        ("git-private", "main", "main"),
    ],
)
def test_a_test_starts_in_its_repository_and_the_commit_is_kept(
    stack: Stack, repository: Repository, name: str, said: str, commit: str
) -> None:
    testrun = stack.wait_until_finished(name)

    run = stack.run_of(name)
    assert run.status is Status.SUCCEEDED, testrun["status"]
    assert stack.log_of(run) == f"{said}\n"
    assert run.git_commit == repository.commits[commit]
    assert run.containers == ("test", "sparktest-git")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("git-no-ref", "fatal: couldn't find remote ref nosuch$(HOME)"),
        ("git-locked", "fatal: could not read Username for 'http://"),
        ("git-no-secret", "fatal: Secret nosuch does not exist"),
    ],
)
def test_a_repository_that_cannot_be_cloned_is_a_config_failure_in_gits_words(
    stack: Stack, name: str, words: str
) -> None:
    stack.wait_until_finished(name)

    run = stack.run_of(name)
    assert run.status is Status.FAILED
    assert run.failure is not None
    assert (run.failure.class_, run.failure.container) == (FailureClass.CONFIG, "sparktest-git")
    assert words in run.failure.message
    assert run.git_commit is None


def test_a_password_in_a_url_is_refused(stack: Stack) -> None:
    git = {"url": "https://me:hunter2@example.com/x.git"}
    try:
        stack.apply("git-url", git=git, commands=SAY)
    except InvalidError as error:
        message = error.detail
    else:  # before Kubernetes 1.25
        message = stack.wait_until_finished("git-url")["status"]["failure"]["message"]

    assert "name it in secretName" in message
    assert "hunter2" not in message


def test_a_definition_can_have_a_repository(stack: Stack, repository: Repository, url: str) -> None:
    name = f"git-{stack.namespace}"
    stack.client.definitions.create(
        {"name": name, "image": IMAGE, "git": {"url": url, "path": "sub"}, "commands": SAY}
    )

    run = stack.wait_until_final(stack.client.create_run({"definitionName": name}).id)

    assert run.status is Status.SUCCEEDED, run.failure
    assert stack.log_of(run) == "sub\n"
    assert run.git_commit == repository.commits["main"]


def test_a_password_is_nowhere_in_the_cluster_but_in_its_secret(stack: Stack) -> None:
    stack.wait_until_finished("git-private")

    shown = stack.kubectl("get", "jobs,pods,testruns,events", "-o", "json")
    assert PASSWORD not in shown
    assert "git-private" in shown

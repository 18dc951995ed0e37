"""The script that clones a repository, run by the shells and the git of this machine."""

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest.kube.git_script import PATH
from tests.kube.cloner import Cloner
from tests.kube.test_script import SHELLS
from tests.repositories import Repository, serve

NOT_THERE = "0123456789012345678901234567890123456789"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("ref", ["main", "feature", "v1", "refs/heads/feature"])
def test_a_branch_or_tag_is_checked_out_and_reported(
    repository: Repository, clone: Cloner, shell: str, ref: str
) -> None:
    made = clone(repository.url, ref, shell=shell)

    name = ref.rpartition("/")[2]
    assert (made.code, made.message, made.said) == (0, repository.commits[name], name), made.output


@pytest.fixture(params=["git", "files"])
def served(request: pytest.FixtureRequest, repository: Repository) -> Iterator[str]:
    with serve(repository.folder, smart=request.param == "git") as url:
        yield url


@pytest.mark.parametrize("length", [40, 7])
@pytest.mark.parametrize("name", ["v1", "feature"])
def test_a_commit_is_found_by_its_id_or_the_beginning_of_it(
    repository: Repository, clone: Cloner, served: str, name: str, length: int
) -> None:
    made = clone(served, repository.commits[name][:length])

    assert (made.message, made.said) == (repository.commits[name], name), made.output


def test_without_a_ref_it_is_the_default_branch(clone: Cloner, served: str) -> None:
    assert clone(served).said == "main"


def test_a_second_start_ends_like_the_first(repository: Repository, clone: Cloner) -> None:
    made = clone(repository.url, "feature")
    (made.folder / ".git" / "shallow.lock").touch()

    again = clone(repository.url, "feature")

    assert (again.code, again.message, again.said) == (0, made.message, "feature"), again.output


def test_every_user_can_write_every_folder(repository: Repository, clone: Cloner) -> None:
    tree = clone(repository.url).folder

    folders = [path for path in tree.rglob("*") if path.is_dir()]
    assert tree / ".git" in folders
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o007 == 0o007 for path in folders)
    assert stat.S_IMODE((tree / "say.txt").stat().st_mode) == 0o666


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("nosuch", "fatal: couldn't find remote ref nosuch"),
        (NOT_THERE, f"fatal: {NOT_THERE} is no branch, no tag and no commit of "),
        ("$(touch /tmp/x)", "fatal: invalid refspec '$(touch /tmp/x)'"),
    ],
)
def test_a_missing_ref_is_named(
    repository: Repository, clone: Cloner, ref: str, words: str
) -> None:
    made = clone(repository.url, ref)

    assert made.code != 0
    assert made.message.startswith(words)
    assert "\n" not in made.message
    assert made.output.rstrip().endswith(made.message)


def test_a_missing_repository_is_named(clone: Cloner, served: str) -> None:
    url = served.replace("tests.git", "nosuch.git")

    assert clone(url).message == f"fatal: repository '{url}/' not found"


def test_a_missing_folder_is_named(repository: Repository, clone: Cloner) -> None:
    assert clone(repository.url, **{PATH: "sub"}).code == 0
    made = clone(repository.url, **{PATH: "no/such"})
    assert made.message.startswith("fatal: there is no folder no/such in file://")
    assert made.code != 0


@pytest.mark.parametrize("url", ["ext::sh -c id", "--upload-pack=id"])
def test_no_program_is_run_by_a_url(clone: Cloner, url: str) -> None:
    made = clone(url)

    assert made.code != 0
    assert "uid=" not in made.output


def test_a_machine_without_git_is_named(clone: Cloner, tmp_path: Path) -> None:
    made = clone("https://example.com/x.git", PATH=str(tmp_path))

    assert (made.code, made.message) == (
        1,
        "fatal: there is no git in the image (on the dev cluster: on this machine)",
    )


def test_a_server_that_is_busy_is_asked_again(repository: Repository, clone: Cloner) -> None:
    with serve(repository.folder, busy=1) as url:
        assert clone(url).said == "main"


def test_a_server_that_is_not_there_is_named_in_the_end(clone: Cloner) -> None:
    made = clone("http://127.0.0.1:1/x.git")

    assert made.code != 0
    assert made.message.startswith("fatal: unable to access 'http://127.0.0.1:1/x.git/': ")


# Those that are `sh` in an image with git.
@pytest.mark.parametrize("shell", ["busybox sh", "dash", "bash"])
def test_a_clone_that_hangs_can_be_stopped(clone: Cloner, shell: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.git"
        with clone.start(url, "main", shell=shell) as process:
            connection, _ = server.accept()
            with connection:
                process.terminate()
                process.wait(timeout=60)

    assert process.returncode == 143
    clone.left(process.returncode, "")

"""The script that clones a repository, run by the shells and the git of this machine."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sparktest.kube.git_script import CREDENTIALS, FOLDER, PATH, REF, SCRIPT, SECRET, URL
from tests.kube.test_script import SHELLS
from tests.repositories import PASSWORD, USER, Repository, make_repository, serve
from tests.requirements import require_program

NOT_THERE = "0123456789012345678901234567890123456789"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return make_repository(tmp_path_factory.mktemp("repository"))


class Clone(NamedTuple):
    """What is left of a clone."""

    code: int
    output: str
    message: str
    folder: Path

    @property
    def said(self) -> str:
        return (self.folder / "say.txt").read_text().strip()


class Cloner:
    """Runs the script in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.credentials = folder / "its credentials"

    def __call__(self, url: str, ref: str = "HEAD", *, shell: str = "dash", **env: str) -> Clone:
        with self.start(url, ref, shell=shell, **env) as process:
            output, _ = process.communicate(timeout=60)
        return self.left(process.returncode, output)

    def left(self, code: int, output: str) -> Clone:
        assert not list((self.folder / "t m p").iterdir()), "its own files are removed"
        return Clone(code, output, (self.folder / "report").read_text(), self.folder / "a tree")

    def start(self, url: str, ref: str, *, shell: str, **env: str) -> subprocess.Popen[str]:
        tree, report = self.folder / "a tree", self.folder / "report"
        for folder in (tree, self.credentials, self.folder / "t m p"):
            folder.mkdir(exist_ok=True)
        report.write_text("")
        name, *options = SHELLS[shell]
        variables = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self.folder / "t m p"),
            "SPARKTEST_TERMINATION_LOG": str(report),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
            URL: url,
            REF: ref,
            PATH: "",
            FOLDER: str(tree),
            SECRET: "",
            CREDENTIALS: str(self.credentials),
        }
        return subprocess.Popen(
            [require_program(name), *options, "-c", SCRIPT],
            env=variables | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def keys(self, **keys: str) -> None:
        self.credentials.mkdir()
        for name, value in keys.items():
            (self.credentials / name).write_text(value)


@pytest.fixture
def clone(tmp_path: Path) -> Cloner:
    return Cloner(tmp_path)


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
                process.wait(timeout=5)

    assert process.returncode == 143
    clone.left(process.returncode, "")


# --- credentials ----------------------------------------------------------------------------------


@pytest.fixture
def private(repository: Repository) -> Iterator[str]:
    with serve(repository.folder, password=True) as url:
        yield url


@pytest.mark.parametrize("shell", SHELLS)
def test_a_secret_opens_a_private_repository_and_is_shown_nowhere(
    private: str, clone: Cloner, shell: str
) -> None:
    clone.keys(username=USER, password=PASSWORD)

    made = clone(private, shell=shell, **{SECRET: "creds"})

    assert made.code == 0, made.output
    texts = [path.read_bytes() for path in made.folder.rglob("*") if path.is_file()]
    texts += [made.output.encode(), made.message.encode()]
    assert not any(PASSWORD.encode() in text for text in texts)


def test_a_wrong_password_is_refused_without_a_question(private: str, clone: Cloner) -> None:
    clone.keys(username=USER, password="wrong")

    made = clone(private, **{SECRET: "creds"})

    assert made.code != 0
    assert made.message.startswith(f"fatal: Authentication failed for '{private}")
    assert "wrong" not in made.output


def test_a_private_repository_without_a_secret_tells_the_way_out(
    private: str, clone: Cloner
) -> None:
    made = clone(private)

    assert made.code != 0
    assert "could not read Username" in made.message
    assert "git.secretName" in made.message


def test_a_missing_secret_is_named(private: str, clone: Cloner) -> None:
    made = clone(private, **{SECRET: "creds"})

    assert made.code != 0
    assert made.message.startswith("fatal: Secret creds does not exist")


def test_another_server_does_not_get_the_password(
    repository: Repository, private: str, clone: Cloner
) -> None:
    clone.keys(username=USER, password=PASSWORD)
    with serve(repository.folder, password=True) as other:
        rewrite = {"GIT_CONFIG_PARAMETERS": f"'url.{other}.insteadOf={private}'"}

        made = clone(private, **{SECRET: "creds"}, **rewrite)

    assert made.code != 0
    assert "could not read Username" in made.message
    assert "git.secretName" not in made.message


# --- ssh ------------------------------------------------------------------------------------------

# Instead of ssh: shows its arguments and the files they name, then runs the command here.
SSH = f"""#!{sys.executable}
import os, pathlib, sys
args = sys.argv[1:]
key = pathlib.Path(args[args.index("-i") + 1])
print("key:", oct(key.stat().st_mode)[-3:], key.read_text().strip(), file=sys.stderr)
(option,) = (each for each in args if each.startswith("UserKnownHostsFile="))
hosts = pathlib.Path(option.partition("=")[2].strip('"'))
print("hosts:", hosts.read_text().strip(), *args, file=sys.stderr)
if "REFUSE" in os.environ:
    sys.exit(os.environ["REFUSE"] + "\\r")
os.execvp("sh", ["sh", "-c", args[-1]])
"""


@pytest.fixture
def ssh(tmp_path: Path) -> dict[str, str]:
    """Return the variables with which the program above is ssh."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(SSH)
    (folder / "ssh").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize("hosts", ["example.com ssh-ed25519 AAAA", ""])
def test_a_key_opens_a_repository_over_ssh(
    repository: Repository, clone: Cloner, ssh: dict[str, str], hosts: str
) -> None:
    keys = {"ssh-privatekey": "a secret key"} | ({"known_hosts": hosts} if hosts else {})
    clone.keys(**keys)

    made = clone(f"ssh://git@example.com{repository.folder}/tests.git", **{SECRET: "key"}, **ssh)

    assert (made.code, made.said) == (0, "main"), made.output


@pytest.mark.parametrize(("hosts", "check"), [("example.com ssh-ed25519 AAAA", "yes"), ("", "no")])
def test_ssh_asks_nothing_and_checks_the_host_if_it_is_known(
    clone: Cloner, ssh: dict[str, str], hosts: str, check: str
) -> None:
    keys = {"ssh-privatekey": "a secret key"} | ({"known_hosts": hosts} if hosts else {})
    clone.keys(**keys)

    made = clone("git@example.com:x.git", **{SECRET: "key", "REFUSE": "not you"}, **ssh)

    assert made.code != 0
    assert "key: 600 a secret key" in made.message
    assert f"hosts: {hosts}".rstrip() in made.message
    assert f"StrictHostKeyChecking={check}" in made.message
    assert "BatchMode=yes" in made.message
    assert made.message.endswith("not you fatal: Could not read from remote repository.")

"""Private repositories: the script that clones uses a Secret, and shows it nowhere."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest.kube.git_script import SECRET
from tests.kube.cloner import Cloner
from tests.kube.test_script import SHELLS
from tests.repositories import PASSWORD, USER, Repository, serve


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

"""The git repository of a run: check it, clone it into the pod, read the commit. Pure."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sparktest.errors import FieldError, InvalidError
from sparktest.kube import git_script
from sparktest.kube.fields import Object, items, mapping, text
from sparktest.kube.pod_template import RESERVED_PREFIX
from sparktest.kube.script import escape_dollars

CONTAINER = f"{RESERVED_PREFIX}git"
VOLUME = f"{RESERVED_PREFIX}git"
CREDENTIALS_VOLUME = f"{RESERVED_PREFIX}git-credentials"
# Where the repository is in the containers.
FOLDER = "/sparktest/git"
CREDENTIALS_FOLDER = "/sparktest/git-credentials"

# Never `ext::…`, which runs a program, nor anything that looks like an option.
URL = re.compile(
    r"(https?|ssh|git)://[^\s/-]\S*"
    r"|file:///\S*"
    r"|[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s-]\S*"
)
PASSWORD = re.compile(r"https?://[^/]*@|(ssh|git)://[^/@]*:[^/]*@")
# No option, no refspec, no expression such as `main~1`: a server knows only names and commits.
REF = re.compile(r"[^\s^~:?*\[\\+-][^\s^~:?*\[\\]*")
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
# Of the test container's security context: a policy of the namespace may require them.
SECURITY = (
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "seLinuxOptions",
    "seccompProfile",
    "appArmorProfile",
)


def git_errors(git: Mapping[str, str]) -> list[FieldError]:
    """Return why a repository cannot be cloned; the pointers are relative to `git`."""
    return list(_errors(git))


def _errors(git: Mapping[str, str]) -> Iterator[FieldError]:
    url, ref, path = (git.get(name, "") for name in ("url", "ref", "path"))
    if PASSWORD.match(url):
        detail = (
            "must not contain a user or a password: put them into a Secret with the keys username "
            "and password, and name it in secretName"
        )
        yield {"pointer": "/url", "detail": detail}
    elif not URL.fullmatch(url):
        detail = (
            "must begin with https://, http://, ssh://, git:// or file:///, or be user@host:path"
        )
        yield {"pointer": "/url", "detail": detail}
    if ref and (not REF.fullmatch(ref) or ".." in ref or "@{" in ref):
        yield {"pointer": "/ref", "detail": "must be the name of a branch or tag, or a commit"}
    if path.startswith("/") or ".." in path.split("/"):
        yield {"pointer": "/path", "detail": "must be a folder inside the repository"}


def add_clone(pod: Object, git: Mapping[str, str], *, test: Object, image: str) -> Object:
    """Return the spec of a pod whose first init container clones the repository.

    The clone is mounted in every container that mounts nothing at its place, and it is the working
    directory of the test container unless that has one.

    Args:
        pod: the spec of the pod.
        git: the repository; see `domain.RunSpec`.
        test: the test container, one of the pod's.
        image: the image of the init container, with git, ssh and a shell.

    Raises:
        InvalidError: the repository cannot be cloned.
    """
    errors = git_errors(git)
    if errors:
        raise InvalidError("; ".join(f"git{each['pointer']}: {each['detail']}" for each in errors))
    changed = dict(pod)
    for kind in ("initContainers", "containers"):
        if kind in pod:
            changed[kind] = [
                _with_clone(each, git, is_test=each is test) for each in items(pod, kind)
            ]
    return changed | {
        "initContainers": [_init_container(git, test, image), *changed.get("initContainers", ())],
        "volumes": [*pod.get("volumes", ()), *_volumes(git)],
    }


def read_commit(pod: Object) -> str | None:
    """Return the commit that was checked out in a pod; None if there is none, or not yet."""
    for status in items(mapping(pod, "status"), "initContainerStatuses"):
        ended = mapping(mapping(status, "state"), "terminated")
        message = text(ended, "message")
        if status.get("name") == CONTAINER and ended.get("exitCode") == 0:
            return message if COMMIT.fullmatch(message) else None
    return None


def _volumes(git: Mapping[str, str]) -> Iterator[Object]:
    yield {"name": VOLUME, "emptyDir": {}}
    if secret := git.get("secretName"):
        # Optional: without it, the script says what is missing; the kubelet would wait for ever.
        source = {"secretName": secret, "optional": True}
        yield {"name": CREDENTIALS_VOLUME, "secret": source}


def _init_container(git: Mapping[str, str], test: Object, image: str) -> Object:
    secret = git.get("secretName", "")
    variables = {
        git_script.URL: git["url"],
        git_script.REF: git.get("ref") or "HEAD",
        git_script.PATH: git.get("path", ""),
        git_script.FOLDER: FOLDER,
        git_script.SECRET: secret,
        git_script.CREDENTIALS: CREDENTIALS_FOLDER,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
    }
    mounts: list[Object] = [{"name": VOLUME, "mountPath": FOLDER}]
    if secret:
        mounts.append(
            {"name": CREDENTIALS_VOLUME, "mountPath": CREDENTIALS_FOLDER, "readOnly": True}
        )
    given = mapping(test, "securityContext")
    resources = mapping(test, "resources")
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": image,
        "command": ["sh", "-c", escape_dollars(git_script.SCRIPT)],
        "env": [
            {"name": name, "value": escape_dollars(value)} for name, value in variables.items()
        ],
        "volumeMounts": mounts,
        "securityContext": {
            "capabilities": {"drop": ["ALL"]},
            **{name: given[name] for name in SECURITY if name in given},
        },
    }
    # A quota may require them; they add nothing to what the pod needs.
    limits = {name: resources[name] for name in ("requests", "limits") if name in resources}
    return container | ({"resources": limits} if limits else {})


def _with_clone(container: Object, git: Mapping[str, str], *, is_test: bool) -> Object:
    changed = dict(container)
    if all(each.get("mountPath") != FOLDER for each in items(container, "volumeMounts")):
        mount = {"name": VOLUME, "mountPath": FOLDER}
        changed["volumeMounts"] = [*container.get("volumeMounts", ()), mount]
        changed["env"] = _with_safe_directory(container)
    if is_test and not container.get("workingDir"):
        changed["workingDir"] = posixpath.normpath(posixpath.join(FOLDER, git.get("path", "")))
    return changed


def _with_safe_directory(container: Object) -> list[Any]:
    """Return the variables with one more setting of git: the tree may belong to another user."""
    env: list[Any] = container.get("env", [])
    counts = [each for each in items(container, "env") if each.get("name") == "GIT_CONFIG_COUNT"]
    count = counts[-1] if counts else {"value": "0"}
    if not re.fullmatch(r"[0-9]{1,4}", text(count, "value")):
        # Not known here, or invalid: git says so.
        return env
    number = int(count["value"])
    return [
        *(each for each in env if each not in counts),
        {"name": f"GIT_CONFIG_KEY_{number}", "value": "safe.directory"},
        {"name": f"GIT_CONFIG_VALUE_{number}", "value": FOLDER},
        {"name": "GIT_CONFIG_COUNT", "value": str(number + 1)},
    ]

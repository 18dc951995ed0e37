"""The folder of a dev cluster: who runs on it, and forgetting what is kept there."""

import fcntl
import os
import shutil
from pathlib import Path

from sparktest.devcluster.entries import Entry
from sparktest.devcluster.kinds import ACCOUNTS, NAMESPACES, SYSTEM
from sparktest.devcluster.store import Store
from sparktest.errors import ConflictError, InvalidError, UnavailableError


def make(folder: Path) -> None:
    """Make the folder if it is not there, and keep others from it.

    Raises:
        InvalidError: it cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise InvalidError(
            f"{folder} cannot hold a dev cluster: {error.strerror}; name a folder of your own"
        ) from error


def kubeconfig_in(folder: Path) -> Path:
    """The file that leads to the dev cluster, whether or not it is there yet."""
    return folder / "kubeconfig"


def state_in(folder: Path) -> Path:
    """The file that holds its objects."""
    return folder / "state.db"


def pods_in(folder: Path) -> Path:
    """Where the homes and logs of its pods are."""
    return folder / "pods"


def lock(folder: Path) -> int:
    """A descriptor that keeps other dev clusters from the folder until it is closed.

    Raises:
        ConflictError: another one runs there.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConflictError(
            f"{folder}: another dev cluster runs on this folder; stop it or name another"
        ) from error
    return descriptor


def running(folder: Path) -> bool:
    """Whether a dev cluster runs on the folder now."""
    if not (folder / "lock").exists():
        return False
    try:
        os.close(lock(folder))
    except ConflictError:
        return True
    return False


def forget(folder: Path) -> None:
    """Forget every object and every log.

    Address, credentials and uid stay: whoever knows the dev cluster finds the same one, empty.

    Raises:
        ConflictError: it runs.
    """
    if not folder.exists():
        return
    held = lock(folder)
    try:
        if state_in(folder).exists():
            _clear(state_in(folder))
        shutil.rmtree(pods_in(folder), ignore_errors=True)
    finally:
        os.close(held)


def _clear(path: Path) -> None:
    try:
        store = Store(path)
    except UnavailableError:
        # Nothing in it can be read, so nothing can be kept.
        path.unlink()
        return
    store.clear(_is_of_the_system)
    store.close()


def _is_of_the_system(entry: Entry) -> bool:
    """Whether it is the namespace whose uid is the cluster's, or its ServiceAccount."""
    if entry.kind == ACCOUNTS.key:
        return entry.namespace == SYSTEM
    return entry.kind == NAMESPACES.key and entry.name == SYSTEM

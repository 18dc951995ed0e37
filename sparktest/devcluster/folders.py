"""The folder of a dev cluster: create, lock and reset it."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparktest.devcluster.kinds import ACCOUNTS, NAMESPACES, SYSTEM
from sparktest.devcluster.store import Store
from sparktest.devcluster.stored_objects import StoredObject
from sparktest.errors import ConflictError, InvalidError, UnavailableError

KUBECONFIG = "kubeconfig"
# All objects, in SQLite.
DATABASE = "state.db"
# The home folders and logs of pods.
PODS = "pods"


def create_folder(folder: Path) -> None:
    """Create the folder if it does not exist, accessible by its owner only.

    Raises:
        InvalidError: the folder cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise InvalidError(
            f"{folder} cannot hold a dev cluster: {error.strerror}; choose a folder of your own"
        ) from error


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Lock the folder while the context is open.

    Raises:
        ConflictError: another dev cluster runs on the folder.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConflictError(
            f"{folder}: another dev cluster runs on this folder; stop it or name another folder"
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)


def is_running(folder: Path) -> bool:
    """Return True when a dev cluster runs on the folder."""
    if not (folder / "lock").exists():
        return False
    try:
        with lock(folder):
            return False
    except ConflictError:
        return True


def reset(folder: Path) -> None:
    """Delete all objects and logs; keep address, credentials and the cluster's uid.

    Raises:
        ConflictError: a dev cluster runs on the folder.
    """
    if not folder.exists():
        return
    with lock(folder):
        if (folder / DATABASE).exists():
            _clear(folder / DATABASE)
        shutil.rmtree(folder / PODS, ignore_errors=True)


def _clear(path: Path) -> None:
    try:
        store = Store(path)
    except UnavailableError:
        # Nothing in an unreadable database can be kept.
        path.unlink()
        return
    store.clear(_is_identity)
    store.close()


def _is_identity(stored: StoredObject) -> bool:
    """Return True for kube-system, whose uid identifies the cluster, and its ServiceAccount."""
    if stored.kind == ACCOUNTS.key:
        return stored.namespace == SYSTEM
    return stored.kind == NAMESPACES.key and stored.name == SYSTEM

"""The folder of a dev cluster: its files, its lock, and the reset of its contents."""

import fcntl
import os
import shutil
from pathlib import Path

from sparktest.devcluster.kinds import ACCOUNTS, NAMESPACES, SYSTEM
from sparktest.devcluster.store import Store
from sparktest.devcluster.stored_objects import StoredObject
from sparktest.errors import ConflictError, InvalidError, UnavailableError


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


def kubeconfig_path(folder: Path) -> Path:
    """Return the path of the kubeconfig, which may not exist yet."""
    return folder / "kubeconfig"


def database_path(folder: Path) -> Path:
    """Return the path of the database with all objects."""
    return folder / "state.db"


def pods_path(folder: Path) -> Path:
    """Return the folder with the home folders and logs of pods."""
    return folder / "pods"


def lock(folder: Path) -> int:
    """Lock the folder until the returned file descriptor is closed.

    Raises:
        ConflictError: another dev cluster runs on the folder.
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


def is_running(folder: Path) -> bool:
    """Return True when a dev cluster runs on the folder."""
    if not (folder / "lock").exists():
        return False
    try:
        os.close(lock(folder))
    except ConflictError:
        return True
    return False


def reset(folder: Path) -> None:
    """Delete all objects and logs; keep address, credentials and the cluster's uid.

    Raises:
        ConflictError: a dev cluster runs on the folder.
    """
    if not folder.exists():
        return
    descriptor = lock(folder)
    try:
        if database_path(folder).exists():
            _clear(database_path(folder))
        shutil.rmtree(pods_path(folder), ignore_errors=True)
    finally:
        os.close(descriptor)


def _clear(path: Path) -> None:
    try:
        store = Store(path)
    except UnavailableError:
        # It is unreadable, so there is nothing to keep.
        path.unlink()
        return
    store.clear(_is_identity)
    store.close()


def _is_identity(entry: StoredObject) -> bool:
    """Return True for kube-system, whose uid is the cluster's, and its ServiceAccount."""
    if entry.kind == ACCOUNTS.key:
        return entry.namespace == SYSTEM
    return entry.kind == NAMESPACES.key and entry.name == SYSTEM

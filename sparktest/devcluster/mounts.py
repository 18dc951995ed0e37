"""Mount volumes where a container expects them, in a namespace of its process. Linux only.

The shim calls this before it starts the process; as a program, it tries whether that is possible.
Standard library only. Nothing outside the namespace changes: a folder in which a mount point is
missing is covered with one that has the same entries and the mount point.
"""

import ctypes
import os
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000  # unshare(2)
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC = 1, 1 << 5, 1 << 12, 1 << 13, 1 << 14  # mount(2)
MS_UNBINDABLE, MS_PRIVATE = 1 << 17, 1 << 18
# The flags nosuid, nodev and noexec, which a user may not remove.
LOCKED = 0b1110


@cache
def can_mount(folder: Path) -> bool:
    """Return True if processes can mount something on this folder."""
    command = [sys.executable, "-I", "-S", __file__, str(folder)]
    done = subprocess.run(command, check=False, stderr=subprocess.DEVNULL)  # noqa: S603 (this file)
    return done.returncode == 0


def mount_all(mounts: list[dict[str, Any]], stage: str) -> None:
    """Move this process to a new namespace, and mount folders and files in it.

    Args:
        mounts: `source`, `target` and `read_only` of each; outer targets come first.
        stage: an empty folder.

    Raises:
        OSError: the namespace or a mount is not possible.
    """
    _enter()
    # A mount may hide the path of the next source.
    sources = [os.open(each["source"], os.O_PATH) for each in mounts]
    targets = [Path(os.path.realpath(each["target"])) for each in mounts]
    covered: set[Path] = set()
    for target in targets:
        base = next(path for path in (target, *target.parents) if path.exists())
        # Inside another volume, a mount point is created in that.
        if base != target and base not in covered and not set(target.parents) & set(targets):
            _cover(base, Path(stage))
            covered.add(base)
    for source, target in zip(sources, targets, strict=True):
        path = f"/proc/self/fd/{source}"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.mkdir() if Path(path).is_dir() else target.touch()
        _mount(path, target, MS_BIND | MS_REC)
    for each, target in zip(mounts, targets, strict=True):
        if each["read_only"]:
            locked = os.statvfs(target).f_flag & LOCKED
            _mount("", target, MS_REMOUNT | MS_BIND | MS_RDONLY | locked)


def _enter() -> None:
    """Move this process to a new mount namespace; only root needs no user namespace for it."""
    uid, gid = os.getuid(), os.getgid()
    _check(LIBC.unshare(CLONE_NEWNS | (CLONE_NEWUSER if uid else 0)), "namespace")
    if uid:  # the ids stay the same
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")
    _mount("", Path("/"), MS_REC | MS_PRIVATE)


def _cover(base: Path, stage: Path) -> None:
    """Cover a folder with a new one that has the same entries."""
    _mount("tmpfs", stage, 0, b"tmpfs")
    _mount("", stage, MS_UNBINDABLE)  # if it is below `base`
    stage.chmod(base.stat().st_mode & 0o7777)
    for entry in base.iterdir():
        copy = stage / entry.name
        with suppress(FileNotFoundError):
            if entry.is_symlink():
                copy.symlink_to(entry.readlink())
                continue
            copy.mkdir() if entry.is_dir() else copy.touch()
            _mount(str(entry), copy, MS_BIND | MS_REC)
    os.chdir(stage)
    _mount(".", base, MS_MOVE)
    if base == Path("/"):
        os.chroot(".")


def _mount(source: str, target: Path, flags: int, kind: bytes | None = None) -> None:
    done = LIBC.mount(source.encode(), os.fsencode(target), kind, ctypes.c_ulong(flags), None)
    _check(done, str(target))


def _check(result: int, what: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)


LIBC = ctypes.CDLL(None, use_errno=True)
if __name__ == "__main__":
    _enter()
    _mount("tmpfs", Path(sys.argv[1]), 0, b"tmpfs")

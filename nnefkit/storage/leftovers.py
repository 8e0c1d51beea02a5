"""Temporary files and folders next to their target, and those that a killed process left behind.

A process holds a lock on what it is writing. The lock ends with the process, however that ends, so
any process that obtains it may remove the leftover.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import time
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:
    # Windows
    fcntl = None

MARK = ".nnefkit-"
OLD = f"{MARK}old-"
"""The mark of a folder that is being replaced: where two renames are needed, it can be put back."""
TRACE = f"trace{MARK}"
_DAY = 86_400.0
_LONGEST = 60

_scanned: dict[str, int] = {}
"""The modification time of each folder without leftovers, after this process last wrote to it."""


def temporary_sibling(target: Path, mark: str = MARK) -> Path:
    """Return a new path next to `target` for a temporary file or folder."""
    # Shorten the name, since a long one may leave no room for a suffix.
    return target.with_name(f".{target.name[:_LONGEST]}{mark}{secrets.token_hex(6)}")


def is_temporary(path: str) -> bool:
    """Return whether a path is that of a temporary file or folder."""
    return MARK in path


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Return what identifies the file or folder at `path`; None if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - called for each model that is loaded
    except (OSError, ValueError, TypeError):
        return None
    return status.st_dev, status.st_ino


def is_being_saved(target: str | os.PathLike[str]) -> bool:
    """Return whether nothing is at `target` yet, but a process is saving to it."""
    path = Path(target)
    prefix = f".{path.name[:_LONGEST]}{MARK}"
    try:
        if path.exists():
            return False
        with os.scandir(path.parent) as entries:
            return any(entry.name.startswith(prefix) for entry in entries)
    except (OSError, ValueError):
        return False


def claimed(new_path: Callable[[], Path], create: Callable[[Path], object]) -> tuple[Path, int]:
    """Create a temporary file or folder, and lock it.

    Args:
        new_path: Returns a path that is not used yet.
        create: Creates the file or folder at a path.

    Returns:
        The path, and a descriptor that holds the lock until it is closed; -1 without locks.
    """
    while True:
        path = new_path()
        create(path)
        try:
            descriptor = _locked(path, wait=True)
        except OSError:
            return path, -1
        # Another process may have taken it for a leftover before it was locked.
        with contextlib.suppress(OSError):
            if descriptor < 0 or os.path.samestat(os.fstat(descriptor), path.lstat()):
                return path, descriptor
        os.close(descriptor)


def released(descriptor: int) -> None:
    """Close the descriptor of a lock."""
    if descriptor >= 0:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove the leftovers of killed processes; files that are still being written remain."""
    with contextlib.suppress(OSError):
        if _scanned.get(str(folder)) == folder.stat().st_mtime_ns:
            return
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _is_leftover(entry.name, folder)]
        for name in names:
            _remove(folder / name)
        written_to(folder)


def written_to(folder: Path) -> None:
    """Note that this process wrote to a folder, in which it has removed leftovers."""
    with contextlib.suppress(OSError):
        if len(_scanned) > 1000:
            _scanned.clear()
        _scanned[str(folder)] = folder.stat().st_mtime_ns


def put_back(target: Path) -> None:
    """Put the old folder back, if a killed process left it renamed and nothing in its place."""
    if os.path.lexists(target):
        return
    prefix = f".{target.name[:_LONGEST]}{OLD}"
    with contextlib.suppress(OSError):
        with os.scandir(target.parent) as entries:
            old = [entry.path for entry in entries if entry.name.startswith(prefix)]
        if old:
            Path(max(old, key=os.path.getmtime)).rename(target)


def _is_leftover(name: str, folder: Path) -> bool:
    if name.startswith(TRACE):
        return True
    if not name.startswith(".") or MARK not in name:
        return False
    target, is_old, _ = name[1:].partition(OLD)
    # The only copy of a model is not a leftover.
    return not is_old or (len(target) < _LONGEST and os.path.lexists(folder / target))


def _remove(path: Path) -> None:
    try:
        descriptor = _locked(path, wait=False)
    except BlockingIOError:
        return
    except OSError:
        descriptor = -1
    try:
        if descriptor < 0 and time() - path.lstat().st_mtime < _DAY:
            return
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    except OSError:
        return
    finally:
        released(descriptor)


class TemporaryFolder:
    """A new folder for the files of one trace, which this process holds until it is discarded.

    What killed processes left in the same place is removed.

    Args:
        parent: The folder to create it in.

    Raises:
        OSError: It cannot be created.
    """

    def __init__(self, parent: Path) -> None:
        remove_leftovers(parent)
        name = partial(_trace_path, parent)
        self.path, self._lock = claimed(name, partial(Path.mkdir, mode=0o700))
        self._process = os.getpid()
        written_to(parent)

    def discard(self) -> None:
        """Delete the folder; a forked process leaves it to its parent."""
        if self._process == os.getpid():
            shutil.rmtree(self.path, ignore_errors=True)
            released(self._lock)
            self._lock = -1


def _trace_path(parent: Path) -> Path:
    return parent / f"{TRACE}{secrets.token_hex(6)}"


def _locked(path: Path, *, wait: bool) -> int:
    """Open and lock a file or folder.

    Raises:
        BlockingIOError: Another process holds the lock.
        OSError: The system or the file system has no such locks, or there is no such file.
    """
    if fcntl is None:
        raise OSError("file locks are not supported")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor

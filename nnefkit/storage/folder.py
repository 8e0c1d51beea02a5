"""A folder as the container of a model: files are mapped, links are followed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nnefkit.errors import StorageError
from nnefkit.storage.blob import Blob, blob_of, open_regular
from nnefkit.storage.mapped_file import State, state_of
from nnefkit.storage.system_errors import unreadable

_OPEN_FILES = 200
"""Maximum number of files that are open at once; some systems allow 256 for a process."""
_BY_DESCRIPTOR = {os.open, os.stat} <= os.supports_dir_fd and os.scandir in os.supports_fd


class Folder:
    """The files in a folder and in its sub-folders.

    The folder is opened once: a replacement while it is read is detected, not mixed with it.

    Args:
        path: The path of the folder.
        copy: Whether files are read, instead of mapped.
        at_once: Whether all files are opened now and stay open, so that a program that replaces the
            folder all the time cannot delete them before they are read.

    Raises:
        StorageError: It cannot be opened.
    """

    def __init__(self, path: Path, *, copy: bool = False, at_once: bool = False) -> None:
        self.path = path
        self._copy = copy
        self._opened: dict[str, int] = {}
        self._is_whole = False
        self._prefix = os.path.join(path, "")  # noqa: PTH118 - the fast path needs a string
        self._descriptor: int | None = None
        self._read: dict[str, State] = {}
        self._identity = (0, 0)
        try:
            if _BY_DESCRIPTOR:
                # A folder that may be entered, but not listed, can be read by names.
                flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
                self._descriptor = os.open(self._prefix, flags)
                self._identity = _identity(os.fstat(self._descriptor))
            else:
                self._identity = _identity(os.stat(self._prefix))  # noqa: PTH116
        except OSError as error:
            raise unreadable(error, path, "the folder") from error
        if at_once:
            self._open_files()

    def _open_files(self) -> None:
        for name in self._names[:_OPEN_FILES]:
            with contextlib.suppress(StorageError):
                self._opened[name] = self._open(name)
        self._is_whole = not self._is_replaced()

    def close(self) -> None:
        """Close the folder; files from it stay valid."""
        while self._opened:
            os.close(self._opened.popitem()[1])
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def place(self) -> str:
        """The name that messages use."""
        return str(self.path)

    def is_changed(self) -> bool:
        """Return whether the folder was replaced, or a file that was read was written to."""
        try:
            if not self._is_whole and self._is_replaced():
                return True
            return any(state_of(self._stat(name)) != state for name, state in self._read.items())
        except OSError:
            return True

    def _is_replaced(self) -> bool:
        try:
            return _identity(os.stat(self._prefix)) != self._identity  # noqa: PTH116
        except OSError:
            return True

    def names(self) -> Iterable[str]:
        """Return the names of the files, with ``/`` between folders, in a stable order."""
        return self._names

    @cached_property
    def _names(self) -> list[str]:
        return list(_walk(self._prefix, self._descriptor))

    def _open(self, name: str) -> int:
        path = self._prefix + name
        if self._descriptor is None:
            return open_regular(path)
        return open_regular(path, self._descriptor, name)

    def _stat(self, name: str) -> os.stat_result:
        if name in self._opened:
            return os.fstat(self._opened[name])
        if self._descriptor is None:
            return os.stat(self._prefix + name)  # noqa: PTH116
        return os.stat(name, dir_fd=self._descriptor)

    def _lstat(self, name: str) -> os.stat_result:
        if self._descriptor is None:
            return os.lstat(self._prefix + name)
        return os.lstat(name, dir_fd=self._descriptor)

    def get(self, name: str) -> Blob | None:
        """Return the bytes of a file, mapped into memory, or None if there is no such file.

        Raises:
            StorageError: It cannot be read.
        """
        path = self._prefix + name
        if name in self._opened:
            return self._blob(name, self._opened[name])
        try:
            self._lstat(name)
        except PermissionError as error:
            # The file may or may not exist.
            raise unreadable(error, path) from error
        except (OSError, ValueError):
            return None
        descriptor = self._open(name)
        try:
            return self._blob(name, descriptor)
        finally:
            os.close(descriptor)

    def _blob(self, name: str, descriptor: int) -> Blob:
        self._read[name] = state_of(os.fstat(descriptor))
        return blob_of(descriptor, self._prefix + name, copy=self._copy)

    def file(self, name: str) -> FolderFile | None:
        """Return a file to be opened later; None if it is a link that leads out of the folder."""
        file = FolderFile(self._prefix + name, self._prefix)
        return file if _is_inside(file.path, file.folder) else None


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file in a folder, which is opened when it is needed: not all files can be open at once."""

    path: str
    folder: str

    @property
    def size(self) -> int:
        """Size in bytes.

        Raises:
            OSError: The file no longer exists.
        """
        return os.stat(self.path).st_size  # noqa: PTH116

    def blob(self) -> Blob:
        """Return its bytes.

        Raises:
            StorageError: It cannot be read, or is now a link that leads out of the folder.
        """
        descriptor = open_regular(self.path)
        try:
            real = os.path.realpath(self.path)
            same = os.path.samestat(os.fstat(descriptor), os.stat(real))  # noqa: PTH116
            if not same or not _is_inside(self.path, self.folder):
                raise StorageError(
                    "the file is a link that leads out of the folder of the model",
                    hint="Replace the link by the file that it points to, and load the model.",
                    file=self.path,
                )
            return blob_of(descriptor, self.path)
        except OSError as error:
            raise unreadable(error, self.path) from error
        finally:
            os.close(descriptor)


def _is_inside(path: str, folder: str) -> bool:
    """Return whether `path` is in `folder` after all links are followed."""
    real, root = os.path.realpath(path), os.path.realpath(folder)
    with contextlib.suppress(ValueError):
        return os.path.commonpath([real, root]) == root
    return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _walk(prefix: str, descriptor: int | None) -> Iterator[str]:
    # Links to folders are not followed: they may form a loop.
    if descriptor is None:
        for folder, folders, files in os.walk(prefix):
            folders.sort()
            yield from _below(folder[len(prefix) :], files)
    else:
        for folder, folders, files, _ in os.fwalk(".", dir_fd=descriptor):
            folders.sort()
            yield from _below(folder[2:], files)


def _below(folder: str, files: list[str]) -> Iterator[str]:
    below = folder.replace(os.sep, "/")
    yield from (f"{below}/{file}" if below else file for file in sorted(files))

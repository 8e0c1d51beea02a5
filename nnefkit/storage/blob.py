"""Bytes of files, mapped into memory, so that nothing is read before it is used."""

from __future__ import annotations

import mmap
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nnefkit.errors import StorageError
from nnefkit.storage.system_errors import unreadable

HEAD = 4096
"""Number of bytes of a file that are read at once; a smaller file is never mapped."""
_MAPPED_FILES = 4096
"""Number of file descriptors in use up to which further files are mapped."""


@dataclass(frozen=True, slots=True)
class Blob:
    """The bytes of a file or of a member of an archive."""

    name: str
    """The name that messages use."""
    head: bytes
    """Its first bytes: all of them, or at least `HEAD`."""
    data: Any
    """A read-only buffer: bytes, a memoryview or a mapping."""
    start: int
    """The position of the first byte in `data`."""
    size: int

    def bytes(self) -> bytes:
        """Return a copy of all the bytes."""
        return bytes(memoryview(self.data)[self.start : self.start + self.size])


def open_regular(path: str) -> int:
    """Open a regular file for reading, and return its descriptor.

    Raises:
        StorageError: It cannot be opened, or is a device, a pipe or a folder.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as error:
        raise unreadable(error, path) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        file_type = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise StorageError(
            f"this is {file_type}, not a file",
            hint="Give the path of a regular file.",
            file=path,
        )
    return descriptor


def open_blob(path: str) -> Blob:
    """Return the bytes of the file at `path`, mapped into memory.

    Raises:
        StorageError: It cannot be read.
    """
    descriptor = open_regular(path)
    try:
        size = os.fstat(descriptor).st_size
        head = read_at(descriptor, 0, min(size, HEAD))
        data = head if size <= HEAD else map_descriptor(descriptor, size)
        return Blob(path, head, data, 0, min(size, len(data)))
    except OSError as error:
        raise unreadable(error, path) from error
    finally:
        os.close(descriptor)


def check_readable(path: str) -> None:
    """Check that a file exists and can be read, where another package's error would be worse.

    Raises:
        StorageError: There is no file at `path`, or it cannot be read.
    """
    os.close(open_regular(path))


def read_at(descriptor: int, offset: int, count: int) -> bytes:
    """Return `count` bytes from `offset` on, fewer only at the end of the file."""
    pieces = []
    while count > 0:
        os.lseek(descriptor, offset, os.SEEK_SET)
        piece = os.read(descriptor, min(count, 1 << 24))
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
        count -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def map_descriptor(descriptor: int, size: int) -> Any:
    """Return the whole file as a read-only buffer, mapped if possible."""
    if _may_map(descriptor):
        try:
            return _map(descriptor, size)
        except (OSError, ValueError):
            # The file system does not support mapping, or the process has no mappings left.
            pass
    return read_at(descriptor, 0, size)


def _map_keeping_descriptor(descriptor: int, size: int) -> mmap.mmap:
    return mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)


def _map_without_descriptor(descriptor: int, size: int) -> mmap.mmap:
    return mmap.mmap(descriptor, size, access=mmap.ACCESS_READ, trackfd=False)  # type: ignore[call-arg, unused-ignore]


_map: Callable[[int, int], mmap.mmap] = (
    _map_without_descriptor
    if sys.version_info >= (3, 13) and sys.platform != "win32"
    else _map_keeping_descriptor
)


def _may_map(descriptor: int) -> bool:
    """Return whether another mapping leaves the process enough descriptors.

    Before Python 3.13, every mapping holds a descriptor. The lowest free number is assigned first,
    so the number of a new descriptor shows how many are in use.
    """
    if _map is _map_without_descriptor or sys.platform == "win32":
        return True
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        limit = 2 * _MAPPED_FILES
    another = os.dup(descriptor)
    os.close(another)
    return another < min(limit // 2, _MAPPED_FILES)

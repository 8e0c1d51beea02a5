"""Bytes of files, mapped into memory, so that nothing is read before it is used."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Any

from nnefkit.errors import StorageError
from nnefkit.storage.mapped_file import map_descriptor, read_at, read_whole
from nnefkit.storage.system_errors import unreadable

HEAD = 4096
"""Number of bytes of a file that are read at once; a smaller file is never mapped."""


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


def open_regular(path: str, folder: int | None = None, name: str | None = None) -> int:
    """Open a regular file for reading, and return its descriptor.

    Args:
        path: The path, for messages too.
        folder: The descriptor of a folder to open the file `name` in instead of at `path`.
        name: The name in the folder.

    Raises:
        StorageError: It cannot be opened, or is a device, a pipe or a folder.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        flags |= getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path if name is None else name, flags, dir_fd=folder)
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
        return blob_of(descriptor, path)
    finally:
        os.close(descriptor)


def blob_of(descriptor: int, path: str, *, copy: bool = False) -> Blob:
    """Return the bytes of an open file.

    Args:
        descriptor: The descriptor, which may be closed afterward.
        path: The path of the file.
        copy: Whether to read the bytes, instead of mapping them.

    Raises:
        StorageError: It cannot be read.
    """
    try:
        size = os.fstat(descriptor).st_size
        head = read_at(descriptor, 0, min(size, HEAD))
        data: Any = head
        if size > HEAD:
            read = read_whole(descriptor, 0, size) if copy else None
            data = map_descriptor(descriptor, size, path) if read is None else read
        return Blob(path, head, data, 0, min(size, len(data)))
    except OSError as error:
        raise unreadable(error, path) from error


def check_readable(path: str) -> None:
    """Check that a file exists and can be read, where another package's error would be worse.

    Raises:
        StorageError: There is no file at `path`, or it cannot be read.
    """
    os.close(open_regular(path))

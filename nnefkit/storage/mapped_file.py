"""Files mapped into memory, or read as a whole.

If another program truncates a mapped file, touching a lost page kills the process, which Python
cannot catch. A mapping therefore records the state of the file, and `check_mapped` of
`nnefkit.arrays` compares it with the file before its values are used.
"""

from __future__ import annotations

import io
import mmap
import os
import sys
from collections.abc import Callable
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy

from nnefkit.arrays import Array
from nnefkit.errors import StorageError

_MAPPED_FILES = 4096
"""Number of file descriptors in use up to which further files are mapped."""
_PIECE = 1 << 24
_TRACKED = sys.version_info < (3, 13) or sys.platform == "win32"
"""Whether a mapping holds a descriptor."""

State = tuple[int, int, int, int]


def state_of(status: os.stat_result) -> State:
    """Return what identifies a file and its content: device, number, size and time of change."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class MappedFile(mmap.mmap):
    """A file mapped read-only."""

    path: str
    state: State

    def check_unchanged(self) -> None:
        """Check that the mapping can be read, and that its content is unchanged.

        Raises:
            StorageError: The file was changed in place, or truncated.
        """
        try:
            status = os.stat(self.path)  # noqa: PTH116 - the fast path needs a string
        except OSError:
            status = None
        if status is not None and (status.st_dev, status.st_ino) == self.state[:2]:
            unchanged = state_of(status) == self.state
        else:
            # Another file has the name now. This one has no name, but may still be written to.
            unchanged = not _TRACKED or self.size() >= len(self)
        if not unchanged:
            raise StorageError(
                "the file was changed by another program after it was loaded",
                hint="Load it again. nnefkit.load(path, copy=True) reads all data into memory, "
                "which no other program can change.",
                file=self.path,
            )


def map_descriptor(descriptor: int, size: int, path: str) -> Any:
    """Return the whole file as a read-only buffer, mapped if possible."""
    if _may_map(descriptor):
        try:
            return _mapped(descriptor, size, path)
        except (OSError, ValueError):
            # The file system does not support mapping, or the process has no mappings left.
            pass
    return read_whole(descriptor, 0, size)


def _mapped(descriptor: int, size: int, path: str) -> MappedFile:
    options: dict[str, Any] = {} if _TRACKED else {"trackfd": False}
    mapped = MappedFile(descriptor, size, access=mmap.ACCESS_READ, **options)
    mapped.path = os.path.abspath(path)  # noqa: PTH100 - the fast path needs a string
    mapped.state = state_of(os.fstat(descriptor))
    return mapped


def read_whole(descriptor: int, offset: int, count: int) -> memoryview:
    """Return `count` bytes from `offset` on in new memory, fewer only at the end of the file."""
    block = np.empty(count, np.uint8)
    view = memoryview(block.data)
    done = 0
    while done < count:
        piece = read_at(descriptor, offset + done, min(count - done, _PIECE))
        if not piece:
            break
        view[done : done + len(piece)] = piece
        done += len(piece)
    return view[:done].toreadonly()


def read_at(descriptor: int, offset: int, count: int) -> bytes:
    """Return `count` bytes from `offset` on, fewer only at the end of the file."""
    pieces = []
    while count > 0:
        piece = _read(descriptor, min(count, _PIECE), offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
        count -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _seek_and_read(descriptor: int, count: int, offset: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, count)


_read = getattr(os, "pread", _seek_and_read)


def _may_map(descriptor: int) -> bool:
    """Return whether another mapping leaves the process enough descriptors.

    Before Python 3.13, every mapping holds a descriptor. The lowest free number is assigned first,
    so the number of a new descriptor shows how many are in use.
    """
    if not _TRACKED or sys.platform == "win32":
        return True
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        limit = 2 * _MAPPED_FILES
    another = os.dup(descriptor)
    os.close(another)
    return another < min(limit // 2, _MAPPED_FILES)


def map_npy(path: str) -> Array:
    """Return the array in an ``.npy`` file, mapped if possible.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not such a file, or holds Python objects.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - the fast path needs a string
        size = os.fstat(file.fileno()).st_size
        return _npy(file, size, lambda: map_descriptor(file.fileno(), size, path))


def view_npy(content: bytes) -> Array:
    """Return the array in the content of an ``.npy`` file, a read-only view of it.

    Raises:
        ValueError: It is not such a file, or holds Python objects.
    """
    return _npy(io.BytesIO(content), len(content), lambda: content)


def _npy(file: Any, size: int, data: Callable[[], Any]) -> Array:
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"its format has version {version[0]}.{version[1]}")
    try:
        shape, fortran, dtype = _HEADERS[version](file)
    except (RecursionError, MemoryError, TypeError, KeyError, SyntaxError, TokenError) as error:
        raise ValueError("its header is damaged") from error
    start = file.tell()
    count = 1
    for extent in shape:
        count *= extent
    # Before anything is allocated.
    if dtype.hasobject or count < 0 or start + count * dtype.itemsize > size:
        raise ValueError("it holds Python objects, or is truncated")
    if not count or not dtype.itemsize:
        array = np.empty(shape, dtype)
        array.flags.writeable = False
        return array
    array = np.frombuffer(data(), dtype, count, start)
    return array.reshape(shape, order="F" if fortran else "C")


_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

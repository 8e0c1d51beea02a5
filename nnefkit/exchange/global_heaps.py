"""The global heaps of an HDF5 file, which hold its strings: checked before the library reads them.

The HDF5 library searches a heap whose sizes are damaged without an end.
"""

from __future__ import annotations

_SIGNATURE = b"GCOL\x01"
_HEADER = 16
"""Bytes of the header of a heap, and of that of an object."""
_MAX_HEAPS = 100_000


def damaged_heap(data: bytes) -> int | None:
    """Return the position of the first damaged heap, None if there is none.

    Args:
        data: The bytes of the file.
    """
    at, count = data.find(_SIGNATURE), 0
    while at >= 0:
        count += 1
        if count > _MAX_HEAPS or not _is_valid(data, at):
            return at
        at = data.find(_SIGNATURE, at + 1)
    return None


def _is_valid(data: bytes, at: int) -> bool:
    """Return whether the objects of a heap fill it exactly."""
    if at + _HEADER > len(data):
        return False
    size = int.from_bytes(data[at + 8 : at + _HEADER], "little")
    end = at + size
    if size < _HEADER or end > len(data):
        return False
    place = at + _HEADER
    while end - place >= _HEADER:
        index = int.from_bytes(data[place : place + 2], "little")
        length = int.from_bytes(data[place + 8 : place + _HEADER], "little")
        if index == 0:
            # The rest is free space, whose length includes its header.
            return length == end - place
        if length > end - place - _HEADER:
            return False
        place += _HEADER + -(-length // 8) * 8
    return place <= end

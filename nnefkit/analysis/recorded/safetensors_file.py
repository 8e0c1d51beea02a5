"""Safetensors files: a header in JSON with the place of each tensor, then their bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnefkit.analysis.recorded.unreadable import UNREADABLE
from nnefkit.arrays import Array
from nnefkit.errors import StorageError

MAX_RANK = 64
"""The largest rank of a NumPy array."""
MAX_HEADER = 1 << 24
"""Largest size of a header in bytes: enough for more than 100,000 tensors."""

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
    "BF16": "<u2",  # the upper half of a float32
}


class StoredPlace(NamedTuple):
    """A tensor in a safetensors file."""

    path: Path
    name: str
    dtype: str
    """As the file spells it."""
    shape: tuple[int, ...]
    start: int
    """Number of its first byte in the file."""

    def read(self) -> Array:
        """Return the values; bfloat16 as float32.

        Raises:
            StorageError: The file was changed since its header was read.
        """
        dtype = np.dtype(_DTYPES[self.dtype])
        count = math.prod(self.shape)
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                data = file.read(count * dtype.itemsize)
            array = np.frombuffer(data, dtype, count).reshape(self.shape)
        except UNREADABLE as error:
            raise StorageError(
                f"tensor '{self.name}' cannot be read: {error}", file=str(self.path)
            ) from error
        return from_bfloat16(array) if self.dtype == "BF16" else array


def from_bfloat16(bits: Array) -> Array:
    """Return the float32 numbers whose upper halves are `bits`, unsigned 16-bit integers."""
    wide: Array = (bits.astype(np.uint32) << 16).view(np.float32)
    return wide


def safetensors_places(path: Path) -> dict[str, StoredPlace]:
    """Return the tensors of a safetensors file by name.

    Raises:
        StorageError: It cannot be read, is not such a file, or has a dtype that cannot be compared.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = path.stat().st_size
            if not 2 <= length <= min(MAX_HEADER, size - 8):
                raise _damaged(path, f"its header would have {length:,} bytes")
            header = json.loads(file.read(length), object_pairs_hook=_unique)
    except UNREADABLE as error:
        if isinstance(error, StorageError):
            raise
        raise _damaged(path, str(error)) from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not an object")
    data = 8 + length
    return {
        name: _place(path, name, entry, data, size)
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in its header")
    return found


def _place(path: Path, name: str, entry: Any, data: int, size: int) -> StoredPlace:
    fields = entry if isinstance(entry, Mapping) else {}
    dtype = fields.get("dtype")
    shape, offsets = _lengths(fields.get("shape")), _lengths(fields.get("data_offsets"))
    if shape is None or offsets is None or len(offsets) != 2:
        raise _damaged(path, f"the place of '{name}' is not described")
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise StorageError(
            f"tensor '{name}' has the dtype {dtype!r}, which is not supported",
            hint=f"Supported are {', '.join(_DTYPES)}. Convert it before saving the file.",
            file=str(path),
        )
    begin, end = offsets
    needed = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if len(shape) > MAX_RANK:
        raise _damaged(path, f"'{name}' has {len(shape):,} axes")
    if end - begin != needed or data + end > size:
        raise _damaged(
            path,
            f"'{name}' needs {needed:,} bytes, but has the bytes {begin:,} to {end:,} of "
            f"{size - data:,}",
        )
    return StoredPlace(path, name, dtype, tuple(shape), data + begin)


def _lengths(value: Any) -> list[int] | None:
    """Return a list of sizes; None if `value` is not one."""
    if isinstance(value, list) and all(type(each) is int and 0 <= each < 2**62 for each in value):
        return value
    return None


def _damaged(path: Path, reason: str) -> StorageError:
    return StorageError(
        f"this is not a safetensors file: {reason}",
        hint="safetensors.numpy.save_file(tensors, path) writes one.",
        file=str(path),
    )

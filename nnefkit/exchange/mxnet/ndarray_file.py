"""Files of parameters (``.params``): lists of arrays, in all of MXNet's forms of them.

A file has a magic number, the arrays, and their names, all little-endian. An array has a magic
number, except in the oldest form, which starts with the number of axes. Arrays are views
of the bytes of the file, so that no number in it makes them larger than it is.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import Any, NoReturn

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import StorageError

_LIST = 0x112
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_MAX_RANK = 32
_MAX_ARRAYS = 1_000_000
_DENSE = 0
_SPARSE = {1: ("row_sparse", 1), 2: ("csr", 2)}
"""Storage type -> its name, and the number of arrays of positions."""
_BFLOAT16 = 12
DTYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f8"),
    2: np.dtype("<f2"),
    3: np.dtype("u1"),
    4: np.dtype("<i4"),
    5: np.dtype("i1"),
    6: np.dtype("<i8"),
    7: np.dtype("bool"),
    8: np.dtype("<i2"),
    9: np.dtype("<u2"),
    10: np.dtype("<u4"),
    11: np.dtype("<u8"),
    _BFLOAT16: np.dtype("<u2"),
}
"""MXNet's number of a type -> the elements in the file."""


class SparseArray:
    """An array that is stored by its positions, whose elements are not read.

    Args:
        storage: The name of the form.
    """

    def __init__(self, storage: str) -> None:
        self.storage = storage


Stored = Array | SparseArray | None
"""An array, one that is not read, or the mark of an array without a shape."""


def is_array_file(data: bytes) -> bool:
    """Return whether bytes start as a file of arrays does."""
    return data[:8] == struct.pack("<Q", _LIST)


def read_arrays(data: bytes, path: str) -> tuple[list[Stored], list[str]]:
    """Read all arrays of a file.

    Args:
        data: The file.
        path: Its path, for messages.

    Returns:
        The arrays, and as many names, or none if the file has no names.

    Raises:
        StorageError: It is not such a file, or damaged.
    """
    return _File(data, path).arrays()


class _File:
    """The bytes of a file, and the place up to which they are read."""

    def __init__(self, data: bytes, path: str) -> None:
        self._data = memoryview(data)
        self._path = path
        self._place = 0

    def arrays(self) -> tuple[list[Stored], list[str]]:
        if len(self._data) < 8 or self._number("<Q") != _LIST:
            raise StorageError(
                "the file is not a list of arrays of MXNet",
                hint="Give the file of parameters that was saved with the symbol (.params).",
                file=self._path,
            )
        self._number("<Q")
        arrays = [self._array() for _ in range(self._count("arrays"))]
        names = [self._name() for _ in range(self._count("names"))]
        if names and len(names) != len(arrays):
            self._damaged(f"it has {len(arrays):,} arrays and {len(names):,} names")
        return arrays, names

    # -- arrays -------------------------------------------------------------------------------

    def _array(self) -> Stored:
        start, magic = self._place, self._number("<I")
        storage, has_scalars = _DENSE, magic == _V3
        stored: tuple[int, ...] = ()
        if magic in (_V2, _V3):
            storage = self._number("<i")
            if storage in _SPARSE:
                stored = self._shape("<q")
            elif storage != _DENSE:
                self._damaged(f"an array at byte {start:,} has the storage type {storage}")
            shape = self._shape("<q")
        elif magic == _V1:
            shape = self._shape("<q")
        else:
            # The oldest form: the number of axes itself.
            self._place = start
            shape = self._shape("<I")
        if not shape and not has_scalars:
            return None
        self._take(8)  # the device
        dtype = self._dtype()
        if storage != _DENSE:
            return self._sparse(storage, stored, dtype)
        if 0 in shape:
            return None
        data = np.frombuffer(self._take(prod(shape) * dtype.itemsize), dtype).reshape(shape)
        if dtype is DTYPES[_BFLOAT16]:
            # The upper half of a float32.
            return (data.astype(np.uint32) << 16).view(np.float32)
        return data.astype(dtype.newbyteorder("="), copy=False)

    def _sparse(self, storage: int, shape: Sequence[int], dtype: np.dtype[Any]) -> SparseArray:
        """Skip the elements of a sparse array and their positions."""
        name, count = _SPARSE[storage]
        sizes = [prod(shape) * dtype.itemsize]
        for _ in range(count):
            kind = self._dtype()
            sizes.append(prod(self._shape("<q")) * kind.itemsize)
        for size in sizes:
            self._take(size)
        return SparseArray(name)

    def _dtype(self) -> np.dtype[Any]:
        code = self._number("<i")
        if code not in DTYPES:
            self._damaged(f"an array has elements of the unknown type {code}")
        return DTYPES[code]

    def _shape(self, form: str) -> tuple[int, ...]:
        rank = self._number("<i")
        if not -1 <= rank <= _MAX_RANK:
            self._damaged(f"an array at byte {self._place - 4:,} has {rank:,} axes")
        shape = tuple(self._number(form) for _ in range(rank))
        if min(shape, default=0) < 0:
            self._damaged(f"an array has the shape {[*shape]}")
        return shape

    # -- parts --------------------------------------------------------------------------------

    def _count(self, what: str) -> int:
        count = self._number("<Q")
        if count > min(_MAX_ARRAYS, len(self._data) // 4):
            self._damaged(f"it has {count:,} {what}")
        return count

    def _name(self) -> str:
        try:
            return str(self._take(self._number("<Q")), "utf-8")
        except UnicodeDecodeError:
            self._damaged("the name of an array is not text")

    def _number(self, form: str) -> int:
        (number,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return int(number)

    def _take(self, size: int) -> memoryview:
        end = self._place + size
        if end > len(self._data):
            self._damaged(f"it ends at byte {len(self._data):,}, in the middle of an array")
        part = self._data[self._place : end]
        self._place = end
        return part

    def _damaged(self, reason: str) -> NoReturn:
        raise StorageError(
            f"the file of arrays is damaged: {reason}",
            hint="Copy it again, or save it again by the version of MXNet that wrote it.",
            file=self._path,
        )


def computed(data: Any) -> Array:
    """Return elements in a type that graphs compute with: float16 as float32."""
    array: Array = np.require(data, requirements="A")
    if array.dtype == np.float16:
        return np.asarray(array, np.float32)
    if array.dtype == np.float64:
        with np.errstate(over="ignore"):
            single: Array = array.astype(np.float32)
        if np.array_equal(single, array, equal_nan=True):
            return single
    return array

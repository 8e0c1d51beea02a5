"""FlatBuffers of untrusted files: tables whose every access is checked against the file.

The classes of the schema package follow offsets without a check. Their accessors call the methods
of a table; here that is a `CheckedTable`, which raises `DamagedFile` for an offset that leaves the
file, and counts what is read, since a small file may refer to one part many times.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from flatbuffers import number_types
from flatbuffers.table import Table

from nnefkit.arrays import Array

_FREE_READS = 10_000
_SMALLEST_VTABLE = 4

T = TypeVar("T")


class DamagedFile(Exception):  # noqa: N818 - it is a finding
    """The structure of a file is broken."""


class Meter:
    """The number of tables and elements that may be read from a file."""

    def __init__(self, data: bytes) -> None:
        # Each table and each element of a vector that is read one by one has at least two bytes.
        self._left = len(data) // 2 + _FREE_READS

    def spend(self, count: int) -> None:
        """Count what is read.

        Raises:
            DamagedFile: The file refers to its parts more often than it has room for.
        """
        self._left -= count
        if self._left < 0:
            raise DamagedFile("its parts refer to each other more often than the file has room for")


class CheckedTable(Table):  # type: ignore[misc]
    """A table of a file; the names of its methods are those of FlatBuffers."""

    __slots__ = ("meter", "vtable", "vtable_size")

    def __init__(self, data: bytes, position: int, meter: Meter) -> None:
        meter.spend(1)
        if not 0 < position <= len(data) - 4:
            raise DamagedFile(f"a table is at {position}, outside of the file")
        super().__init__(data, position)
        self.meter = meter
        self.vtable = position - struct.unpack_from("<i", data, position)[0]
        if not 0 <= self.vtable <= len(data) - _SMALLEST_VTABLE:
            raise DamagedFile(f"the table at {position} has no list of its fields")
        self.vtable_size, size = struct.unpack_from("<HH", data, self.vtable)
        end = self.vtable + self.vtable_size
        if self.vtable_size < _SMALLEST_VTABLE or self.vtable_size % 2 or end > len(data):
            raise DamagedFile(f"the table at {position} has a broken list of its fields")
        if size < _SMALLEST_VTABLE or position + size > len(data):
            raise DamagedFile(f"the table at {position} is longer than the file")

    def Offset(self, vtable_offset: int) -> int:
        """Return the offset of a field in the table; 0 for a field that is absent."""
        if vtable_offset + 2 > self.vtable_size:
            return 0
        return int(struct.unpack_from("<H", self.Bytes, self.vtable + vtable_offset)[0])

    def Get(self, flags: Any, offset: int) -> Any:
        """Return a number at a position."""
        self._check(offset, flags.bytewidth)
        return flags.py_type(flags.packer_type.unpack_from(self.Bytes, offset)[0])

    def Indirect(self, offset: int) -> int:
        """Return the position that an offset refers to."""
        position = offset + int(self.Get(number_types.UOffsetTFlags, offset))
        self._check(position, 4)
        return position

    def String(self, offset: int) -> bytes:
        """Return a string that an offset refers to."""
        start = self.Indirect(offset)
        length = int(self.Get(number_types.UOffsetTFlags, start))
        self._check(start + 4, length)
        return bytes(self.Bytes[start + 4 : start + 4 + length])

    def VectorLen(self, offset: int) -> int:
        """Return the length of a vector that a field refers to."""
        start = self.Indirect(offset + self.Pos)
        length = int(self.Get(number_types.UOffsetTFlags, start))
        self._check(start + 4, length)  # Each element has at least one byte.
        return length

    def Vector(self, offset: int) -> int:
        """Return the position of the first element of a vector that a field refers to."""
        return self.Indirect(offset + self.Pos) + 4

    def Union(self, other: Table, offset: int) -> None:
        """Set another table to the one that a field refers to."""
        other.Pos = self.Indirect(offset + self.Pos)
        other.Bytes = self.Bytes

    def GetVectorAsNumpy(self, flags: Any, offset: int) -> Array:
        """Return the numbers of a vector that a field refers to."""
        dtype = np.dtype(number_types.to_numpy_type(flags)).newbyteorder("<")
        start, count = self.Vector(offset), self.VectorLen(offset)
        self._check(start, count * dtype.itemsize)
        return np.frombuffer(self.Bytes, dtype, count, start)

    def _check(self, start: int, size: int) -> None:
        if start < 0 or start + size > len(self.Bytes):
            raise DamagedFile(f"an offset refers to {start}, outside of the file")


def checked(table: T, meter: Meter) -> T:
    """Return an object of the schema package whose accesses are checked."""
    plain: Any = table
    plain._tab = CheckedTable(plain._tab.Bytes, plain._tab.Pos, meter)
    return table


def of_union(kind: Callable[[], Any], union: Table | None, meter: Meter) -> Any:
    """Return a table of a union as an object of the schema package; None if it is absent."""
    if union is None:
        return None
    table = kind()
    table._tab = CheckedTable(union.Bytes, union.Pos, meter)
    return table


def items(length: Callable[[], int], item: Callable[[int], T | None], meter: Meter) -> Iterator[T]:
    """Yield the tables of a vector.

    Args:
        length: Returns the length of the vector.
        item: Returns a table of it.
        meter: Counts them.
    """
    count = length()
    meter.spend(count)
    for number in range(count):
        table = item(number)
        if table is not None:
            yield checked(table, meter)


def numbers(vector: Callable[[], Any], meter: Meter) -> list[int]:
    """Return the integers of a vector; none if it is absent."""
    return _listed(vector(), meter)


def _listed(array: Any, meter: Meter) -> list[int]:
    if not isinstance(array, np.ndarray):
        return []
    meter.spend(array.size)
    return [int(number) for number in array]


def text(value: bytes | None) -> str:
    """Return a string of a file."""
    return "" if value is None else value.decode("utf-8", "replace")


class _OptionField(NamedTuple):
    name: str
    method: str
    is_vector: bool


@cache
def _fields(kind: Any) -> tuple[_OptionField, ...]:
    """Return the fields of a table, by the accessors of its class."""
    methods = {
        name: method.__code__.co_argcount
        for name, method in vars(kind).items()
        if hasattr(method, "__code__") and name != "Init"
    }
    vectors = [name for name, count in methods.items() if count > 1]
    parts = {f"{name}{suffix}" for name in vectors for suffix in ("AsNumpy", "Length", "IsNone")}
    return tuple(
        _OptionField(
            _snake_case(name), f"{name}AsNumpy" if name in vectors else name, name in vectors
        )
        for name in methods
        if name not in parts and (name not in vectors or f"{name}AsNumpy" in methods)
    )


def fields(table: Any, meter: Meter) -> dict[str, Any]:
    """Return the fields of a table that hold numbers, strings or vectors of numbers."""
    values: dict[str, Any] = {}
    kind: Any = type(table)
    for field in _fields(kind):
        value = getattr(table, field.method)()
        if field.is_vector:
            values[field.name] = _listed(value, meter)
        elif isinstance(value, bytes):
            values[field.name] = text(value)
        elif isinstance(value, (bool, int, float)):
            values[field.name] = value
    return values


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()

"""Files with one tensor of ONNX: its test data, and what ONNX Runtime dumps.

Such a file is one message ``TensorProto``. Only the fields of a tensor are read, by their numbers
in ``onnx.proto``; the package `onnx` is not needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from nnefkit.analysis.recorded.safetensors_file import MAX_RANK, from_bfloat16
from nnefkit.analysis.recorded.unreadable import UNREADABLE
from nnefkit.arrays import Array
from nnefkit.errors import StorageError

_DIMS, _TYPE, _FLOATS, _INT32S, _INT64S = 1, 2, 4, 5, 7
_NAME, _RAW, _DOUBLES, _UINT64S, _LOCATION = 8, 9, 10, 11, 14
_BFLOAT16 = 16
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIRES = {
    _DIMS: (_VARINT, _BYTES),
    _TYPE: (_VARINT,),
    _FLOATS: (_FIXED32, _BYTES),
    _INT32S: (_VARINT, _BYTES),
    _INT64S: (_VARINT, _BYTES),
    _NAME: (_BYTES,),
    _RAW: (_BYTES,),
    _DOUBLES: (_FIXED64, _BYTES),
    _UINT64S: (_VARINT, _BYTES),
    _LOCATION: (_VARINT,),
}
"""Number of a field -> how it may be stored: one by one or, as bytes, together."""
MAX_NAME = 1 << 16
MAX_FIELDS = 1 << 20
"""Largest number of fields in a file; many elements are one field."""
MAX_VARINT = 10
"""Largest size of a number in bytes."""
_PIECE = 1 << 20

_ITEMS = {
    1: "<f4",
    2: "u1",
    3: "i1",
    4: "<u2",
    5: "<i2",
    6: "<i4",
    7: "<i8",
    9: "?",
    10: "<f2",
    11: "<f8",
    12: "<u4",
    13: "<u8",
    _BFLOAT16: "<u2",
}
"""Number of a data type -> dtype of its elements in the bytes of a tensor."""
_FIELDS = {
    1: _FLOATS,
    2: _INT32S,
    3: _INT32S,
    4: _INT32S,
    5: _INT32S,
    6: _INT32S,
    7: _INT64S,
    9: _INT32S,
    10: _INT32S,
    11: _DOUBLES,
    12: _UINT64S,
    13: _UINT64S,
    _BFLOAT16: _INT32S,
}
"""Number of a data type -> field of its elements, if they are not bytes."""


class _Field(NamedTuple):
    number: int
    wire: int
    value: int
    """The number of a varint; else the size in bytes."""
    start: int


class TensorProto(NamedTuple):
    """A tensor in a file, without its values."""

    path: Path
    name: str
    """Its own name; may be empty."""
    data_type: int
    shape: tuple[int, ...]
    fields: tuple[_Field, ...]
    """Where the values are."""

    def read(self) -> Array:
        """Return the values; bfloat16 as float32.

        Raises:
            StorageError: The values do not fit the shape, or cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                array = _values(self, file)
        except UNREADABLE as error:
            if isinstance(error, StorageError):
                raise
            raise _damaged(self.path, str(error)) from error
        return from_bfloat16(array) if self.data_type == _BFLOAT16 else array


def tensor_proto(path: Path) -> TensorProto:
    """Return the tensor in a file.

    Raises:
        StorageError: The file cannot be read, or has no tensor that can be compared.
    """
    dims: list[int] = []
    name, data_type, location = "", 0, 0
    values = []
    try:
        with path.open("rb") as file:
            for field in _fields(file, path.stat().st_size):
                match field.number:
                    case 1:
                        if field.wire == _BYTES and field.value > MAX_RANK * MAX_VARINT:
                            raise ValueError("its shape is too long")
                        dims += _varints(file, field).tolist()
                        if len(dims) > MAX_RANK:
                            raise ValueError(f"it has more than {MAX_RANK} axes")
                    case 2:
                        data_type = field.value
                    case 8:
                        name = _bytes(file, field, MAX_NAME).decode()
                    case 14:
                        location = field.value
                    case 4 | 5 | 7 | 9 | 10 | 11:
                        values.append(field)
    except UNREADABLE as error:
        raise _damaged(path, str(error)) from error
    if location:
        raise StorageError(
            "the values of this tensor are in another file",
            hint="Save it with its values: numpy.save(path, array).",
            file=str(path),
        )
    if data_type not in _ITEMS:
        raise StorageError(
            f"this is not a tensor of numbers: ONNX data type {data_type}",
            hint="A file has one TensorProto of floating-point numbers, integers or bools.",
            file=str(path),
        )
    if any(not 0 <= each < 2**62 for each in dims):
        raise _damaged(path, "its shape is negative")
    return TensorProto(path, name, data_type, tuple(dims), tuple(values))


def _damaged(path: Path, reason: str) -> StorageError:
    return StorageError(
        f"this is not a tensor of ONNX: {reason}",
        hint="onnx.numpy_helper.from_array(array, name).SerializeToString() has one.",
        file=str(path),
    )


def _fields(file: BinaryIO, size: int) -> Iterator[_Field]:
    """Yield the fields of the message; the caller may move in the file between two of them."""
    position = count = 0
    while position < size:
        count += 1
        if count > MAX_FIELDS:
            raise ValueError(f"it has more than {MAX_FIELDS:,} fields")
        file.seek(position)
        key = _varint(file)
        number, wire = key >> 3, key & 7
        if not number:
            raise ValueError("a field has no number")
        if wire == _VARINT:
            value = _varint(file)
            start = position = file.tell()
        else:
            lengths = {_FIXED64: 8, _FIXED32: 4}
            if wire not in (*lengths, _BYTES):
                raise ValueError(f"a field has the unknown type {wire}")
            value = _varint(file) if wire == _BYTES else lengths[wire]
            start = file.tell()
            position = start + value
            if position > size:
                raise ValueError("it ends within a field")
        if wire not in _WIRES.get(number, (wire,)):
            raise ValueError(f"field {number} has a wrong type")
        yield _Field(number, wire, value, start)


def _varint(file: BinaryIO) -> int:
    result = 0
    for shift in range(0, 7 * MAX_VARINT, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it ends within a number")
        result |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return result & (2**64 - 1)
    raise ValueError("a number has more than 64 bits")


def _bytes(file: BinaryIO, field: _Field, most: int) -> bytes:
    if field.value > most:
        raise ValueError(f"field {field.number} has {field.value:,} bytes")
    file.seek(field.start)
    return file.read(field.value)


def _varints(file: BinaryIO, field: _Field) -> Array:
    """Return signed 64-bit numbers: one, or several that are packed."""
    if field.wire == _VARINT:
        return np.array([field.value], np.uint64).view(np.int64)
    file.seek(field.start)
    parts = [np.zeros(0, np.uint64)]
    rest, left = b"", field.value
    while left:
        piece = file.read(min(left, _PIECE))
        if not piece:
            raise ValueError("it ends within a field")
        left -= len(piece)
        numbers, used = _unpacked(np.frombuffer(rest + piece, np.uint8))
        rest = (rest + piece)[used:]
        parts.append(numbers)
    if rest:
        raise ValueError("it ends within a number")
    return np.concatenate(parts).view(np.int64)


def _unpacked(data: Array) -> tuple[Array, int]:
    """Return the numbers in a row of bytes, and the number of bytes that they take."""
    ends = np.flatnonzero(data < 128) + 1
    lengths = np.diff(ends, prepend=0)
    used = int(ends[-1]) if ends.size else 0
    longest = int(lengths.max(initial=0))
    if max(longest, data.size - used) > MAX_VARINT:
        raise ValueError("a number has more than 64 bits")
    numbers = np.zeros(ends.size, np.uint64)
    for place in range(longest):
        longer = lengths > place
        bits = data[(ends - lengths)[longer] + place] & 127
        numbers[longer] |= bits.astype(np.uint64) << np.uint64(7 * place)
    return numbers, used


def _values(tensor: TensorProto, file: BinaryIO) -> Array:
    dtype = np.dtype(_ITEMS[tensor.data_type])
    count = math.prod(tensor.shape)
    raw = [field for field in tensor.fields if field.number == _RAW]
    own = [field for field in tensor.fields if field.number == _FIELDS[tensor.data_type]]
    if raw:
        data = _bytes(file, raw[-1], 1 << 40)
        array = np.frombuffer(data, dtype) if len(data) % dtype.itemsize == 0 else np.zeros(0)
    elif tensor.data_type in (1, 11):
        # Floating-point numbers are of 4 or 8 bytes each, packed or one by one.
        parts = []
        for field in own:
            file.seek(field.start)
            parts.append(file.read(field.value))
        array = np.frombuffer(b"".join(parts), dtype)
    else:
        wide = np.concatenate([np.zeros(0, np.int64), *(_varints(file, each) for each in own)])
        # Half precision is stored as its bits.
        array = wide.astype("<u2").view(dtype) if tensor.data_type == 10 else wide.astype(dtype)
    if array.size != count or (raw and own):
        raise StorageError(
            f"the tensor has shape {list(tensor.shape)}, but {array.size:,} elements",
            file=str(tensor.path),
        )
    return array.reshape(tensor.shape)

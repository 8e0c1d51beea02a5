"""Tensor files: `read_tensor`, `write_tensor`, and the parts of both (5.2)."""

from __future__ import annotations

import operator
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.arguments import UNMASK, expected_path
from nnefkit.arrays import Array, as_array, has_masked
from nnefkit.errors import NO_EMPTY_TENSORS, Diagnostic, StorageError
from nnefkit.storage import item_encoding
from nnefkit.storage.atomic_write import replacing_file
from nnefkit.storage.blob import Blob, open_blob
from nnefkit.storage.quantized_codes import dequantize as decode_codes
from nnefkit.storage.quantized_codes import encode_linear
from nnefkit.storage.tensor_header import (
    HEADER_SIZE,
    MAX_DATA_LENGTH,
    MAX_EXTENT,
    MAX_RANK,
    SECTION,
    Header,
    ItemType,
    allowed_bits,
    parse_header,
    warn_of_long_headers,
)

Quantized = bool | tuple[float, float]

_KINDS = {"f": ItemType.FLOAT, "u": ItemType.UNSIGNED, "i": ItemType.SIGNED, "b": ItemType.BOOL}
_CODES = {
    ItemType.UNSIGNED: ItemType.QUANTIZED_UNSIGNED,
    ItemType.SIGNED: ItemType.QUANTIZED_SIGNED,
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor as stored in its file."""

    name: str
    """The file name that messages use."""
    header: Header
    data: Array
    """The items, read-only, mapped if their width allows it; codes if they are quantized."""
    warnings: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class TensorContent:
    """The content of a tensor file to be written."""

    header: Header
    data: Array

    @property
    def size(self) -> int:
        """Size of the whole file in bytes."""
        return HEADER_SIZE + self.header.data_length

    def chunks(self) -> Iterator[Any]:
        """Return the bytes of the file in pieces of bounded size."""
        yield self.header.encode()
        yield from item_encoding.chunks(self.data, self.header.item, self.header.bits)


def open_tensor(blob: Blob) -> StoredTensor:
    """Return the tensor in a file, with warnings about the file.

    Raises:
        StorageError: It is not a tensor file, or cannot be read.
    """
    header, warnings = parse_header(blob.head, blob.size, blob.name)
    data = item_encoding.decode(header, blob.data, blob.start + header.data_offset)
    return StoredTensor(blob.name, header, data, tuple(warnings))


def read_tensor(path: str | os.PathLike[str], *, dequantize: bool = False) -> Array:
    """Read the tensor file at `path` (5.2).

    Args:
        path: The ``.dat`` file.
        dequantize: True to convert quantized codes to the real numbers (float32) that they
            represent by the deprecated range in the file; otherwise the codes are returned as
            integers.

    Returns:
        A read-only array of the stored shape; ``array.copy()`` can be changed. Items of 16, 32 or
        64 bits and integers of 8 bits are mapped from the file. Integers of other widths become the
        narrowest NumPy integer that holds them, single bits become bools.

    Raises:
        InputError: `path` is not a path.
        StorageError: The file cannot be read, or is not a tensor file.

    Warns:
        UserWarning: The file has the header of 132 bytes that the NNEF Tools wrote in 2018.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "weights.dat"
        ...     nk.write_tensor(path, np.float32([[1, 2], [3, 4]]))
        ...     nk.read_tensor(path).copy()
        array([[1., 2.],
               [3., 4.]], dtype=float32)
    """
    stored = open_tensor(open_blob(str(expected_path(path))))
    warn_of_long_headers(stored.warnings)
    if dequantize and stored.header.item.quantized:
        return decode_codes(stored.data, stored.header, None, stored.name)
    return stored.data


def write_tensor(
    path: str | os.PathLike[str],
    array: Any,
    bits: int | None = None,
    quantized: Quantized = False,
) -> None:
    """Write `array` as a tensor file, atomically (5.2).

    Args:
        path: The ``.dat`` file; an existing one is replaced.
        array: Floats of 16, 32 or 64 bits, integers or bools, of rank 0 to 8 and any memory layout.
        bits: Bits per item: 16, 32 or 64 for floats, 1 to 64 for integers, 1 or 8 for bools. By
            default those of the dtype, and 1 for bools.
        quantized: True marks integers as quantized codes, which ``graph.quant`` defines. A pair
            (min, max) is stored in the file as their deprecated range; floats are then encoded
            linearly with `bits` bits, by default 8.

    Raises:
        InputError: `path` is not a path.
        StorageError: The array cannot be stored in this way, or the file cannot be written.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "codes.dat"
        ...     nk.write_tensor(path, np.uint8([1, 5, 15]), bits=4)
        ...     path.stat().st_size, nk.read_tensor(path).dtype
        (130, dtype('uint8'))
    """
    path = expected_path(path)
    content = tensor_content(array, bits, quantized, file=str(path))
    with replacing_file(path) as file:
        for chunk in content.chunks():
            file.write(chunk)


def tensor_content(
    array: Any, bits: int | None = None, quantized: Quantized = False, *, file: str = ""
) -> TensorContent:
    """Return the content of a tensor file for `array`; arguments as for `write_tensor`.

    Raises:
        StorageError: The array cannot be stored in this way.
    """
    array = _storable(array, file)
    bits = _whole(bits, file)
    parameters = bytes(32)
    # Check the length before reading the values: there may be more than can be stored.
    _check_length(array, bits, file)
    if isinstance(quantized, (tuple, list)):
        minimum, maximum = _range(quantized, file)
        parameters = struct.pack("<ff24x", minimum, maximum)
        if array.dtype.kind == "f":
            bits = 8 if bits is None else bits
            _check_bits(ItemType.QUANTIZED_UNSIGNED, bits, file)
            array = encode_linear(array, minimum, maximum, bits)
    item = _KINDS[array.dtype.kind]
    if quantized:
        if item not in _CODES:
            raise StorageError(
                f"values of dtype {array.dtype} are not quantized codes, which are integers",
                hint="quantized=(min, max) encodes floats linearly.",
                file=file,
                section=SECTION,
            )
        item = _CODES[item]
    if bits is None:
        bits = 1 if item is ItemType.BOOL else array.dtype.itemsize * 8
    _check_bits(item, bits, file)
    array = _fitting(array, item, bits, file)
    return TensorContent(Header(array.shape, item, bits, parameters), array)


def _storable(array: Any, file: str) -> Array:
    if has_masked(array):
        raise StorageError(
            "the array has masked elements, which have no value", hint=UNMASK, file=file
        )
    try:
        array = as_array(array)
    except ValueError as error:
        raise StorageError(f"this is not an array: {error}", file=file) from None
    if array.dtype.kind not in _KINDS or array.dtype.itemsize > 8:
        raise StorageError(
            f"values of dtype {array.dtype} cannot be stored in a tensor file",
            hint="Convert them, for example: array.astype(numpy.float32).",
            file=file,
            section=SECTION,
        )
    if array.ndim > MAX_RANK:
        raise StorageError(
            f"the array has rank {array.ndim}, but a tensor file has at most rank {MAX_RANK}",
            hint="Reshape it.",
            file=file,
            section=SECTION,
        )
    if array.size == 0:
        raise StorageError(
            f"the array of shape {list(array.shape)} is empty",
            hint=NO_EMPTY_TENSORS,
            file=file,
            section="4.1.3",
        )
    result: Array = array
    return result


def _whole(bits: Any, file: str) -> int | None:
    try:
        if isinstance(bits, (bool, np.bool_)):
            raise TypeError
        return None if bits is None else operator.index(bits)
    except TypeError:
        raise StorageError(
            f"bits={bits!r} is not a number of bits",
            hint="Give an integer from 1 to 64.",
            file=file,
        ) from None


def _range(quantized: Any, file: str) -> tuple[float, float]:
    try:
        minimum, maximum = map(float, quantized)
        # The file stores the range as 32-bit floats.
        with np.errstate(over="ignore"):
            minimum, maximum = map(float, np.asarray([minimum, maximum]).astype(np.float32))
    except (TypeError, ValueError, OverflowError):
        minimum = maximum = float("nan")
    if not (np.isfinite(minimum) and np.isfinite(maximum) and minimum < maximum):
        raise StorageError(
            f"quantized={quantized!r} is not a range (min, max) of two finite 32-bit floats",
            file=file,
            section=SECTION,
        )
    return minimum, maximum


def _check_bits(item: ItemType, bits: int, file: str) -> None:
    valid = allowed_bits(item)
    if bits not in valid:
        listed = "1 to 64" if isinstance(valid, range) else ", ".join(map(str, valid))
        raise StorageError(
            f"{item.words} items cannot have {bits} bits, only {listed}",
            file=file,
            section=SECTION,
        )


def _fitting(array: Array, item: ItemType, bits: int, file: str) -> Array:
    """Return the array with items of the given width; no value changes beyond rounding."""
    if item is ItemType.BOOL:
        return array
    if item is ItemType.FLOAT:
        if bits == array.dtype.itemsize * 8:
            return array
        with np.errstate(over="ignore"):
            converted = array.astype(f"f{bits // 8}")
        lost = np.isinf(converted) & np.isfinite(array)
        if lost.any():
            value = array[lost].flat[0]
            raise StorageError(
                f"{value:g} does not fit in a float of {bits} bits", file=file, section=SECTION
            )
        return converted
    if bits < array.dtype.itemsize * 8:
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if item.signed else (0, 2**bits - 1)
        for value in (int(array.min()), int(array.max())):
            if not low <= value <= high:
                raise StorageError(
                    f"{value} does not fit in {item.words} items of {bits} bits, "
                    f"which range from {low} to {high}",
                    file=file,
                    section=SECTION,
                )
    width = item_encoding.container_bits(bits) // 8
    return array.astype(f"{'i' if item.signed else 'u'}{width}", copy=False)


def _check_length(array: Array, bits: int | None, file: str) -> None:
    if bits is None:
        bits = 1 if array.dtype.kind == "b" else array.dtype.itemsize * 8
    length = (array.size * bits + 7) // 8
    if length > MAX_DATA_LENGTH or max(array.shape, default=1) > MAX_EXTENT:
        raise StorageError(
            f"a tensor of shape {list(array.shape)} with {bits} bits per item has {length:,} "
            f"bytes, more than the {MAX_DATA_LENGTH:,} that a tensor file can have",
            hint="Store it with fewer bits per item, or split it.",
            file=file,
            section=SECTION,
        )

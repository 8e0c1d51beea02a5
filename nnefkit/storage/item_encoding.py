"""Encoding of the items of tensor files, for every number of bits from 1 to 64 (5.2).

Items of whole bytes are little-endian. Items of other widths form one stream of bits, in which
the most significant bit of an item comes first, and the most significant bit of a byte, too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.storage.tensor_header import Header, ItemType

Buffer = Any
"""Anything that `numpy.frombuffer` accepts: bytes, a memoryview, an mmap."""

_CHUNK = 1 << 15
"""Number of items packed at a time: a multiple of 8, so that every chunk is of whole bytes."""
_NATIVE = {8: "u1", 16: "<u2", 32: "<u4", 64: "<u8"}


def container_bits(bits: int) -> int:
    """Return the width of the narrowest NumPy integer that holds an item of `bits` bits."""
    return next(width for width in _NATIVE if width >= bits)


def dtype_of(header: Header) -> np.dtype[Any]:
    """Return the dtype of the array that a tensor file is read as."""
    if header.item is ItemType.BOOL:
        return np.dtype(np.bool_)
    if header.item is ItemType.FLOAT:
        return np.dtype(f"<f{header.bits // 8}")
    kind = "i" if header.item.signed else "u"
    return np.dtype(f"<{kind}{container_bits(header.bits) // 8}")


def decode(header: Header, data: Buffer, offset: int) -> Array:
    """Return the items as a read-only array, a view of `data` if their width allows it.

    `data` must hold `header.data_length` bytes from `offset` on.
    """
    dtype = dtype_of(header)
    if header.bits == dtype.itemsize * 8:
        array = np.frombuffer(data, np.uint8 if dtype.kind == "b" else dtype, header.count, offset)
        if dtype.kind == "b":
            # Every non-zero byte means true, but a NumPy bool must be 0 or 1.
            array = array.view(np.bool_) if int(array.max()) <= 1 else array != 0
        elif not array.flags.aligned:
            array = array.copy()
        if sys.byteorder == "big":
            array = array.astype(dtype.newbyteorder("="))
    else:
        packed = np.frombuffer(data, np.uint8, header.data_length, offset)
        array = _unpack(packed, header, dtype)
    array = array.reshape(header.shape)
    array.flags.writeable = False
    return array


def _unpack(packed: Array, header: Header, dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "b":
        return np.unpackbits(packed, count=header.count).view(np.bool_)
    unsigned = np.dtype(f"u{dtype.itemsize}")
    array = np.empty(header.count, unsigned)
    unpack = _unpack_bytes if header.bits % 8 == 0 else _unpack_stream
    for start in range(0, header.count, _CHUNK):
        stop = min(start + _CHUNK, header.count)
        first, last = start * header.bits // 8, (stop * header.bits + 7) // 8
        array[start:stop] = unpack(packed[first:last], stop - start, header.bits, unsigned.itemsize)
    if dtype.kind == "i":
        # Extend the sign bit: two's complement arithmetic without branches.
        sign = unsigned.type(1 << (header.bits - 1))
        array ^= sign
        array -= sign
        return array.view(f"i{dtype.itemsize}")
    return array


def _unpack_bytes(packed: Array, count: int, bits: int, width: int) -> Array:
    items = np.zeros((count, width), np.uint8)
    items[:, : bits // 8] = packed.reshape(count, bits // 8)
    return items.view(f"<u{width}").reshape(count)


def _unpack_stream(packed: Array, count: int, bits: int, width: int) -> Array:
    stream = np.unpackbits(packed, count=count * bits).reshape(count, bits)
    items = np.zeros((count, width * 8), np.uint8)
    items[:, width * 8 - bits :] = stream
    return np.packbits(items, axis=1).view(f">u{width}").reshape(count)


def chunks(array: Array, item: ItemType, bits: int) -> Iterator[Buffer]:
    """Return the bytes of the items of `array`, in row-major order, in pieces of bounded size."""
    flat = array.reshape(-1) if array.flags.c_contiguous else array.flat
    whole = item is ItemType.FLOAT or bits in _NATIVE
    step = (1 << 22) // array.dtype.itemsize if whole else _CHUNK
    for start in range(0, array.size, step):
        piece = np.asarray(flat[start : start + step])
        if item is ItemType.BOOL:
            yield (np.packbits(piece) if bits == 1 else piece.view(np.uint8)).data
        elif whole:
            native = piece.astype(piece.dtype.newbyteorder("<"), copy=False)
            yield native.view(np.uint8).data
        elif bits % 8 == 0:
            yield _as_integers(piece, "<").view(np.uint8).reshape(-1, 8)[:, : bits // 8].tobytes()
        else:
            yield _pack_stream(piece, bits)


def _as_integers(piece: Array, order: str) -> Array:
    # Convert signed to unsigned of the same width first, which leaves all bits unchanged.
    unsigned = piece.astype(f"u{piece.dtype.itemsize}", copy=False)
    return unsigned.astype(f"{order}u8")


def _pack_stream(piece: Array, bits: int) -> bytes:
    width = container_bits(bits) // 8
    items = _as_integers(piece, "=").astype(f">u{width}").view(np.uint8)
    stream = np.unpackbits(items.reshape(-1, width), axis=1)[:, width * 8 - bits :]
    return np.packbits(stream).tobytes()

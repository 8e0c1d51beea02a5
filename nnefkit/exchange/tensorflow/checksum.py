"""CRC-32C, the checksum of TensorFlow's checkpoints.

The checksum is linear: the bytes are arranged in rows, whose checksums are computed side by side
and then joined.
"""

from __future__ import annotations

from functools import cache
from math import isqrt

import numpy as np

from nnefkit.arrays import Array

_POLYNOMIAL = 0x82F63B78
_ALL = 0xFFFFFFFF
_MASK = 0xA282EAD8
_FEW = 512
"""The number of bytes below which rows are not worth their while."""


def crc32c(data: bytes | memoryview) -> int:
    """Return the checksum of bytes."""
    count = len(data)
    table = _table()
    state = _ALL
    length = isqrt(count)
    rows = count // length if count > _FEW else 0
    if rows:
        grid = np.frombuffer(data, np.uint8, rows * length).reshape(rows, length)
        states = _after(np.zeros(rows, np.uint32), grid)
        shift = _shifts(length)
        for row in states.tolist():
            moved = shift[0][state & 255] ^ shift[1][state >> 8 & 255]
            state = moved ^ shift[2][state >> 16 & 255] ^ shift[3][state >> 24] ^ row
    numbers = table.tolist()
    for byte in bytes(data[rows * length :]):
        state = numbers[(state ^ byte) & 255] ^ state >> 8
    return state ^ _ALL


def masked_crc32c(data: bytes | memoryview) -> int:
    """Return the checksum of bytes as it is stored in front of or after them."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK) & _ALL


@cache
def _table() -> Array:
    """Return the checksum of each byte."""
    state = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        state = np.where(state & 1, state >> 1 ^ np.uint32(_POLYNOMIAL), state >> 1)
    return state.astype(np.uint32)


def _after(states: Array, grid: Array) -> Array:
    """Return states after the bytes of a row each."""
    table = _table()
    for column in np.ascontiguousarray(grid.T):
        states = table[(states ^ column) & 255] ^ states >> 8
    return states


@cache
def _shifts(length: int) -> list[list[int]]:
    """Return what a number of zero bytes makes of each byte of a state."""
    states = np.concatenate([np.arange(256, dtype=np.uint32) << 8 * place for place in range(4)])
    table = _table()
    for _ in range(length):
        states = table[states & 255] ^ states >> 8
    return [part.tolist() for part in np.split(states, 4)]

"""Digests of weights, by which a saved trace knows them without holding their values."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np

from nnefkit.arrays import Array, check_mapped, converted
from nnefkit.graph import Graph

_BLOCK = 1 << 16
"""Number of elements converted at a time."""


def weight_digests(graph: Graph) -> dict[str, str]:
    """Return the digest of each variable whose values are known, by its name."""
    return {
        tensor.name: digest(tensor.data) for tensor in graph.variables if tensor.data is not None
    }


def digest(array: Array) -> str:
    """Return a digest that is the same for arrays of the same shape with equal elements.

    As in comparisons, dtypes do not matter, NaN equals NaN, and -0.0 equals 0.0.
    """
    check_mapped(array)
    result = blake2b(repr(array.shape).encode(), digest_size=16)
    for block in _blocks(array):
        result.update(block.tobytes())
    return result.hexdigest()


def _blocks(array: Array) -> Iterator[Array]:
    flat = array.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        piece = flat[start : start + _BLOCK]
        if piece.dtype.kind == "f":
            with np.errstate(invalid="ignore"):  # of signaling NaN
                block = converted(piece, "<f8") + 0.0  # -0.0 becomes 0.0
            block[np.isnan(block)] = np.nan
            yield block
        else:
            yield piece.astype("<u8" if piece.dtype.kind == "u" else "<i8")

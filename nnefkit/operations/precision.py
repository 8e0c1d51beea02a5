"""How kernels compute: warnings, the precision of intermediates, and cache-sized blocks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])

quiet = np.errstate(all="ignore")
"""Decorates a kernel whose formula may divide by zero, overflow or give NaN: those are results."""

BLOCK = 16384
"""Items that a block has: several passes over it stay within the cache of one core."""


def widened(kernel: F) -> F:
    """Computes a kernel in float32 where its inputs are float16, and rounds once, at the end.

    Sums of many float16 items, and formulae of several steps, would lose most of their digits.
    """

    @functools.wraps(kernel)
    def compute(*arrays: NDArray[Any], **attribs: Any) -> Any:
        if not any(array.dtype == np.float16 for array in arrays):
            return kernel(*arrays, **attribs)
        wider = [a.astype(np.float32) if a.dtype == np.float16 else a for a in arrays]
        result = kernel(*wider, **attribs)
        if any(array.dtype in (np.float32, np.float64) for array in arrays):
            return result
        if isinstance(result, tuple):
            return tuple(item.astype(np.float16) for item in result)
        return np.asarray(result).astype(np.float16)

    return compute  # type: ignore[return-value]


def blockwise(function: Callable[..., NDArray[Any]]) -> Callable[..., NDArray[Any]]:
    """Applies an elementwise function of one array, made of many passes, block by block.

    The result is contiguous, of the dtype and shape of the input.
    """

    @functools.wraps(function)
    def compute(x: NDArray[Any], **attribs: Any) -> NDArray[Any]:
        if x.size <= BLOCK:
            return np.asarray(function(x, **attribs))
        flat = x.ravel()
        result = np.empty_like(flat)
        for start in range(0, flat.size, BLOCK):
            stop = start + BLOCK
            result[start:stop] = function(flat[start:stop], **attribs)
        return result.reshape(x.shape)

    return compute

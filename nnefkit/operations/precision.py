"""Decorators of kernels: no warnings, wider intermediates, and cache-sized blocks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])

quiet = np.errstate(all="ignore")
"""Decorator of a kernel whose formula may divide by zero, overflow or return NaN: no warnings."""

BLOCK = 65536
"""Number of elements of a block, chosen so that it stays in the cache of one core."""


def widened(kernel: F) -> F:
    """Compute a kernel in float32 if its inputs are float16, and round once, at the end.

    Sums of many float16 elements, and formulas of several steps, would lose most of their digits.
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


def blockwise(function: Callable[..., None]) -> Callable[..., NDArray[Any]]:
    """Apply an elementwise function made of many passes block by block.

    The function is ``function(x, out, **attribs)``, which writes its result to `out`; it becomes
    ``compute(x, **attribs)``, whose result is contiguous and has the dtype and shape of `x`.
    """

    # The parameter `out` is not part of the signature of the result.
    @functools.wraps(function)
    def compute(x: NDArray[Any], **attribs: Any) -> NDArray[Any]:
        result = np.empty(x.shape, x.dtype)
        if x.size <= BLOCK:
            function(x, result, **attribs)
            return result
        source, target = x.reshape(-1), result.reshape(-1)
        for start in range(0, source.size, BLOCK):
            stop = start + BLOCK
            function(source[start:stop], target[start:stop], **attribs)
        return result

    del compute.__wrapped__
    return compute

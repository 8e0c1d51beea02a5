"""An operation in terms of another implementation."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Oracle(NamedTuple):
    """The computation of an operation by another implementation."""

    words: str
    """The names of its functions, for the table of references."""
    compute: Callable[..., Any]
    """``compute(*inputs, **attribs)``: an array, a list of them, or None for a call that it cannot
    express or is known to get wrong."""


def extended(array, padding, border, value=0.0):
    """Return the array as NumPy pads it; negative padding crops afterward."""
    if not padding:
        return array
    modes = {"replicate": "edge", "reflect": "reflect", "reflect-even": "symmetric"}
    positive = [(max(p, 0), max(q, 0)) for p, q in padding]
    if border in modes:
        array = np.pad(array, positive, modes[border])
    else:
        array = np.pad(array, positive, constant_values=value)
    return array[
        tuple(
            slice(max(-p, 0), extent - max(-q, 0))
            for (p, q), extent in zip(padding, array.shape, strict=True)
        )
    ]


def same_padding(extents, size, stride, dilation):
    """Return the padding that other frameworks call SAME_UPPER."""
    result = []
    for extent, f, s, d in zip(extents, size, stride, dilation, strict=True):
        total = max((-(-extent // s) - 1) * s + (f - 1) * d + 1 - extent, 0)
        result.append((total // 2, total - total // 2))
    return result

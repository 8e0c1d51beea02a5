"""The data format of spatial layers: readers see channels-last tensors in any case."""

from __future__ import annotations

from collections.abc import Callable

from nnefkit.exchange.channels_last import channels_first, channels_last
from nnefkit.exchange.keras.call import Call
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_value import Value


def spatial(c: Call, count: int, read: Callable[[Value], Value]) -> Value:
    """Return the result of a spatial layer in the data format of the layer.

    Args:
        c: The call of the layer.
        count: The number of spatial axes.
        read: Computes the result from a channels-last tensor.

    Raises:
        Refusal: The input has other axes.
    """
    x = c.x
    if x.rank != count + 2:
        refuse(f"its input has rank {x.rank}, not {count + 2}", INVALID)
    if c.is_channels_first():
        return channels_first(c, read(channels_last(c, x)))
    return read(x)


def dimensions(c: Call) -> int:
    """Return the number of spatial axes in the name of the layer."""
    return int(next(letter for letter in c.operator if letter in "123"))

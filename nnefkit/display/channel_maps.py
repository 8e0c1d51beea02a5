"""The maps of a tensor of rank 3 or more: its channels, or the filters of a weight."""

from __future__ import annotations

import math

import numpy as np

from nnefkit.arrays import Array


def channel_maps(array: Array, *, parameter: bool, item: int = 0) -> tuple[Array, str]:
    """Return the maps (K, H, W) of a tensor, a view of it if possible, and what they are called.

    Args:
        array: The tensor, of rank 3 or more.
        parameter: Whether it is a weight, whose first axis is not the batch.
        item: The element of the batch.
    """
    words = ""
    if array.ndim >= 4 and not parameter:
        words = f"item {item} of {array.shape[0]:,}, " if array.shape[0] > 1 else ""
        array = array[item]
    last = _channels_last(array, parameter=parameter)
    if last:
        array = np.moveaxis(array, -1, -3)
    array = array.reshape([extent for extent in array.shape if extent > 1])
    # An element of the batch may be a single map, or a vector.
    array = array.reshape((1,) * (3 - array.ndim) + array.shape)
    if parameter:
        name = "slices of filters" if array.ndim > 3 else "filters"
    else:
        name = "slices" if array.ndim > 3 else "channels"
    maps = array.reshape(math.prod(array.shape[:-2]), *array.shape[-2:])
    return maps, f"{words}{name}{' (last axis)' if last else ''}"


def _channels_last(array: Array, *, parameter: bool) -> bool:
    """Return whether the last axis looks like channels, as in tensors that other tools laid out.

    In NNEF they are the second axis; after a wrong guess the picture is odd, and its caption says
    what it shows.
    """
    if array.ndim < 3:
        return False
    high, wide, deep = (int(extent) for extent in array.shape[-3:])
    if parameter:
        return array.ndim == 4 and high == wide != deep
    return deep <= 4 < min(high, wide)

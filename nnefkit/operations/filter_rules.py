"""The rules for filters, their groups and their bias (4.3.1)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints, Shape
from nnefkit.operations.registry import Problems


def reverse_groups(filter: Shape, groups: int, output_shape: Ints) -> int:
    """Return the number of groups of a deconvolution, where 0 means depthwise.

    A depthwise deconvolution has one group for each channel of the input, or, if an output shape
    with fewer channels is requested, one for each of those: the reverse of a depthwise
    convolution with a channel multiplier.
    """
    if groups:
        return groups
    channels = filter[0]
    if filter[1] == 1 and len(output_shape) > 1:
        wanted = output_shape[1]
        if 0 < wanted < channels and channels % wanted == 0:
            return wanted
    return channels


def check_ranks(problems: Problems, name: str, input: Shape, filter: Shape) -> bool:
    """Check the ranks, which all other checks need; return whether they are valid."""
    if len(input) < 2:
        problems.add(
            "input",
            f"the input has rank {len(input)}, but it needs batch and channel dimensions",
            "unsqueeze adds dimensions.",
        )
    elif len(filter) != len(input):
        problems.add(
            name,
            f"the rank of '{name}' is {len(filter)}, but that of the input is {len(input)}",
            "The dimensions of a filter are output channels, input channels, and then the "
            "spatial dimensions of the input.",
            code="shape-mismatch",
        )
    return not problems


def check_separable(problems: Problems, input: Shape, plane: Shape, point: Shape) -> bool:
    """Check the ranks of both filters of a separable convolution, and the extents of the second."""
    if check_ranks(problems, "plane_filter", input, plane):
        check_ranks(problems, "point_filter", input, point)
    if not problems and math.prod(point[2:]) != 1:
        problems.add(
            "point_filter",
            f"the spatial extents of 'point_filter' are {list(point[2:])}, but must be 1",
            "The filter with spatial extents is 'plane_filter', the second argument.",
        )
    return not problems


def check_groups(
    problems: Problems, filter: Shape, channels: int, groups: int, name: str = "filter"
) -> None:
    """Check that a filter fits the `channels` of the input of a convolution."""
    if groups < 0:
        hint = "0 means one group for each channel."
        problems.add("groups", f"'groups' is {groups}, but must not be negative", hint)
        return
    count = groups or channels
    if filter[0] % count:
        hint = "The batch dimension of a filter counts the channels of the output."
        if groups:
            message = f"'groups' is {groups}, which does not divide the {filter[0]} filters"
            problems.add("groups", message, hint)
        else:
            message = f"the {filter[0]} filters cannot be divided among {channels} channels"
            problems.add(name, message, hint)
    if filter[1] * count != channels:
        problems.add(
            name,
            f"'{name}' covers {filter[1]} channel(s) in each of {count} group(s), "
            f"but the input has {channels} channels",
            _channels_hint(filter, channels),
            code="shape-mismatch",
        )


def _channels_hint(filter: Shape, channels: int) -> str:
    if filter[1] and channels % filter[1] == 0 and filter[0] % (channels // filter[1]) == 0:
        return f"This filter fits with groups = {channels // filter[1]}."
    if filter[0] == channels:
        return "The dimensions of a filter start with output channels, then input channels."
    return "The second extent of a filter times the groups is the number of channels of the input."


def check_reverse_groups(
    problems: Problems, filter: Shape, channels: int, groups: int, name: str = "filter"
) -> bool:
    """Check that a filter fits a deconvolution; return whether it does."""
    if groups < 0:
        hint = "0 means one group for each channel."
        problems.add("groups", f"'groups' is {groups}, but must not be negative", hint)
    elif filter[0] != channels:
        problems.add(
            name,
            f"'{name}' has {filter[0]} filters, but the input has {channels} channels",
            "The dimensions of the filter of a deconvolution are input channels, output channels "
            "in each group, and then the spatial ones.",
            code="shape-mismatch",
        )
    elif groups and channels % groups:
        message = f"'groups' is {groups}, which does not divide the {channels} filters"
        problems.add("groups", message, "0 makes one group of each channel.")
    else:
        return True
    return False


def check_bias(problems: Problems, bias: Shape, channels: int, rank: int) -> None:
    """Check that a bias is one number, or one for each channel of the output."""
    if len(bias) <= 1 and math.prod(bias) == 1:
        return
    if len(bias) == 1:
        problems.add(
            "bias",
            f"'bias' has the shape {list(bias)}, of which the only dimension is the batch",
            f"Give it the shape [1, {bias[0]}]: dimensions are aligned from the first one. "
            "With strict=False, a variable is taken like this.",
            code="shape-mismatch",
        )
    elif bias[1] not in (1, channels) or bias[0] != 1 or math.prod(bias[2:]) != 1:
        problems.add(
            "bias",
            f"'bias' has the shape {list(bias)}, which does not fit {channels} output channels",
            f"Give it the shape [1, {channels}].",
            code="shape-mismatch",
        )
    elif len(bias) > rank:
        problems.add(
            "bias",
            f"'bias' has rank {len(bias)}, but the input only {rank}",
            f"Give it the shape [1, {channels}].",
        )


def channel_bias(bias: Array, channels: int, dtype: np.dtype[Any]) -> Array | None:
    """Return the bias of each channel, or None where it is a literal zero."""
    if not bias.ndim and not bias:
        return None
    return np.broadcast_to(bias.reshape(-1), (channels,)).astype(dtype)

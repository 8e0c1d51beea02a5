"""Convolution and deconvolution (4.3.1), and their separable forms (4.9.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints, Shape
from nnefkit.operations.correlation import correlator
from nnefkit.operations.filter_rules import (
    channel_bias,
    check_bias,
    check_groups,
    check_ranks,
    check_reverse_groups,
    check_separable,
    reverse_groups,
)
from nnefkit.operations.flop_rules import bias_flops
from nnefkit.operations.precision import quiet, widened
from nnefkit.operations.registry import Problems, flops, kernel, macs, shape_rule
from nnefkit.operations.reverse_correlation import reverse_correlate
from nnefkit.operations.window import Window, filter_windowed
from nnefkit.operations.window_rules import (
    FILTER_BORDERS,
    check_output_shape,
    check_window,
    checked_down_extents,
    checked_up_extents,
)

_PLAIN = Window(())
"""The window of a pointwise filter: no padding, stride or dilation."""


@shape_rule("conv")
@filter_windowed
def conv_shape(input: Shape, filter: Shape, bias: Shape, *, window: Window, groups: int) -> Shape:
    """Return the shape (N,c,...) of a convolution of (N,C,...) by a filter (c, C / groups, ...).

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.1.
    """
    problems = Problems("4.3.1")
    if not check_ranks(problems, "filter", input, filter):
        problems.done()
    check_groups(problems, filter, input[1], groups)
    check_bias(problems, bias, filter[0], len(input))
    extents = _down_extents(problems, window, input, filter, "filter")
    problems.done()
    return (input[0], filter[0], *extents)


@shape_rule("deconv")
@filter_windowed
def deconv_shape(
    input: Shape, filter: Shape, bias: Shape, *, window: Window, output_shape: Ints, groups: int
) -> Shape:
    """Return the shape (N,C,...) of a deconvolution of (N,c,...) by a filter (c, C / groups, ...).

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.1.
    """
    problems = Problems("4.3.1")
    if not check_ranks(problems, "filter", input, filter):
        problems.done()
    channels = 0
    if check_reverse_groups(problems, filter, input[1], groups):
        channels = filter[1] * reverse_groups(filter, groups, output_shape)
        check_bias(problems, bias, channels, len(input))
    fixed = (input[0], channels) if channels else (input[0],)
    extents = _up_extents(problems, window, input, filter, output_shape, fixed)
    problems.done()
    return (input[0], channels, *extents)


@shape_rule("separable_conv")
@filter_windowed
def separable_conv_shape(
    input: Shape,
    plane_filter: Shape,
    point_filter: Shape,
    bias: Shape,
    *,
    window: Window,
    groups: int,
) -> Shape:
    """Return the shape of a depthwise convolution followed by a pointwise one.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.1, in either.
    """
    problems = Problems("4.9.2")
    if not check_separable(problems, input, plane_filter, point_filter):
        problems.done()
    check_groups(problems, plane_filter, input[1], 0, name="plane_filter")
    check_groups(problems, point_filter, plane_filter[0], groups, name="point_filter")
    check_bias(problems, bias, point_filter[0], len(input))
    extents = _down_extents(problems, window, input, plane_filter, "plane_filter")
    problems.done()
    return (input[0], point_filter[0], *extents)


@shape_rule("separable_deconv")
@filter_windowed
def separable_deconv_shape(
    input: Shape,
    plane_filter: Shape,
    point_filter: Shape,
    bias: Shape,
    *,
    window: Window,
    output_shape: Ints,
    groups: int,
) -> Shape:
    """Return the shape of a pointwise deconvolution followed by a depthwise one.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.1, in either.
    """
    problems = Problems("4.9.2")
    if not check_separable(problems, input, plane_filter, point_filter):
        problems.done()
    if check_reverse_groups(problems, point_filter, input[1], groups, name="point_filter"):
        between = point_filter[1] * reverse_groups(point_filter, groups, ())
        check_reverse_groups(problems, plane_filter, between, 0, name="plane_filter")
    channels = plane_filter[1] * reverse_groups(plane_filter, 0, output_shape)
    check_bias(problems, bias, channels, len(input))
    fixed = (input[0], channels)
    extents = _up_extents(problems, window, input, plane_filter, output_shape, fixed)
    problems.done()
    return (input[0], channels, *extents)


def _down_extents(
    problems: Problems, window: Window, input: Shape, filter: Shape, argument: str
) -> Shape:
    """Return the spatial extents of a convolution by `argument`; `()` if the window is invalid."""
    if not check_window(problems, window, len(input) - 2, FILTER_BORDERS, spatial=True):
        return ()
    window = window.of_size(filter[2:])
    return checked_down_extents(problems, window, input[2:], argument=argument, first=2)


def _up_extents(
    problems: Problems,
    window: Window,
    input: Shape,
    filter: Shape,
    output_shape: Ints,
    fixed: Shape,
) -> Shape:
    """Return the spatial extents of a deconvolution; `()` if the window is invalid.

    `output_shape` must begin with `fixed`: the batch and, if they are known, the channels.
    """
    shaped = check_output_shape(problems, output_shape, fixed, len(input))
    if not check_window(problems, window, len(input) - 2, FILTER_BORDERS, spatial=True):
        return ()
    wanted = output_shape[2:] if shaped else ()
    window = window.of_size(filter[2:])
    return checked_up_extents(problems, window, input[2:], wanted, first=2)


@kernel("conv")
@quiet
@widened
@filter_windowed
def conv(input: Array, filter: Array, bias: Array, *, window: Window, groups: int) -> Array:
    """Return the correlation of `input` and `filter` in each group, plus the bias."""
    items, weights = _alike(input, filter)
    extents = input.shape[2:]
    window = window.of_size(filter.shape[2:]).over(extents)
    added = channel_bias(bias, len(filter), weights.dtype)
    correlate = correlator(weights, extents, window, groups or input.shape[1], added)
    return correlate(items)


@kernel("deconv")
@quiet
@widened
@filter_windowed
def deconv(
    input: Array, filter: Array, bias: Array, *, window: Window, output_shape: Ints, groups: int
) -> Array:
    """Return the reverse of `conv`, from the down-scaled to the up-scaled space, plus the bias."""
    items, weights = _alike(input, filter)
    groups = reverse_groups(filter.shape, groups, output_shape)
    window = window.of_size(filter.shape[2:])
    extents, window = window.reversed(input.shape[2:], output_shape[2:])
    output = reverse_correlate(items, weights, extents, window, groups)
    added = channel_bias(bias, output.shape[1], output.dtype)
    if added is not None:
        output += added.reshape(-1, *[1] * len(extents))
    return output


def _alike(input: Array, filter: Array) -> tuple[Array, Array]:
    dtype = np.result_type(input, filter)
    return input.astype(dtype, copy=False), filter.astype(dtype, copy=False)


@kernel("separable_conv")
@widened
@filter_windowed
def separable_conv(
    input: Array,
    plane_filter: Array,
    point_filter: Array,
    bias: Array,
    *,
    window: Window,
    groups: int,
) -> Array:
    """Apply a depthwise `conv` with `plane_filter`, then one with `point_filter` and `bias`."""
    filtered = conv(input, plane_filter, np.zeros((), input.dtype), window=window, groups=0)
    return conv(filtered, point_filter, bias, window=_PLAIN, groups=groups)


@kernel("separable_deconv")
@widened
@filter_windowed
def separable_deconv(
    input: Array,
    plane_filter: Array,
    point_filter: Array,
    bias: Array,
    *,
    window: Window,
    output_shape: Ints,
    groups: int,
) -> Array:
    """Apply a `deconv` with `point_filter`, then a depthwise one with `plane_filter`, `bias`."""
    filtered = deconv(
        input,
        point_filter,
        np.zeros((), input.dtype),
        window=_PLAIN,
        output_shape=[],
        groups=groups,
    )
    return deconv(filtered, plane_filter, bias, window=window, output_shape=output_shape, groups=0)


@macs("conv")
def conv_macs(inputs: Sequence[Shape], outputs: Sequence[Shape], _: dict[str, Any]) -> int:
    """Count one for each output element and each filter entry that contributes to it."""
    return math.prod(outputs[0]) * math.prod(inputs[1][1:])


@macs("deconv")
def deconv_macs(inputs: Sequence[Shape], _outputs: Sequence[Shape], _: dict[str, Any]) -> int:
    """Count one for each input element and each filter entry that multiplies it."""
    return math.prod(inputs[0]) * math.prod(inputs[1][1:])


@macs("separable_conv")
def separable_conv_macs(
    inputs: Sequence[Shape], outputs: Sequence[Shape], _: dict[str, Any]
) -> int:
    """Add the counts of the depthwise and the pointwise convolution."""
    _input, plane, point, *_rest = inputs
    batch, results, *extents = outputs[0]
    return batch * math.prod(extents) * (math.prod(plane) + results * point[1])


@macs("separable_deconv")
def separable_deconv_macs(
    inputs: Sequence[Shape], _outputs: Sequence[Shape], _: dict[str, Any]
) -> int:
    """Add the counts of the pointwise and the depthwise deconvolution."""
    shape, plane, point, *_rest = inputs
    items = shape[0] * math.prod(shape[2:])
    return items * (shape[1] * point[1] + math.prod(plane))


@flops("conv")
def conv_flops(inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
    """2 for each MAC; + 1 for each result if there is a bias: add."""
    return 2 * conv_macs(inputs, outputs, attribs) + bias_flops(inputs[2], outputs[0])


@flops("deconv")
def deconv_flops(inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
    """2 for each MAC; + 1 for each result if there is a bias: add."""
    return 2 * deconv_macs(inputs, outputs, attribs) + bias_flops(inputs[2], outputs[0])


@flops("separable_conv")
def separable_conv_flops(
    inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]
) -> int:
    """2 for each MAC; + 1 for each result if there is a bias: add."""
    return 2 * separable_conv_macs(inputs, outputs, attribs) + bias_flops(inputs[3], outputs[0])


@flops("separable_deconv")
def separable_deconv_flops(
    inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]
) -> int:
    """2 for each MAC; + 1 for each result if there is a bias: add."""
    return 2 * separable_deconv_macs(inputs, outputs, attribs) + bias_flops(inputs[3], outputs[0])

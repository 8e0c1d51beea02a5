"""Normalization (4.9.4)."""

from __future__ import annotations

import math

from nnefkit.arrays import Ints
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.operations.box import box
from nnefkit.execution.engines.onnxruntime.primitives import (
    add,
    align,
    div,
    elementwise,
    maximum,
    mul,
    reduce,
    sub,
    unary,
)
from nnefkit.operations.window import Window


@lowering("batch_normalization")
def batch_normalization(
    b: Builder,
    input: OnnxValue,
    mean: OnnxValue,
    variance: OnnxValue,
    offset: OnnxValue,
    scale: OnnxValue,
    *,
    epsilon: float,
) -> OnnxValue:
    """Return ``offset + scale * (input - mean) / sqrt(variance + epsilon)``."""
    parameters = [scale, offset, mean, variance]
    known = b.has("BatchNormalization", input) and input.rank >= 2
    if known and all(_is_for_channels(parameter, input) for parameter in parameters):
        flat = [_flat(b, parameter, input.shape[1]) for parameter in parameters]
        return b.node("BatchNormalization", [input, *flat], input.shape, epsilon=epsilon)
    x, mean, variance, offset, scale = align(b, input, mean, variance, offset, scale)
    factor = div(b, scale, unary(b, "Sqrt", add(b, variance, epsilon)))
    return add(b, mul(b, sub(b, x, mean), factor), offset)


def _is_for_channels(parameter: OnnxValue, input: OnnxValue) -> bool:
    """Return whether a parameter is a known number, or has one element for each channel."""
    if parameter.rank > input.rank:
        return False
    if parameter.data is not None and parameter.data.size == 1:
        return True
    channels = input.shape[1]
    return parameter.rank > 1 and parameter.shape[1] == math.prod(parameter.shape) == channels


def _flat(b: Builder, parameter: OnnxValue, channels: int) -> OnnxValue:
    if parameter.data is not None and parameter.data.size == 1 != channels:
        return b.constant(parameter.data.reshape(-1).repeat(channels))
    return b.reshape(parameter, (channels,))


@lowering("l1_normalization")
def l1_normalization(
    b: Builder, input: OnnxValue, *, axes: Ints, bias: float, epsilon: float
) -> OnnxValue:
    """Return ``input / max(sum(abs(input)) + bias, epsilon)``."""
    norm = reduce(b, "ReduceSum", unary(b, "Abs", input), axes)
    return div(b, input, maximum(b, add(b, norm, bias), epsilon))


@lowering("l2_normalization")
def l2_normalization(
    b: Builder, input: OnnxValue, *, axes: Ints, bias: float, epsilon: float
) -> OnnxValue:
    """Return ``input / max(sqrt(sum(input ^ 2)) + bias, epsilon)``."""
    norm = unary(b, "Sqrt", reduce(b, "ReduceSum", mul(b, input, input), axes))
    return div(b, input, maximum(b, add(b, norm, bias), epsilon))


def _average(b: Builder, x: OnnxValue, size: Ints) -> OnnxValue:
    """Return the average around each element; the border counts as zeros."""
    return box(b, x, window=Window(tuple(size)), normalize=True)


@lowering("local_response_normalization")
def local_response_normalization(
    b: Builder, input: OnnxValue, *, size: Ints, alpha: float, beta: float, bias: float
) -> OnnxValue:
    """Return ``input / (bias + alpha * mean square) ^ beta``."""
    across_channels = input.rank == 4 and size[0] == size[2] == size[3] == 1
    # ONNX Runtime rejects other factors and exponents.
    positive = alpha > 0 and beta > 0
    if across_channels and positive and size[1] % 2 and b.has("LRN", input):
        attributes = {"size": size[1], "alpha": alpha, "beta": beta, "bias": bias}
        return unary(b, "LRN", input, **attributes)
    energy = add(b, mul(b, _average(b, mul(b, input, input), size), alpha), bias)
    return div(b, input, elementwise(b, "Pow", energy, beta))


@lowering("local_mean_normalization")
def local_mean_normalization(b: Builder, input: OnnxValue, *, size: Ints) -> OnnxValue:
    """Return ``input - average``."""
    return sub(b, input, _average(b, input, size))


@lowering("local_variance_normalization")
def local_variance_normalization(
    b: Builder, input: OnnxValue, *, size: Ints, bias: float, epsilon: float
) -> OnnxValue:
    """Return ``input / max(root mean square + bias, epsilon)``."""
    sigma = unary(b, "Sqrt", _average(b, mul(b, input, input), size))
    return div(b, input, maximum(b, add(b, sigma, bias), epsilon))


@lowering("local_contrast_normalization")
def local_contrast_normalization(
    b: Builder, input: OnnxValue, *, size: Ints, bias: float, epsilon: float
) -> OnnxValue:
    """Apply `local_mean_normalization`, then `local_variance_normalization`."""
    centered = local_mean_normalization(b, input, size=size)
    return local_variance_normalization(b, centered, size=size, bias=bias, epsilon=epsilon)

"""Normalizations (4.9.4), and their folding into convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from nnefkit.exchange.compositions import distance, normalization
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import axes_of, reshaped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch.call import Call, operator
from nnefkit.exchange.torch.operators.convolution import conv


@operator("batch_norm", "_native_batch_norm_legit_no_training")
def batch_norm(
    c: Call,
    input: Value,
    weight: Value | None,
    bias: Value | None,
    running_mean: Value | None,
    running_var: Value | None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    cudnn_enabled: bool = False,
) -> Any:
    """Return `batch_normalization`, or the convolution before it with other weights.

    Without running statistics, the `moments` of the batch take their place.
    """
    if running_mean is None or running_var is None:
        return _one_or_first(c, _by_batch_statistics(c, input, weight, bias, eps))
    if training:
        _refuse_training()
    known = all(v is None or v.data is not None for v in (weight, bias, running_mean, running_var))
    if c.folds and c.convolution is not None and known:
        return _one_or_first(c, _folded(c, weight, bias, running_mean, running_var, eps))
    result = normalization.batch_normalization(
        c, input, running_mean, running_var, weight, bias, eps
    )
    return _one_or_first(c, result)


@operator("_native_batch_norm_legit_functional", "_native_batch_norm_legit", "native_batch_norm")
def native_batch_norm(
    c: Call,
    input: Value,
    weight: Value | None,
    bias: Value | None,
    running_mean: Value | None = None,
    running_var: Value | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> list[Value | None]:
    """Return `batch_normalization` by known statistics, or by the `moments` of the batch."""
    if c.wanted - {0} and not training:
        refuse("its returned statistics are used", "Compute the statistics separately.")
    if running_mean is not None and running_var is not None:
        if training:
            _refuse_training()
        result = normalization.batch_normalization(
            c, input, running_mean, running_var, weight, bias, eps
        )
        return [result, *[None] * (len(c.shapes) - 1)]
    result = _by_batch_statistics(c, input, weight, bias, eps)
    mean, deviation = None, None
    if c.wanted - {0}:
        axes = _all_but_channels(input)
        mean, variance = c.ops("moments", input, axes=axes)
        deviation = c.op("rsqrt", c.op("add", variance, c.decimal(eps)))
        mean, deviation = (reshaped(c, value, c.shapes[1]) for value in (mean, deviation))
    return [result, mean, deviation]


def _refuse_training() -> NoReturn:
    refuse(
        "it normalizes by the statistics of the batch and changes its running statistics",
        "Call module.eval() before the export. If the statistics of the batch are intended, create "
        "it with track_running_stats=False.",
    )


def _by_batch_statistics(
    c: Call, x: Value, scale: Value | None, offset: Value | None, eps: float
) -> Value:
    mean, variance = c.ops("moments", x, axes=_all_but_channels(x))
    return normalization.batch_normalization(c, x, mean, variance, scale, offset, eps)


def _all_but_channels(x: Value) -> list[int]:
    return [axis for axis in range(x.rank) if axis != 1]


def _one_or_first(c: Call, result: Value) -> Any:
    return [result, None, None] if c.operator.startswith("_native") else result


def _folded(
    c: Call, scale: Value | None, offset: Value | None, mean: Value, variance: Value, eps: float
) -> Value:
    given, c.padded = c.convolution or ({}, None)
    arguments = dict(given)
    kernel, bias = arguments["weight"], arguments.get("bias")
    factor = _wide(scale, 1) / np.sqrt(_wide(variance, 1) + eps)
    moved = (_wide(bias, 0) - _wide(mean, 0)) * factor + _wide(offset, 0)
    shape = (-1, *(1,) * (kernel.rank - 1))
    weights = [v for v in (kernel, bias, scale, offset, mean, variance) if v is not None]
    name = bias.name if bias is not None else f"{kernel.name.rpartition('.')[0]}.bias".lstrip(".")
    folded = {"weight": kernel.data * factor.reshape(shape), "bias": moved}
    for argument, stem in (("weight", kernel.name), ("bias", name)):
        value = c.graph.constant(folded[argument], kernel.dtype, f"{stem}_folded")
        value.sources = frozenset().union(*(weight.sources for weight in weights))
        arguments[argument] = value
    return conv(c, **arguments)


def _wide(x: Value | None, default: float) -> Any:
    return np.float64(default) if x is None or x.data is None else x.data.astype(np.float64)


@operator("layer_norm")
def layer_norm(
    c: Call,
    input: Value,
    normalized_shape: Sequence[int],
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Value:
    """Return ``layer_normalization``."""
    axes = range(input.rank - len(normalized_shape), input.rank)
    return normalization.layer_normalization(c, input, weight, bias, axes, eps)


@operator("native_layer_norm")
def native_layer_norm(
    c: Call,
    input: Value,
    normalized_shape: Sequence[int],
    weight: Value | None,
    bias: Value | None,
    eps: float,
) -> list[Value | None]:
    """Return ``layer_normalization``, and results of `moments`."""
    result = layer_norm(c, input, normalized_shape, weight, bias, eps)
    if not c.wanted - {0}:
        return [result, None, None]
    axes = range(input.rank - len(normalized_shape), input.rank)
    mean, variance = c.ops("moments", input, axes=[*axes])
    return [result, mean, c.op("rsqrt", c.op("add", variance, c.decimal(eps)))]


@operator("rms_norm")
def rms_norm(
    c: Call,
    input: Value,
    normalized_shape: Sequence[int],
    weight: Value | None = None,
    eps: float | None = None,
) -> Value:
    """Return ``rms_normalization``."""
    axes = range(input.rank - len(normalized_shape), input.rank)
    epsilon = float(np.finfo(input.dtype).eps) if eps is None else eps
    return normalization.rms_normalization(c, input, weight, axes, epsilon)


@operator("group_norm")
def group_norm(
    c: Call,
    input: Value,
    num_groups: int,
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Value:
    """Return ``group_normalization``."""
    return normalization.group_normalization(c, input, num_groups, weight, bias, eps)


@operator("instance_norm")
def instance_norm(
    c: Call,
    input: Value,
    weight: Value | None,
    bias: Value | None,
    running_mean: Value | None,
    running_var: Value | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = False,
) -> Any:
    """Return ``instance_normalization``, or `batch_normalization` with known statistics."""
    if not use_input_stats:
        return batch_norm(c, input, weight, bias, running_mean, running_var, False, 0.0, eps)
    if running_mean is not None:
        _refuse_training()
    return normalization.instance_normalization(c, input, weight, bias, eps)


@operator("linalg_vector_norm")
def vector_norm(
    c: Call, x: Value, ord: float = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Value:
    """Return the norm of vectors."""
    return reshaped(c, distance.norm(c, x, ord, axes_of(dim, x.rank)), c.shape)

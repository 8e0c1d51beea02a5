"""Normalizations (4.9.4), and their folding into convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from nnefkit.exchange.compositions import normalization
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import axes_of, reshaped
from nnefkit.exchange.source_graph import Value
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
    """Return `batch_normalization`, or the convolution before it with other weights."""
    if running_mean is None or running_var is None or training:
        refuse(
            "it normalizes by the statistics of the batch",
            "Call module.eval() before the export, and track running statistics.",
        )
    known = all(v is None or v.data is not None for v in (weight, bias, running_mean, running_var))
    if c.folds and c.convolution is not None and known:
        return _one_or_first(c, _folded(c, weight, bias, running_mean, running_var, eps))
    result = normalization.batch_normalization(
        c, input, running_mean, running_var, weight, bias, eps
    )
    return _one_or_first(c, result)


@operator("_native_batch_norm_legit_functional", "_native_batch_norm_legit", "native_batch_norm")
def batch_norm_in_training(c: Call, **arguments: Any) -> NoReturn:
    """Refuse normalization by the statistics of the batch."""
    refuse(
        "it normalizes by the statistics of the batch",
        "Call module.eval() before the export, and track running statistics.",
    )


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
    arguments["weight"] = c.graph.constant(
        kernel.data * factor.reshape(shape), kernel.dtype, kernel.name
    )
    name = bias.name if bias is not None else f"{kernel.name.rpartition('.')[0]}.bias".lstrip(".")
    arguments["bias"] = c.graph.constant(moved, kernel.dtype, name)
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
    """Return ``layer_normalization``."""
    if c.wanted - {0}:
        refuse("its statistics are used", "Compute the statistics separately.")
    return [layer_norm(c, input, normalized_shape, weight, bias, eps), None, None]


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
    return normalization.instance_normalization(c, input, weight, bias, eps)


@operator("linalg_vector_norm")
def vector_norm(
    c: Call, x: Value, ord: float = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Value:
    """Return the norm of vectors."""
    axes = axes_of(dim, x.rank)
    size = c.op("abs", x)
    if ord == 2:
        result = c.op("sqrt", c.op("sum_reduce", c.op("sqr", x), axes=axes))
    elif ord == 1:
        result = c.op("sum_reduce", size, axes=axes)
    elif np.isinf(ord):
        result = c.op("max_reduce" if ord > 0 else "min_reduce", size, axes=axes)
    elif ord == 0:
        result = c.op("sum_reduce", c.op("select", c.op("eq", x, 0.0), 0.0, 1.0), axes=axes)
    else:
        total = c.op("sum_reduce", c.op("pow", size, float(ord)), axes=axes)
        result = c.op("pow", total, 1 / float(ord))
    return reshaped(c, result, c.shape)

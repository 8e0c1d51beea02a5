"""Reductions, shapes, activations and quantization in PyTorch."""

import numpy as np
import torch
from torch.nn import functional

from oracles.foreign.oracle import extended


def tensors(*values):
    """Return arguments as tensors of one rank; missing dimensions are trailing."""
    made = [torch.as_tensor(np.asarray(value)) for value in values]
    if not all(isinstance(value, np.ndarray) for value in values):
        floats = [
            t
            for t, v in zip(made, values, strict=True)
            if isinstance(v, np.ndarray) and t.is_floating_point()
        ]
        made = [
            t if isinstance(v, (np.ndarray, bool)) else t.to(floats[0].dtype) if floats else t
            for t, v in zip(made, values, strict=True)
        ]
    rank = max(t.ndim for t in made)
    return [t.reshape((*t.shape, *[1] * (rank - t.ndim))) for t in made]


def aligned(function):
    def compute(*values):
        return function(*tensors(*values)).numpy()

    return compute


# -- reductions -----------------------------------------------------------------------------------


def reduced(function):
    def compute(input, axes, **attribs):
        if not axes:
            return None
        return function(torch.tensor(input), axes, **attribs).numpy()

    return compute


def flattened(x, axes):
    """Return the tensor with `axes` as one last dimension."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    return x.permute(*kept, *sorted(axes)).flatten(len(kept)) if axes else x[..., None]


def back(y, input, axes):
    """Undo `flattened` for a result of the same volume."""
    kept = [axis for axis in range(input.ndim) if axis not in axes]
    order = [*kept, *sorted(axes)]
    y = y.reshape([input.shape[axis] for axis in order])
    return y.permute([order.index(axis) for axis in range(input.ndim)])


def position(function):
    def compute(input, axes):
        found = function(flattened(torch.tensor(input), axes), -1)
        return found.reshape([1 if k in axes else n for k, n in enumerate(input.shape)]).numpy()

    return compute


def softmax(x, axes):
    return back(functional.softmax(flattened(torch.tensor(x), axes), -1), x, axes).numpy()


def moments(input, axes):
    if not axes:
        return None
    pair = torch.var_mean(torch.tensor(input), axes, correction=0, keepdim=True)
    return [part.numpy() for part in reversed(pair)]


def normalization(order):
    def compute(input, axes, bias, epsilon):
        if not axes:
            return None
        x = torch.tensor(input)
        norm = torch.linalg.vector_norm(x, order, axes, keepdim=True)
        return (x / (norm + bias).clamp_min(epsilon)).numpy()

    return compute


def batch_normalization(input, mean, variance, offset, scale, epsilon):
    if input.ndim < 2:
        return None
    channels = (1, input.shape[1])
    given = []
    for value in (mean, variance, scale, offset):
        array = np.asarray(value, input.dtype)
        if array.size != 1 and array.shape != channels:
            return None
        given.append(torch.tensor(np.broadcast_to(array.reshape(-1), channels[1:]).copy()))
    return functional.batch_norm(torch.tensor(input), *given, eps=epsilon).numpy()


def matmul(A, B, transposeA, transposeB):
    a, b = torch.tensor(A), torch.tensor(B)
    return torch.matmul(a.mT if transposeA else a, b.mT if transposeB else b).numpy()


def linear(input, filter, bias):
    if any(extent != 1 for extent in filter.shape[:-2]):
        return None
    count = filter.shape[-2]
    bias = np.broadcast_to(np.asarray(bias, input.dtype).reshape(-1), (count,)).copy()
    return functional.linear(
        torch.tensor(input), torch.tensor(filter.reshape(count, -1)), torch.tensor(bias)
    ).numpy()


# -- shapes ---------------------------------------------------------------------------------------


def listed(function):
    def compute(value, **attribs):
        return [part.numpy() for part in function(torch.tensor(value), **attribs)]

    return compute


def joined(function):
    def compute(values, axis):
        return function([torch.tensor(value) for value in values], axis).numpy()

    return compute


def reshape(input, shape, axis_start, axis_count):
    end = input.ndim if axis_count == -1 else axis_start + axis_count
    inner = [input.shape[axis_start + k] if n == 0 else n for k, n in enumerate(shape)]
    whole = [*input.shape[:axis_start], *inner, *input.shape[end:]]
    return torch.reshape(torch.tensor(input), whole).numpy()


def unsqueeze(input, axes):
    x = torch.tensor(input)
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    return x.numpy()


def split(value, axis, ratios):
    unit = value.shape[axis] // sum(ratios)
    parts = torch.split(torch.tensor(value), [unit * ratio for ratio in ratios], axis)
    return [part.numpy() for part in parts]


def slice_(input, axes, begin, end, stride):
    x = torch.tensor(input)
    for k, axis in enumerate(axes):
        chosen = range(x.shape[axis])[begin[k] : end[k] : stride[k] if stride else 1]
        x = x.index_select(axis, torch.tensor([*chosen], dtype=torch.int64))
    return x.numpy()


def pad(input, padding, border, value):
    if border in ("constant", "ignore"):
        pairs = [item for pair in reversed(padding) for item in pair]
        return functional.pad(torch.tensor(input), pairs, value=value).numpy() if pairs else input
    return extended(input, padding, border)


def gather(input, indices, axis):
    found = torch.tensor(input).index_select(axis, torch.tensor(indices.reshape(-1)))
    shape = (*input.shape[:axis], *indices.shape, *input.shape[axis + 1 :])
    return found.reshape(shape).numpy()


def cast(input, dtype):
    x = torch.tensor(input)
    if dtype == "integer":
        x = torch.floor(x) if x.is_floating_point() else x
        return x.to(torch.int64).numpy()
    return x.to({"scalar": torch.float64, "logical": torch.bool}[dtype]).numpy()


# -- activations, quantization --------------------------------------------------------------------


def prelu(x, alpha):
    if not isinstance(x, np.ndarray):
        return None
    alpha = np.asarray(alpha, x.dtype)
    if alpha.size != 1 and (x.ndim < 2 or alpha.shape != (1, x.shape[1])):
        return None
    if alpha.ndim > x.ndim:
        return None
    return functional.prelu(torch.tensor(x), torch.tensor(alpha.reshape(-1))).numpy()


def fake_quantized(x, scale, zero_point, low, high):
    x = torch.tensor(x.astype(np.float32))
    scale, zero_point = np.asarray(scale, np.float32), np.asarray(zero_point)
    if not low <= zero_point.min() <= zero_point.max() <= high:
        return None
    if scale.size == zero_point.size == 1:
        return torch.fake_quantize_per_tensor_affine(
            x, scale.item(), zero_point.item(), low, high
        ).numpy()
    count = max(scale.size, zero_point.size)
    if not x.ndim or any(a.size > 1 and a.ndim > 1 for a in (scale, zero_point)):
        return None
    channels = [np.broadcast_to(a.reshape(-1), (count,)).copy() for a in (scale, zero_point)]
    return torch.fake_quantize_per_channel_affine(
        x, torch.tensor(channels[0]), torch.tensor(channels[1]).to(torch.int32), 0, low, high
    ).numpy()


def zero_point_linear_quantize(x, zero_point, scale, bits, signed, symmetric):
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    low = 0 if not signed else -high if symmetric else -high - 1
    return fake_quantized(x, scale, zero_point, low, high)


def min_max_linear_quantize(x, min, max, bits, signed=False, symmetric=False):
    if np.size(min) > 1 or np.size(max) > 1 or np.ndim(min) > x.ndim or np.ndim(max) > x.ndim:
        return None
    low, high = np.asarray(min).item(), np.asarray(max).item()
    steps = 2**bits - 1 - (signed and symmetric)
    return fake_quantized(x - low, (high - low) / steps, 0, 0, steps) + low


def logarithmic_quantize(x, max, bits):
    x, limit = tensors(x, max)
    top = torch.ceil(torch.log2(limit))
    exponent = torch.round(
        torch.minimum(torch.maximum(torch.log2(x.abs()), top - (2**bits - 1)), top)
    )
    return (torch.sign(x) * torch.exp2(exponent)).numpy()

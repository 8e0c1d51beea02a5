"""Reductions, shapes, activations and quantization in ONNX Runtime."""

import math

import numpy as np
import onnx

from oracles.foreign.onnx_node import arrays, ints, one, run, single
from oracles.foreign.onnx_windows import pads

# -- reductions -----------------------------------------------------------------------------------


def reduced(op):
    def compute(input, axes):
        if not axes:
            return None
        return one(op, single(input), constants=(ints(*axes),), keepdims=1)

    return compute


def sum_reduce(input, axes, normalize):
    return reduced("ReduceMean" if normalize else "ReduceSum")(input, axes)


def position(op):
    def compute(input, axes):
        return one(op, single(input), axis=axes[0], keepdims=1) if len(axes) == 1 else None

    return compute


def logical(op):
    def compute(input, axes):
        found = reduced(op)(input.astype(np.int32), axes)
        return None if found is None else found.astype(bool)

    return compute


def softmax(x, axes):
    return one("Softmax", single(x), axis=axes[0]) if len(axes) == 1 else None


def normalization(op):
    def compute(input, axes, bias, epsilon):
        norm = reduced(op)(input, axes)
        return None if norm is None else input / np.maximum(norm + bias, epsilon)

    return compute


def moments(input, axes):
    mean = reduced("ReduceMean")(input, axes)
    if mean is None:
        return None
    return [mean, reduced("ReduceMean")(np.square(input - mean), axes)]


def batch_normalization(input, mean, variance, offset, scale, epsilon):
    if input.ndim < 2:
        return None
    given = []
    for value in (scale, offset, mean, variance):
        array = np.asarray(value, np.float32)
        if array.size != 1 and array.shape != (1, input.shape[1]):
            return None
        given.append(single(np.broadcast_to(array.reshape(-1), (input.shape[1],))))
    return one("BatchNormalization", single(input), *given, epsilon=epsilon)


def matmul(A, B, transposeA, transposeB):
    a = A.swapaxes(-1, -2) if transposeA else A
    b = B.swapaxes(-1, -2) if transposeB else B
    return one("MatMul", single(a), single(b))


def linear(input, filter, bias):
    if input.ndim != 2:
        return None
    bias = np.broadcast_to(np.asarray(bias, np.float32).reshape(-1), (len(filter),))
    return one("Gemm", single(input), single(filter), single(bias), transB=1)


# -- shapes ---------------------------------------------------------------------------------------


def reshape(input, shape, axis_start, axis_count):
    end = input.ndim if axis_count == -1 else axis_start + axis_count
    inner = [input.shape[axis_start + k] if n == 0 else n for k, n in enumerate(shape)]
    whole = ints(*input.shape[:axis_start], *inner, *input.shape[end:])
    return one("Reshape", single(input), constants=(whole,))


def transpose(input, axes):
    order = [*axes, *range(len(axes), input.ndim)]
    return one("Transpose", single(input), perm=order) if order else None


def split(value, axis, ratios):
    unit = value.shape[axis] // sum(ratios)
    names = [f"y{i}" for i in range(len(ratios))]
    parts = ints(*(unit * ratio for ratio in ratios))
    return run([("Split", ["x", parts], names, {"axis": axis})], {"x": single(value)}, names)


def concat(values, axis):
    return one("Concat", *map(single, values), axis=axis)


def stack(values, axis):
    names = [f"x{i}" for i in range(len(values))]
    nodes = [("Unsqueeze", [name, ints(axis)], [f"{name}_"], {}) for name in names]
    nodes.append(("Concat", [f"{name}_" for name in names], ["y"], {"axis": axis}))
    return run(nodes, dict(zip(names, map(single, values), strict=True)), ["y"])[0]


def unstack(value, axis):
    names = [f"y{i}" for i in range(value.shape[axis])]
    nodes = [("Split", ["x"], [f"{n}_" for n in names], {"axis": axis, "num_outputs": len(names)})]
    nodes += [("Squeeze", [f"{name}_", ints(axis)], [name], {}) for name in names]
    return run(nodes, {"x": single(value)}, names)


def slice_(input, axes, begin, end, stride):
    if not input.ndim:
        return None
    given = (ints(*begin), ints(*end), ints(*axes), ints(*(stride or [1] * len(axes))))
    return one("Slice", single(input), constants=given)


def pad(input, padding, border, value):
    modes = {"constant": "constant", "replicate": "edge", "reflect": "reflect"}
    if border not in modes or not padding:
        return None
    for (p, q), extent in zip(padding, input.shape, strict=True):
        if border == "reflect" and max(p, q) >= extent:
            return None  # one reflection only
        if border != "constant" and min(p, q) < 0:
            return None
    constants = (ints(*pads(padding)), np.float32(value))
    return one("Pad", single(input), constants=constants, mode=modes[border])


def cast(input, dtype):
    kinds = {"scalar": onnx.TensorProto.FLOAT, "logical": onnx.TensorProto.BOOL}
    array = single(input)
    if dtype != "integer":
        return one("Cast", array, to=kinds[dtype])
    if array.dtype.kind != "f":
        return one("Cast", array, to=onnx.TensorProto.INT64)
    nodes = [("Floor", ["x"], ["z"], {}), ("Cast", ["z"], ["y"], {"to": onnx.TensorProto.INT64})]
    return run(nodes, {"x": array}, ["y"])[0]


# -- activations, quantization --------------------------------------------------------------------


def prelu(x, alpha):
    x, alpha = arrays(x, alpha)
    shape = np.broadcast_shapes(x.shape, alpha.shape)
    return one("PRelu", x, alpha) if shape == x.shape else None


def quantized(x, scale, zero_point, bits, signed, symmetric):
    """Quantize to eight bits by QuantizeLinear, and dequantize."""
    scale, zero = np.asarray(scale, np.float32), np.asarray(zero_point)
    dtype = np.int8 if signed else np.uint8
    info = np.iinfo(dtype)
    if bits != 8 or (signed and symmetric) or not info.min <= zero.min() <= zero.max() <= info.max:
        return None
    if max(scale.ndim, zero.ndim) > min(x.ndim, 1):
        return None
    count = max(scale.size, zero.size)
    shape = (count,) if max(scale.ndim, zero.ndim) else ()
    given = (
        single(np.broadcast_to(scale, shape)),
        np.broadcast_to(zero, shape).astype(dtype),
    )
    nodes = [
        ("QuantizeLinear", ["x", *given], ["q"], {"axis": 0}),
        ("DequantizeLinear", ["q", *given], ["y"], {"axis": 0}),
    ]
    return run(nodes, {"x": single(x)}, ["y"])[0]


def min_max(x, min, max, bits, signed=False, symmetric=False):
    if bits != 8 or (signed and symmetric) or np.ndim(min) or np.ndim(max):
        return None
    low, high = float(min), float(max)
    return quantized(x - low, (high - low) / 255, 0, 8, False, False) + low


def logarithmic(x, max, bits):
    x, limit = arrays(x, max)
    nodes = [
        ("Log", ["limit"], ["a"], {}),
        ("Div", ["a", np.float32(math.log(2))], ["b"], {}),
        ("Ceil", ["b"], ["top"], {}),
        ("Sub", ["top", np.float32(2**bits - 1)], ["bottom"], {}),
        ("Abs", ["x"], ["c"], {}),
        ("Log", ["c"], ["d"], {}),
        ("Div", ["d", np.float32(math.log(2))], ["e"], {}),
        ("Min", ["e", "top"], ["f"], {}),
        ("Max", ["f", "bottom"], ["g"], {}),
        ("Round", ["g"], ["h"], {}),
        ("Pow", [np.float32(2), "h"], ["i"], {}),
        ("Sign", ["x"], ["j"], {}),
        ("Mul", ["i", "j"], ["y"], {}),
    ]
    return run(nodes, {"x": x, "limit": limit}, ["y"])[0]

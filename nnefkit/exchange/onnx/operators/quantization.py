"""Quantisation: codes as integers, and pairs of quantising and dequantising as one operation."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.onnx.operators.linear_algebra import product
from nnefkit.exchange.onnx.values import binary
from nnefkit.exchange.reshaping import expanded, reshaped, to_dtype, to_scalar
from nnefkit.exchange.source_graph import Value


@operator("QuantizeLinear")
def quantize(c: Call) -> Value:
    """``clamp(round(x / scale) + zero_point)`` as integers."""
    from onnx import helper

    zero = c.get(2)
    code = c.attribute("output_dtype", 0)
    dtype = np.dtype(np.uint8)
    if zero is not None:
        dtype = zero.dtype
    elif code:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(code))
    if dtype.name not in ("int8", "uint8", "int16", "uint16"):
        c.refuse(f"codes of type {dtype.name} are not read", "Quantise to 8 or 16 bits.")
    x, scale = to_scalar(c, c[0]), _parameter(c, c[1], c[0])
    offset = None if zero is None else _parameter(c, zero, c[0])
    result = quantized(c, x, scale, offset, dtype)
    _sources(c)[id(result)] = (result, x, c[1], zero)
    return result


def quantized(c: Call, x: Value, scale: Value, zero: Value | None, dtype: np.dtype[Any]) -> Value:
    """The codes of `x`."""
    code = elementwise.rounded(c, binary(c, "div", x, scale))
    if zero is not None and not (zero.data is not None and not zero.data.any()):
        code = binary(c, "add", code, zero)
    limits = np.iinfo(dtype)
    return to_dtype(c, c.op("clamp", code, float(limits.min), float(limits.max)), dtype)


@operator("DynamicQuantizeLinear")
def quantize_dynamically(c: Call) -> list[Value | None]:
    """Codes of 8 bits, their scale and zero point by the least and the greatest item and 0."""
    x, axes = c[0], [*range(c[0].rank)]
    with c.graph.scope("dynamic_quantize_linear"):
        low, high = (c.op(f"{name}_reduce", x, axes=axes) if axes else x for name in ("min", "max"))
        low, high = c.op("min", low, 0.0), c.op("max", high, 0.0)
        extent = c.op("sub", high, low)
        # Of zeros alone the scale is 1: no runtime divides by 0.
        scale = c.op("select", c.op("eq", extent, 0.0), 1.0, c.op("div", extent, 255.0))
        point = elementwise.rounded(c, c.op("div", c.op("neg", low), scale))
        point = c.op("clamp", point, 0.0, 255.0)
        code = c.op("add", elementwise.rounded(c, c.op("div", x, scale)), point)
        code = c.op("clamp", code, 0.0, 255.0)
    dtype = np.dtype(np.uint8)
    points = to_dtype(c, reshaped(c, point, ()), dtype)
    return [to_dtype(c, code, dtype), reshaped(c, scale, ()), points]


def _sources(c: Call) -> dict[int, tuple[Value, Value, Value, Value | None]]:
    """What codes were made of, for those that make numbers of them again."""
    found: dict[int, Any] = c.graph.notes.setdefault("quantized", {})
    return found


@operator("DequantizeLinear")
def dequantize(c: Call) -> Value:
    """``(code - zero_point) scale``; of codes that were just made, a pseudo-quantisation."""
    source = _sources(c).get(id(c[0]))
    if source is not None and _same(source[2], c[1]) and _same(source[3], c.get(2)):
        return _pseudo(c, source[1])
    zero = c.get(2)
    return dequantized(c, c[0], _parameter(c, c[1], c[0]), zero and _parameter(c, zero, c[0]))


def dequantized(c: Call, x: Value, scale: Value, zero: Value | None) -> Value:
    """The numbers that codes stand for."""
    number = to_scalar(c, x)
    if zero is not None and not (zero.data is not None and not zero.data.any()):
        number = binary(c, "sub", number, zero)
    return binary(c, "mul", number, scale)


def _pseudo(c: Call, x: Value) -> Value:
    dtype = c[0].dtype
    zero, scale = c.get(2), _parameter(c, c[1], x)
    point: Any = 0
    if zero is not None:
        point = _shaped(c, zero, x)
    return c.op(
        "zero_point_linear_quantize",
        x,
        point,
        scale,
        bits=8 * dtype.itemsize,
        signed=dtype.kind == "i",
        symmetric=False,
    )


def _same(x: Value | None, y: Value | None) -> bool:
    if x is y:
        return True
    if x is None or y is None or x.data is None or y.data is None:
        return False
    return bool(np.array_equal(x.data, y.data))


def _parameter(c: Call, value: Value, x: Value) -> Value:
    """A scale or zero point as it stands beside `x`: one number, for each entry, or for blocks."""
    return to_scalar(c, _shaped(c, value, x))


def _shaped(c: Call, value: Value, x: Value) -> Value:
    if value.rank == 0:
        return value
    if value.shape == (1,):
        return reshaped(c, value, ())
    axis = c.axis("axis", 1, x.rank)
    if value.rank == 1:
        return reshaped(c, value, (*[1] * axis, value.shape[0], *[1] * (x.rank - axis - 1)))
    block = int(c.attribute("block_size", 0))
    if not block or x.shape[axis] != value.shape[axis] * block:
        c.refuse("its blocks do not divide the axis", "Quantise in blocks of equal size.")
    parts = reshaped(c, value, (*value.shape[: axis + 1], 1, *value.shape[axis + 1 :]))
    wide = expanded(c, parts, (*value.shape[: axis + 1], block, *value.shape[axis + 1 :]))
    return reshaped(c, wide, x.shape)


@operator("QLinearMatMul")
def matmul(c: Call) -> Value:
    """A product of the numbers that codes stand for, as codes."""
    dtype = c[7].dtype
    if dtype.name not in ("int8", "uint8"):
        c.refuse(f"codes of type {dtype.name} are not read", "Quantise to 8 bits.")

    def centered(index: int, rows: bool) -> tuple[Value, Value]:
        scale, zero = to_scalar(c, c[index + 1]), to_scalar(c, c[index + 2])
        if rows and scale.rank == 1 and scale.shape[0] > 1:
            scale, zero = (reshaped(c, v, (*v.shape, 1)) for v in (scale, zero))
        return binary(c, "sub", to_scalar(c, c[index]), zero), scale

    (a, a_scale), (b, b_scale) = centered(0, True), centered(3, False)
    factor = binary(c, "div", binary(c, "mul", a_scale, b_scale), to_scalar(c, c[6]))
    return _requantized(c, binary(c, "mul", product(c, a, b), factor), c[7], dtype)


def _requantized(c: Call, x: Value, zero: Value, dtype: np.dtype[Any]) -> Value:
    code = binary(c, "add", elementwise.rounded(c, x), to_scalar(c, zero))
    limits = np.iinfo(dtype)
    return to_dtype(c, c.op("clamp", code, float(limits.min), float(limits.max)), dtype)


@operator("QLinearConv")
def convolution(c: Call) -> Value:
    """A convolution of the numbers that codes stand for, as codes."""
    from nnefkit.exchange.onnx.operators.convolution import padding_of, steps

    dtype = c[7].dtype
    if dtype.name not in ("int8", "uint8"):
        c.refuse(f"codes of type {dtype.name} are not read", "Quantise to 8 bits.")
    x = binary(c, "sub", to_scalar(c, c[0]), to_scalar(c, c[2]))

    def channels(value: Value, shape: tuple[int, ...]) -> Value:
        number = to_scalar(c, value)
        return reshaped(c, number, shape) if number.rank and number.shape[0] > 1 else number

    zero = channels(c[5], (*c[5].shape, *[1] * (x.rank - 1)))
    weight = binary(c, "sub", to_scalar(c, c[3]), zero)
    count = x.rank - 2
    stride, dilation = steps(c, "strides", count), steps(c, "dilations", count)
    bias = c.get(8)
    summed = c.op(
        "conv",
        x,
        weight,
        *([] if bias is None else [reshaped(c, to_scalar(c, bias), (1, *bias.shape))]),
        padding=padding_of(c, x.shape[2:], weight.shape[2:], stride, dilation),
        stride=stride,
        dilation=dilation,
        groups=int(c.attribute("group", 1)),
    )
    scale = binary(c, "mul", to_scalar(c, c[1]), to_scalar(c, c[4]))
    factor = binary(c, "div", scale, to_scalar(c, c[6]))
    if factor.rank and factor.shape[0] > 1:
        factor = reshaped(c, factor, (1, factor.shape[0], *[1] * count))
    return _requantized(c, binary(c, "mul", summed, factor), c[7], dtype)

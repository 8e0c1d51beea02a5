"""Quantization to codes, and quantization with dequantization as one operation (4.9.5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnefkit.exchange.compositions.elementwise import rounded
from nnefkit.exchange.compositions.linear_algebra import product
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.onnx.operators.convolution import convolved
from nnefkit.exchange.reshaping import expanded, reshaped, to_dtype, to_scalar
from nnefkit.exchange.source_value import DType, Value

_CODES = ("int8", "uint8", "int16", "uint16")
_BYTES = ("int8", "uint8")


# -- QuantizeLinear and DequantizeLinear -----------------------------------------------------------


@operator("QuantizeLinear")
def quantize(c: Call) -> Value:
    """Read ``clamp(round(x / scale) + zero_point)`` as integers."""
    dtype, zero = _code_dtype(c), c.get(2)
    x, scale = to_scalar(c, c[0]), _parameter(c, c[1], c[0])
    codes = c.elementwise("div", x, scale)
    offset = None if zero is None else _parameter(c, zero, c[0])
    result = codes_of(c, codes, offset, dtype)
    _quantized(c)[id(result)] = (result, x, c[1], zero)
    return result


def _code_dtype(c: Call) -> DType:
    from onnx import helper

    zero, code = c.get(2), c.attribute("output_dtype", 0)
    if zero is not None:
        dtype = zero.dtype
    else:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(code) if code else np.uint8)
    if dtype.name not in _CODES:
        c.refuse(f"codes of type {dtype.name} are not supported", "Quantize to 8 or 16 bits.")
    return dtype


SCALE, ZERO_POINT = "scale", "zero point"


def codes_of(c: Call, x: Value, zero: Value | None, dtype: DType) -> Value:
    """Return numbers in units of the scale as codes."""
    codes = rounded(c, x)
    if zero is not None and (zero.data is None or zero.data.any()):
        codes = c.elementwise("add", codes, zero)
    limits = np.iinfo(dtype)
    return to_dtype(c, c.op("clamp", codes, float(limits.min), float(limits.max)), dtype)


def _quantized(c: Call) -> dict[int, tuple[Value, Value, Value, Value | None]]:
    """Return the notes about codes: id of the codes -> codes, numbers, scale and zero point."""
    noted: dict[int, tuple[Value, Value, Value, Value | None]] = c.graph.notes.setdefault(
        "quantized", {}
    )
    return noted


@operator("DequantizeLinear")
def dequantize(c: Call) -> Value:
    """Read ``(code - zero_point) scale``; with its QuantizeLinear, it is a pseudo-quantization."""
    codes, scale, zero = c[0], c[1], c.get(2)
    source = _quantized(c).get(id(codes))
    if source is not None and _is_same(source[2], scale) and _is_same(source[3], zero):
        x = source[1]
        return c.op(
            "zero_point_linear_quantize",
            x,
            0 if zero is None else _shaped(c, zero, x),
            _parameter(c, scale, x),
            bits=8 * codes.dtype.itemsize,
            signed=codes.dtype.kind == "i",
            symmetric=False,
        )
    number = to_scalar(c, codes)
    if zero is not None and (zero.data is None or zero.data.any()):
        number = c.elementwise("sub", number, _parameter(c, zero, codes))
    return c.elementwise("mul", number, _parameter(c, scale, codes))


def _is_same(x: Value | None, y: Value | None) -> bool:
    if x is y:
        return True
    if x is None or y is None or x.data is None or y.data is None:
        return False
    return bool(np.array_equal(x.data, y.data))


def _parameter(c: Call, parameter: Value, x: Value) -> Value:
    """Return a scale or zero point as scalars whose shape broadcasts to that of `x`."""
    return to_scalar(c, _shaped(c, parameter, x))


def _shaped(c: Call, parameter: Value, x: Value) -> Value:
    """Return a parameter per tensor, axis or block, in a shape that broadcasts to `x`."""
    shape = parameter.shape
    if parameter.rank == 0:
        return parameter
    if shape == (1,):
        return reshaped(c, parameter, ())
    axis = c.axis("axis", 1, x.rank)
    if parameter.rank == 1:
        return reshaped(c, parameter, (*[1] * axis, shape[0], *[1] * (x.rank - axis - 1)))
    block = int(c.attribute("block_size", 0))
    if not block or x.shape[axis] != shape[axis] * block:
        c.refuse("its block size does not divide the axis", "Quantize in blocks of equal size.")
    single = reshaped(c, parameter, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
    return reshaped(
        c, expanded(c, single, (*shape[: axis + 1], block, *shape[axis + 1 :])), x.shape
    )


@operator("DynamicQuantizeLinear")
def quantize_dynamically(c: Call) -> list[Value]:
    """Read 8-bit codes whose scale and zero point depend on the range of the elements and 0."""
    dtype = np.dtype(np.uint8)
    with c.graph.scope("dynamic_quantize_linear"):
        codes, scale, zero = codes_by_range(c, c[0])
    return [
        to_dtype(c, codes, dtype),
        reshaped(c, scale, ()),
        to_dtype(c, reshaped(c, zero, ()), dtype),
    ]


def codes_by_range(c: Call, x: Value) -> tuple[Value, Value, Value]:
    """Return scalars as codes from 0 to 255, their scale, and the code of 0."""
    axes = [*range(x.rank)]
    low, high = (c.op(f"{name}_reduce", x, axes=axes) if axes else x for name in ("min", "max"))
    low, high = c.op("min", low, 0.0), c.op("max", high, 0.0)
    extent = c.op("sub", high, low)
    # The scale of zeros is 1, since engines must not divide by 0.
    scale = c.op("select", c.op("eq", extent, 0.0), 1.0, c.op("div", extent, 255.0))
    zero = c.op("clamp", rounded(c, c.op("div", c.op("neg", low), scale)), 0.0, 255.0)
    codes = c.op("add", rounded(c, c.op("div", x, scale)), zero)
    return c.op("clamp", codes, 0.0, 255.0), scale, zero


def numbers_by_range(c: Call, x: Value) -> Value:
    """Return scalars rounded to the numbers of their codes; see `codes_by_range`."""
    c.check_scalars(x)
    with c.graph.scope("dynamic_quantize"):
        codes, scale, zero = codes_by_range(c, x)
        return c.op("mul", c.op("sub", codes, zero), scale)


# -- operators on codes ----------------------------------------------------------------------------


@operator("QLinearMatMul")
def quantized_matmul(c: Call) -> Value:
    """Read the product of the numbers that codes represent, as codes."""
    dtype = _result_dtype(c)
    (a, a_scale), (b, b_scale) = _matrix(c, 0, is_left=True), _matrix(c, 3, is_left=False)
    scale = c.elementwise("mul", a_scale, b_scale)
    factor = c.elementwise("div", scale, to_scalar(c, c.one_number(c[6], SCALE)))
    units = c.elementwise("mul", product(c, a, b), factor)
    return codes_of(c, units, to_scalar(c, c.one_number(c[7], ZERO_POINT)), dtype)


def _matrix(c: Call, index: int, *, is_left: bool) -> tuple[Value, Value]:
    """Return the codes of a matrix minus their zero point, and their scale."""
    codes = c.ranked(index, 1)
    count = (codes.shape[-2] if codes.rank > 1 else 1) if is_left else codes.shape[-1]
    scale, zero = c[index + 1], c[index + 2]
    if max(scale.rank, zero.rank) < 2:
        scale = c.one_or_each(scale, count, SCALE)
        zero = c.one_or_each(zero, count, ZERO_POINT)
    scale, zero = to_scalar(c, scale), to_scalar(c, zero)
    if is_left and scale.rank == 1 and scale.shape[0] > 1:
        # One for each row.
        scale, zero = (reshaped(c, value, (*value.shape, 1)) for value in (scale, zero))
    return c.elementwise("sub", to_scalar(c, codes), zero), scale


@operator("QLinearConv")
def quantized_convolution(c: Call) -> Value:
    """Read the convolution of the numbers that codes represent, as codes."""
    dtype, bias = _result_dtype(c), c.get(8)
    x = to_scalar(c, c[0])
    x = c.elementwise("sub", x, to_scalar(c, c.one_number(c[2], ZERO_POINT)))
    zero = _by_channel(c, to_scalar(c, c[5]), (-1, *[1] * (x.rank - 1)))
    weight = c.elementwise("sub", to_scalar(c, c[3]), zero)
    summed = convolved(c, x, weight, None if bias is None else to_scalar(c, bias))
    scales = to_scalar(c, c.one_number(c[1], SCALE)), to_scalar(c, c[4])
    result_scale = to_scalar(c, c.one_number(c[6], SCALE))
    factor = c.elementwise("div", c.elementwise("mul", *scales), result_scale)
    factor = _by_channel(c, factor, (1, -1, *[1] * (x.rank - 2)))
    units = c.elementwise("mul", summed, factor)
    return codes_of(c, units, to_scalar(c, c.one_number(c[7], ZERO_POINT)), dtype)


def _by_channel(c: Call, parameter: Value, shape: Sequence[int]) -> Value:
    """Return a parameter with its elements along the axis of `shape` that is -1."""
    if not parameter.rank or parameter.shape[0] == 1:
        return parameter
    return reshaped(c, parameter, [parameter.shape[0] if n == -1 else n for n in shape])


def _result_dtype(c: Call) -> DType:
    dtype = c[7].dtype
    if dtype.name not in _BYTES:
        c.refuse(f"codes of type {dtype.name} are not supported", "Quantize to 8 bits.")
    return dtype

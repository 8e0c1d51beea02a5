"""Layers on codes, as ONNX Runtime's quantization writes them, of the domain ``com.microsoft``.

Codes are turned into numbers, computed with, and turned into codes again; sums of products of codes
are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nnefkit.exchange.compositions.linear_algebra import product
from nnefkit.exchange.onnx.call import MICROSOFT, Call, operator
from nnefkit.exchange.onnx.operators.pooling import average_pool
from nnefkit.exchange.onnx.operators.quantization import (
    SCALE,
    ZERO_POINT,
    codes_of,
    dequantize,
    numbers_by_range,
    quantize,
)
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, to_scalar, transposed
from nnefkit.exchange.source_value import DType, Value

_BYTES = ("int8", "uint8")


def _number(c: Call, index: int) -> Value:
    """Return the numbers of an input of codes, whose scale and zero point follow it."""
    return numbers_of(c, c[index], c[index + 1], c.get(index + 2))


def numbers_of(c: Call, codes: Value, scale: Value, zero: Value | None) -> Value:
    """Return ``(codes - zero) scale``."""
    x, scale = to_scalar(c, codes), c.one_number(scale, SCALE)
    if zero is not None and (zero.data is None or zero.data.any()):
        x = c.elementwise("sub", x, to_scalar(c, c.one_number(zero, ZERO_POINT)))
    return c.elementwise("mul", x, to_scalar(c, scale))


def _codes(c: Call, x: Value, scale: Value, zero: Value | None, dtype: DType) -> Value:
    """Return numbers as codes of 8 bits."""
    if dtype.name not in _BYTES:
        refuse(f"codes of type {dtype.name} are not supported", "Quantize to 8 bits.")
    units = c.elementwise("div", x, to_scalar(c, c.one_number(scale, SCALE)))
    zero = None if zero is None else to_scalar(c, c.one_number(zero, ZERO_POINT))
    return codes_of(c, units, zero, dtype)


# -- elementwise -----------------------------------------------------------------------------------


@operator("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def quantized_arithmetic(c: Call) -> Value:
    """Read the sum or product of the numbers that codes represent, as codes."""
    name = "add" if c.operator == "QLinearAdd" else "mul"
    result = c.elementwise(name, _number(c, 0), _number(c, 3))
    return _codes(c, result, c[6], c.get(7), c[0].dtype)


@operator("QLinearSigmoid", "QLinearLeakyRelu", domain=MICROSOFT)
def quantized_activation(c: Call) -> Value:
    """Read an activation of the numbers that codes represent, as codes."""
    x = _number(c, 0)
    if c.operator == "QLinearSigmoid":
        result = c.op("sigmoid", x)
    else:
        result = c.op("leaky_relu", x, alpha=c.number("alpha", 0.01))
    return _codes(c, result, c[3], c.get(4), c[0].dtype)


@operator("QLinearSoftmax", domain=MICROSOFT)
def quantized_softmax(c: Call) -> Value:
    """Read a softmax of the numbers that codes represent, as codes."""
    x = c[0]
    is_old = int(c.attribute("opset", 13)) < 13
    axis = c.axis("axis", 1 if is_old else -1, x.rank)
    # The zero point of the input cancels.
    number = c.elementwise("mul", to_scalar(c, x), to_scalar(c, c.one_number(c[1], SCALE)))
    result = c.op("softmax", number, axes=[*range(axis, x.rank)] if is_old else [axis])
    return _codes(c, result, c[3], c.get(4), x.dtype)


@operator("QLinearWhere", domain=MICROSOFT)
def quantized_choice(c: Call) -> Value:
    """Read a choice between the numbers that codes represent, as codes."""
    result = c.elementwise("select", c[0], _number(c, 1), _number(c, 4))
    return _codes(c, result, c[7], c.get(8), c[1].dtype)


@operator("QLinearConcat", domain=MICROSOFT)
def quantized_concat(c: Call) -> Value:
    """Read a concatenation of the numbers that codes represent, as codes."""
    parts = [
        _codes(c, _number(c, index), c[0], c[1], c[index].dtype)
        for index in range(2, len(c.inputs), 3)
    ]
    if len(parts) == 1:
        return parts[0]
    return c.op("concat", parts, axis=c.axis("axis", 0, parts[0].rank))


# -- pooling ---------------------------------------------------------------------------------------


@operator("QLinearGlobalAveragePool", domain=MICROSOFT)
def quantized_global_average_pool(c: Call) -> Value:
    """Read the mean over the spatial axes, as codes."""
    x = _number(c, 0)
    axes = [*range(1, x.rank - 1)] if c.attribute("channels_last", 0) else [*range(2, x.rank)]
    return _codes(c, c.op("mean_reduce", x, axes=axes), c[3], c.get(4), c[0].dtype)


@operator("QLinearAveragePool", domain=MICROSOFT)
def quantized_average_pool(c: Call) -> Value:
    """Read an average pooling of the numbers that codes represent, as codes."""
    if c.attribute("channels_last", 0):
        refuse("its channels are the last axis", "Save the model with channels first.")
    pooled = average_pool(_with_inputs(c, [_number(c, 0)]))
    return _codes(c, pooled, c[3], c.get(4), c[0].dtype)


def _with_inputs(c: Call, inputs: Sequence[Value]) -> Call:
    """Return the call of a node with other inputs."""
    return replace(c, inputs=inputs)


# -- products --------------------------------------------------------------------------------------


@operator("QGemm", domain=MICROSOFT)
def quantized_gemm(c: Call) -> Value:
    """Read ``alpha A B + C`` of the numbers that codes represent, as codes or as numbers.

    The codes of C have the product of the scales of A and B, times alpha.
    """
    a, b = _centered(c, 0, 2), _centered(c, 3, 5, columns=True)
    if c.attribute("transA", 0):
        a = transposed(c, a, [1, 0])
    if c.attribute("transB", 0):
        b = transposed(c, b, [1, 0])
    total, bias = product(c, a, b), c.get(6)
    if bias is not None:
        total = c.elementwise("add", total, to_scalar(c, bias))
    scale = c.elementwise("mul", _scale(c, 1), _scale(c, 4, columns=b.shape[-1]))
    alpha = c.number("alpha", 1.0)
    scale = scale if alpha == 1 else c.op("mul", scale, alpha)
    result = c.elementwise("mul", total, scale)
    return result if c.get(7) is None else _codes(c, result, c[7], c.get(8), _code_dtype(c))


def _code_dtype(c: Call) -> DType:
    zero = c.get(8)
    return c[0].dtype if zero is None else zero.dtype


def _scale(c: Call, index: int, *, columns: int = 1) -> Value:
    """Return the scale of codes, one number or one for each column."""
    return to_scalar(c, c.one_or_each(c[index], columns, SCALE))


def _centered(c: Call, index: int, zero_index: int, *, columns: bool = False) -> Value:
    """Return codes minus their zero point, one number or one for each column."""
    x, zero = to_scalar(c, c[index]), c.get(zero_index)
    if zero is None or (zero.data is not None and not zero.data.any()):
        return x
    is_turned = columns and bool(c.attribute("transB", 0))
    count = x.shape[-2 if is_turned else -1] if columns and x.rank else 1
    zero = c.one_or_each(zero, count, ZERO_POINT)
    if zero.rank and is_turned:
        zero = reshaped(c, zero, (zero.shape[0], 1))
    return c.elementwise("sub", x, to_scalar(c, zero))


@operator("MatMulIntegerToFloat", domain=MICROSOFT)
def integer_product(c: Call) -> Value:
    """Read the product of codes, times their scales, plus a bias."""
    c.check_scalars(c[2], c[3], c.get(6))
    b = _centered(c, 1, 5, columns=True)
    total = product(c, _centered(c, 0, 4), b)
    scale = c.elementwise("mul", _scale(c, 2), _scale(c, 3, columns=b.shape[-1]))
    result, bias = c.elementwise("mul", total, scale), c.get(6)
    return result if bias is None else c.elementwise("add", result, bias)


@operator("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamic_product(c: Call) -> Value:
    """Read the product of numbers, quantized by their range, and codes; plus a bias."""
    c.check_scalars(c[2], c.get(4))
    x = numbers_by_range(c, c[0])
    b = _centered(c, 1, 3, columns=True)
    result = c.elementwise("mul", product(c, x, b), _scale(c, 2, columns=b.shape[-1]))
    bias = c.get(4)
    return result if bias is None else c.elementwise("add", result, bias)


# -- ONNX's own operators, before they were in ONNX ------------------------------------------------


@operator("QuantizeLinear", "DequantizeLinear", domain=MICROSOFT)
def older_forms(c: Call) -> Value:
    """Read ONNX's operators of the same names."""
    if c.attribute("block_size", 0):
        refuse("it quantizes in blocks", "Quantize by tensors or by channels.")
    return quantize(c) if c.operator == "QuantizeLinear" else dequantize(c)

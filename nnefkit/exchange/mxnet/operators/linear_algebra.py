"""Products of matrices (4.7)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from nnefkit.exchange.compositions.einstein_sum import einstein_sum
from nnefkit.exchange.compositions.elementwise import scalar_operation
from nnefkit.exchange.compositions.linear_algebra import product
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.reshaping import (
    broadcast,
    channels,
    reshaped,
    to_rank,
    to_scalar,
    transposed,
)
from nnefkit.exchange.source_value import Value


@operator("FullyConnected", "_npx_fully_connected")
def fully_connected(c: Call) -> Value:
    """Read `linear`, of rows, or of vectors along the last axis."""
    x, outputs = to_scalar(c, c[0]), c.integer("num_hidden")
    bias = None if c.flag("no_bias") else c.shaped(2, (outputs,), "bias")
    if not x.rank:
        c.invalid("its input has rank 0")
    if c.flag("flatten", True):
        x = reshaped(c, x, (x.shape[0], prod(x.shape[1:])), 1, (0,))
    weight = c.shaped(1, (outputs, x.shape[-1]), "weight")
    if x.rank == 2:
        return c.op("linear", x, weight, channels(c, bias))
    if x.rank == 1:
        row = c.op("linear", reshaped(c, x, (1, *x.shape)), weight, channels(c, bias))
        return reshaped(c, row, (outputs,))
    result = c.op("matmul", x, to_rank(c, weight, x.rank), transposeB=True)
    return result if bias is None else c.op("add", result, to_rank(c, bias, x.rank))


@operator("dot", "_sparse_dot")
def dot(c: Call) -> Value:
    """Read the products over the last axis of one tensor and the first one of the other."""
    a, b = to_scalar(c, c[0]), to_scalar(c, c[1])
    c.text("forward_stype", "")
    if c.flag("transpose_a") and a.rank > 1:
        a = transposed(c, a, [*range(1, a.rank), 0])
    if c.flag("transpose_b") and b.rank > 1:
        b = transposed(c, b, [b.rank - 1, *range(b.rank - 1)])
    if not a.rank or not b.rank:
        c.invalid("an input is a number")
    result = _contracted(c, a, b, [a.rank - 1], [0])
    return result if result.rank else reshaped(c, result, (1,))


@operator("batch_dot", "_npx_batch_dot")
def batch_dot(c: Call) -> Value:
    """Read `matmul` of the last two axes."""
    a, b = to_scalar(c, c[0]), to_scalar(c, c[1])
    c.text("forward_stype", "")
    if a.rank < 3 or a.shape[:-2] != b.shape[:-2] or a.rank != b.rank:
        c.invalid(f"its inputs have the shapes {[*a.shape]} and {[*b.shape]}")
    return _product(c, a, b)


def _product(c: Call, a: Value, b: Value) -> Value:
    flags = {"transposeA": c.flag("transpose_a"), "transposeB": c.flag("transpose_b")}
    return c.op("matmul", a, b, data_type=None, **flags)


@operator("_linalg_gemm2", "linalg_gemm2", "_linalg_gemm", "linalg_gemm")
def scaled_product(c: Call) -> Value:
    """Read `matmul` of the last two axes, with factors."""
    a, b = to_scalar(c, c[0]), to_scalar(c, c[1])
    if a.rank < 2 or a.rank != b.rank or c.integer("axis", -2) not in (-2, a.rank - 2):
        c.refuse("its matrices are not the last two axes", "Transpose them to be the last ones.")
    broadcast(c, a.shape[:-2], b.shape[:-2])
    result, alpha = _product(c, a, b), c.decimal(c.real("alpha", 1.0))
    if alpha != 1:
        result = c.op("mul", result, alpha)
    if c.operator.endswith("gemm2"):
        return result
    beta, added = c.decimal(c.real("beta", 1.0)), c.shaped(2, result.shape, "third input")
    return c.op("add", result, added if beta == 1 else c.op("mul", added, beta))


@operator("_npi_matmul")
def matmul(c: Call) -> Value:
    """Read `matmul`, whose axes before the last two broadcast."""
    a, b = to_scalar(c, c[0]), to_scalar(c, c[1])
    if not a.rank or not b.rank:
        c.invalid("an input is a number")
    return product(c, a, b)


@operator("_np_dot", "_npi_dot")
def numpy_dot(c: Call) -> Value:
    """Read the products over the last axis of one tensor and the last but one of the other."""
    a, b = to_scalar(c, c[0]), to_scalar(c, c[1])
    if not a.rank or not b.rank:
        return scalar_operation(c, "mul", a, b)
    return _contracted(c, a, b, [a.rank - 1], [max(b.rank - 2, 0)])


@operator("_npi_tensordot", "_npi_tensordot_int_axes")
def tensordot(c: Call) -> Value:
    """Read the products over some axes."""
    a, b = to_scalar(c, c[0]), to_scalar(c, c[1])
    if c.operator == "_npi_tensordot":
        first, second = c.integers("a_axes_summed"), c.integers("b_axes_summed")
    else:
        count = c.integer("axes")
        if not 0 <= count <= min(a.rank, b.rank):
            c.invalid(f"it sums {count} axes")
        first, second = [*range(a.rank - count, a.rank)], [*range(count)]
    axes = [c.axis(axis, a.rank) for axis in first], [c.axis(axis, b.rank) for axis in second]
    return _contracted(c, a, b, *axes)


def _contracted(c: Call, a: Value, b: Value, first: Sequence[int], second: Sequence[int]) -> Value:
    """Return the products over axes of two tensors, with the other axes of both."""
    summed = [a.shape[axis] for axis in first]
    if summed != [b.shape[axis] for axis in second]:
        c.invalid(f"its inputs have the shapes {[*a.shape]} and {[*b.shape]}")
    left = [axis for axis in range(a.rank) if axis not in first]
    right = [axis for axis in range(b.rank) if axis not in second]
    rows = [a.shape[axis] for axis in left]
    columns = [b.shape[axis] for axis in right]
    a = reshaped(c, transposed(c, a, [*left, *first]), (prod(rows), prod(summed)))
    b = reshaped(c, transposed(c, b, [*second, *right]), (prod(summed), prod(columns)))
    return reshaped(c, c.op("matmul", a, b), (*rows, *columns))


@operator("_npi_einsum")
def einsum(c: Call) -> Value:
    """Read a sum in Einstein's notation."""
    c.integer("optimize", 0)
    equation = c.text("subscripts", "").replace(" ", "")
    return einstein_sum(c, equation, [to_scalar(c, value) for value in c.inputs])

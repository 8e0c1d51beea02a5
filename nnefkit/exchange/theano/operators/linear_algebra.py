"""Products of matrices (4.7)."""

from __future__ import annotations

from nnefkit.exchange.compositions.elementwise import scalar_operation
from nnefkit.exchange.compositions.linear_algebra import product
from nnefkit.exchange.reshaping import reshaped, to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.theano.call import Call, op


def _dot(c: Call, x: Value, y: Value) -> Value:
    x, y = to_scalar(c, x), to_scalar(c, y)
    if not 1 <= x.rank <= 2 or not 1 <= y.rank <= 2:
        c.invalid(f"its inputs have the ranks {x.rank} and {y.rank}")
    return product(c, x, y)


def _times(c: Call, x: Value, factor: Value) -> Value:
    """Return a product with a factor, unless it is 1."""
    if factor.is_number and factor.data is not None and bool((factor.data == 1).all()):
        return x
    return scalar_operation(c, "mul", x, factor)


@op("Dot", "Dot22")
def dot(c: Call) -> Value:
    """Read `matmul` of matrices or vectors."""
    return c.to_result(_dot(c, *c.two()))


@op("Dot22Scalar")
def scaled_dot(c: Call) -> Value:
    """Read `matmul`, times a factor."""
    return _times(c, _dot(c, c[0], c[1]), c[2])


@op("Gemm", "Gemv", "CGemv")
def general_product(c: Call) -> Value:
    """Read ``beta z + alpha x y``."""
    z, alpha, x, y, beta = (c[index] for index in range(5))
    scaled = _times(c, _dot(c, x, y), alpha)
    if beta.is_number and beta.data is not None and not beta.data.any():
        return scaled
    return scalar_operation(c, "add", _times(c, z, beta), scaled)


@op("Ger", "CGer", "ScipyGer")
def outer_product(c: Call) -> Value:
    """Read a matrix plus a scaled product of a column and a row."""
    z, alpha, x, y = (c[index] for index in range(4))
    if x.rank != 1 or y.rank != 1:
        c.invalid(f"its vectors have the ranks {x.rank} and {y.rank}")
    row, column = reshaped(c, y, (1, *y.shape)), reshaped(c, x, (*x.shape, 1))
    return scalar_operation(c, "add", z, _times(c, c.op("mul", column, row), alpha))


@op("BatchedDot")
def batched_dot(c: Call) -> Value:
    """Read `matmul` of the matrices or vectors of each entry of a batch."""
    x, y = c.two()
    if not 1 <= x.rank <= 3 or not 1 <= y.rank <= 3 or x.shape[:1] != y.shape[:1]:
        c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*y.shape]}")
    if x.rank == 1 or y.rank == 1:
        rank = max(x.rank, y.rank)
        x, y = (reshaped(c, v, (*v.shape, *(1,) * (rank - v.rank))) for v in (x, y))
        return c.op("mul", x, y)
    left = reshaped(c, x, (x.shape[0], 1, x.shape[1])) if x.rank == 2 else x
    right = reshaped(c, y, (*y.shape, 1)) if y.rank == 2 else y
    shape = (x.shape[0], *x.shape[1:-1], *y.shape[2:])
    return reshaped(c, c.op("matmul", left, right), shape)

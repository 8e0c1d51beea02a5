"""Matrix products (4.7, 4.9.2)."""

from __future__ import annotations

from math import prod

from nnefkit.exchange.caffe2.call import Call, operator
from nnefkit.exchange.compositions.linear_algebra import product
from nnefkit.exchange.reshaping import reshaped, transposed
from nnefkit.exchange.source_value import Value


def _matrix(c: Call, x: Value, axis: int) -> Value:
    """Return a tensor as a matrix, whose columns are the axes from one on."""
    axis = c.axis(axis, x.rank, ends=True)
    shape = prod(x.shape[:axis]), prod(x.shape[axis:])
    return reshaped(c, x, shape, None, (0,) if axis == 1 else ())


@operator("FC", "FCTransposed")
def fully_connected(c: Call) -> Value:
    """Read `linear` of the elements from an axis on."""
    x, a = c.ranked(1), c.arguments
    axis = c.axis(a.integer("axis", 1), x.rank, ends=True)
    weight = _matrix(c, c[1], a.integer("axis_w", 1))
    if c.operator == "FCTransposed":
        weight = transposed(c, weight, [1, 0])
    flat = _matrix(c, x, axis)
    outputs, inputs = weight.shape
    if flat.shape[1] != inputs:
        c.invalid(f"its weight is for {inputs} elements, and its input has {flat.shape[1]}")
    bias = c[2]
    if prod(bias.shape) != outputs:
        c.invalid(f"its bias has {prod(bias.shape)} elements for {outputs} outputs")
    result = c.op("linear", flat, weight, reshaped(c, bias, (1, outputs)))
    return reshaped(c, result, (*x.shape[:axis], outputs))


@operator("MatMul")
def matrix_product(c: Call) -> Value:
    """Read `matmul` of two matrices."""
    a = c.arguments
    x, y = (_matrix(c, c[place], a.integer(f"axis_{name}", 1)) for place, name in enumerate("ab"))
    return c.op("matmul", x, y, transposeA=a.flag("trans_a"), transposeB=a.flag("trans_b"))


@operator("BatchMatMul")
def batch_product(c: Call) -> Value:
    """Read `matmul` of the matrices in two batches."""
    x, y, a = c[0], c[1], c.arguments
    if (min(x.rank, y.rank) < 2 or x.shape[:-2] != y.shape[:-2]) and not a.flag("broadcast"):
        c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*y.shape]}")
    if a.flag("trans_a") and x.rank > 1:
        x = _turned(c, x)
    if a.flag("trans_b") and y.rank > 1:
        y = _turned(c, y)
    return product(c, x, y)


def _turned(c: Call, x: Value) -> Value:
    return transposed(c, x, [*range(x.rank - 2), x.rank - 1, x.rank - 2])


@operator("ElementwiseLinear")
def elementwise_linear(c: Call) -> Value:
    """Read `mul` and `add`, with a factor and an offset for each column."""
    x = c.ranked(1)
    flat = _matrix(c, x, c.arguments.integer("axis", 1))
    row = 1, flat.shape[1]
    scaled = c.op("mul", flat, reshaped(c, c[1], row))
    return reshaped(c, c.op("add", scaled, reshaped(c, c[2], row)), x.shape)


@operator("RowMul")
def row_product(c: Call) -> Value:
    """Read `mul`, with a factor for each entry of the first axis."""
    x, factor = c.ranked(1), c[1]
    if factor.shape != x.shape[:1]:
        c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*factor.shape]}")
    return c.op("mul", x, factor)


def _rows(c: Call) -> tuple[Value, Value]:
    """Return the two inputs as matrices, whose rows are the entries of a batch."""
    x, y = c.alike()
    rows = x.shape[0] if x.rank else 1
    shape = rows, prod(x.shape) // rows
    return reshaped(c, x, shape), reshaped(c, y, shape)


@operator("SquaredL2Distance", "L1Distance")
def distance(c: Call) -> Value:
    """Read half of the squared distance of the entries of two tensors, or the absolute one."""
    x, y = _rows(c)
    difference = c.op("sub", x, y)
    if c.operator == "L1Distance":
        total = c.op("sum_reduce", c.op("abs", difference), axes=[1])
    else:
        total = c.op("mul", c.op("sum_reduce", c.op("sqr", difference), axes=[1]), 0.5)
    return reshaped(c, total, (x.shape[0],))


@operator("CosineSimilarity")
def cosine_similarity(c: Call) -> Value:
    """Read the cosines of the angles between the entries of two tensors."""
    x, y = _rows(c)
    product = c.op("sum_reduce", c.op("mul", x, y), axes=[1])
    lengths = [
        c.op("max", c.op("sqrt", c.op("sum_reduce", c.op("sqr", value), axes=[1])), 1e-12)
        for value in (x, y)
    ]
    return reshaped(c, c.op("div", product, c.op("mul", *lengths)), (x.shape[0],))


@operator("DotProduct")
def dot_product(c: Call) -> Value:
    """Read the products of the entries of two tensors."""
    x, y = c.alike()
    axes = [*range(1, x.rank)]
    products = c.op("mul", x, y)
    return reshaped(c, c.op("sum_reduce", products, axes=axes) if axes else products, x.shape[:1])

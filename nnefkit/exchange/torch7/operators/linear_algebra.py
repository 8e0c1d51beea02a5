"""Matrix products (4.7), distances, and tables of vectors."""

from __future__ import annotations

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions.distance import distances, norm
from nnefkit.exchange.compositions.indexing import one_hot
from nnefkit.exchange.reshaping import number, reshaped, sliced, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import Call, module


@module("Linear")
def linear(c: Call) -> Value:
    """Read `linear`."""
    return _linear(c, c.weight("weight"))


@module("LinearWeightNorm")
def normalized_linear(c: Call) -> Value:
    """Read `linear` with normalized weights."""
    if c.module.get("train") is False:
        return _linear(c, c.weight("weight"))
    epsilon, gain = c.number("eps", 1e-16), c.weight("g")
    factor = np.reshape(np.asarray(gain.data), (-1, 1))

    def make(data: Array) -> Array:
        length = np.sqrt((data * data).sum(1, keepdims=True)).clip(np.float32(epsilon))
        return np.asarray(data * (factor / length), np.float32)

    return _linear(c, c.graph.derived(c.weight("v"), ("normalized", id(gain), epsilon), make))


def _linear(c: Call, weight: Value) -> Value:
    if weight.rank != 2:
        c.invalid(f"its weights have {weight.rank} dimensions, not 2")
    bias = c.optional("bias", (1, weight.shape[0]))

    def compute(x: Value) -> Value:
        if x.shape[1] != weight.shape[1]:
            c.invalid(f"its input has {x.shape[1]} features, not {weight.shape[1]}")
        return c.op("linear", x, weight, *([] if bias is None else [bias]))

    return c.batched(c.one(), 2, compute)


@module("PartialLinear")
def partial_linear(c: Call) -> Value:
    """Read `linear` with some of the rows of its weights."""
    network = c.module.get("network")
    parallel = network.get("modules").list()[0]
    table = parallel.get("modules").list()[1].get("weight")
    rows = [row - 1 for row in c.extents("partition")]
    weight = c.read_weight(table, f"{c.path.replace('_', '.')}.weight")
    if not rows or not all(0 <= row < weight.shape[0] for row in rows):
        c.invalid(f"its partition does not fit {weight.shape[0]} rows")

    def picked(value: Value) -> Value:
        return c.graph.derived(value, ("slice", *rows), lambda data: data[rows])

    x = c.ranked(2)
    result = c.op("linear", x, picked(weight))
    bias = c.optional("bias", (weight.shape[0],))
    if bias is None:
        return result
    return c.op("add", result, reshaped(c, picked(bias), (1, len(rows))))


@module("Bilinear")
def bilinear(c: Call) -> Value:
    """Read sums of products of two inputs and weights."""
    a, b = c.tensors(2)
    weight = c.weight("weight")
    if (
        weight.rank != 3
        or a.rank != 2
        or b.rank != 2
        or ((a.shape[1], b.shape[1]) != weight.shape[1:] or a.shape[0] != b.shape[0])
    ):
        c.invalid(f"its inputs are {[*a.shape]} and {[*b.shape]}, its weights {[*weight.shape]}")
    planes, rows, columns = weight.shape
    matrix = reshaped(c, transposed(c, weight, [1, 0, 2]), (rows, planes * columns))
    partial = reshaped(c, c.op("matmul", a, matrix), (a.shape[0], planes, columns))
    other = reshaped(c, b, (b.shape[0], 1, columns))
    total = c.op("sum_reduce", c.op("mul", partial, other), axes=[2])
    result = reshaped(c, total, (a.shape[0], planes))
    bias = c.optional("bias", (1, planes))
    return result if bias is None else c.op("add", result, bias)


@module("MM")
def matrix_product(c: Call) -> Value:
    """Read `matmul`."""
    a, b = c.tensors(2)
    if a.rank not in (2, 3) or b.rank != a.rank:
        c.invalid(f"its inputs have {a.rank} and {b.rank} dimensions, not 2 or 3")
    return c.op("matmul", a, b, transposeA=c.flag("transA"), transposeB=c.flag("transB"))


@module("MV")
def matrix_vector_product(c: Call) -> Value:
    """Read `matmul` of a matrix and a vector."""
    matrix, vector = c.tensors(2)
    if matrix.rank not in (2, 3) or vector.rank != matrix.rank - 1:
        c.invalid(f"its inputs have {matrix.rank} and {vector.rank} dimensions")
    column = reshaped(c, vector, (*vector.shape, 1))
    result = c.op("matmul", matrix, column, transposeA=c.flag("trans"))
    return reshaped(c, result, result.shape[:-1])


@module("DotProduct")
def dot_product(c: Call) -> Value:
    """Read sums of products of rows."""
    a, b = _rows(c)
    return _line(c, c.op("sum_reduce", c.op("mul", a, b), axes=[1]))


@module("CosineDistance")
def cosine_distance(c: Call) -> Value:
    """Read cosines of the angles of rows."""
    a, b = _rows(c)
    epsilon = 1e-12
    total = c.op("sum_reduce", c.op("mul", a, b), axes=[1])
    squares = [
        c.op("add", c.op("sum_reduce", c.op("sqr", x), axes=[1]), c.decimal(epsilon))
        for x in (a, b)
    ]
    inverse = c.op("mul", *(c.op("rcp", square) for square in squares))
    return _line(c, c.op("mul", total, c.op("sqrt", inverse)))


@module("PairwiseDistance")
def pairwise_distance(c: Call) -> Value:
    """Read distances of rows."""
    a, b = _rows(c)
    power = c.number("norm", 2.0)
    return _line(c, norm(c, c.op("sub", a, b), power, [1]))


def _rows(c: Call) -> list[Value]:
    a, b = c.tensors(2)
    if a.rank not in (1, 2) or a.shape != b.shape:
        c.invalid(f"its inputs are {[*a.shape]} and {[*b.shape]}")
    return [reshaped(c, x, (1, *x.shape)) if x.rank == 1 else x for x in (a, b)]


def _line(c: Call, column: Value) -> Value:
    return reshaped(c, column, column.shape[:1])


# -- distances from weights ------------------------------------------------------------------------


@module("Euclidean")
def euclidean(c: Call) -> Value:
    """Read distances from the columns of weights."""
    centers = transposed(c, _matrix(c, "weight"), [1, 0])
    return c.batched(c.one(), 2, lambda x: distances(c, _fitting(c, x, centers), centers, 2.0))


@module("WeightedEuclidean")
def weighted_euclidean(c: Call) -> Value:
    """Read distances from the columns of weights, each coordinate times a factor."""
    weight, factor = _matrix(c, "weight"), _matrix(c, "diagCov")
    rows, columns = weight.shape

    def compute(x: Value) -> Value:
        wide = reshaped(c, _fitting(c, x, transposed(c, weight, [1, 0])), (*x.shape, 1))
        c.allowance.take((x.shape[0], rows, columns), 4)
        difference = c.op("sub", wide, reshaped(c, weight, (1, rows, columns)))
        scaled = c.op("mul", difference, reshaped(c, factor, (1, rows, columns)))
        return reshaped(c, norm(c, scaled, 2.0, [1]), (x.shape[0], columns))

    return c.batched(c.one(), 2, compute)


@module("Cosine")
def cosine(c: Call) -> Value:
    """Read cosines of the angles with the rows of weights."""
    weight = _matrix(c, "weight")

    def normalized(data: Array) -> Array:
        length = np.sqrt((data * data).sum(1, keepdims=True)) + np.float32(1e-12)
        return np.asarray(data / length, np.float32)

    rows = c.graph.derived(weight, "normalized", normalized)

    def compute(x: Value) -> Value:
        result = c.op("matmul", _fitting(c, x, weight), rows, transposeB=True)
        return c.op("div", result, c.op("add", norm(c, x, 2.0, [1]), c.decimal(1e-12)))

    return c.batched(c.one(), 2, compute)


def _matrix(c: Call, name: str) -> Value:
    weight = c.weight(name)
    if weight.rank != 2:
        c.invalid(f"its tensor '{name}' has {weight.rank} dimensions, not 2")
    return weight


def _fitting(c: Call, x: Value, rows: Value) -> Value:
    if x.shape[1] != rows.shape[1]:
        c.invalid(f"its input has {x.shape[1]} features, not {rows.shape[1]}")
    return x


# -- indices, which count from 1 -------------------------------------------------------------------


@module("LookupTable")
def lookup_table(c: Call) -> Value:
    """Read `gather` from a table of vectors; indices are scalars and count from 1."""
    x, table = c.ranked(1, 2), _matrix(c, "weight")
    if c.has("maxNorm"):
        table = _shortened(c, table)
    return c.op("gather", table, _indices(c, x), axis=0)


def _shortened(c: Call, table: Value) -> Value:
    """Return a table whose longer vectors have a length, as Torch7 changes those that it reads."""
    most, power = c.number("maxNorm"), c.number("normType", 2.0)
    if power <= 0 or most <= 0:
        c.invalid(f"its longest norm is {most:g}, of the power {power:g}")

    def make(data: Array) -> Array:
        wide = np.abs(data.astype(np.float64))
        length = (wide**power).sum(1, keepdims=True) ** (1 / power)
        factor = np.where(length > most, most / (length + 1e-7), 1.0)
        return np.asarray(data * factor, np.float32)

    return c.graph.derived(table, ("shortened", most, power), make)


@module("Index")
def index(c: Call) -> Value:
    """Read `gather`; indices are scalars and count from 1."""
    x, indices = c.tensors(2)
    if indices.rank != 1:
        c.invalid(f"its indices have {indices.rank} dimensions, not 1")
    axis = c.dimension(c.integer("dimension"), x.rank)
    return c.op("gather", x, _indices(c, indices), axis=axis)


def _indices(c: Call, x: Value) -> Value:
    return c.op("cast", c.op("sub", x, 1.0), data_type="integer")


@module("OneHot")
def one_hot_vectors(c: Call) -> Value:
    """Read 1 at the position of an index, which counts from 1, and 0 elsewhere."""
    x, depth = c.one(), c.integer("outputSize", least=1)
    c.allowance.take((depth,), 4)
    positions = c.op("sub", x, 1.0)
    return one_hot(c, positions, depth, x.rank, number(c, 0.0), number(c, 1.0))


@module("MixtureTable")
def mixture(c: Call) -> Value:
    """Read the sum of experts, each times its gate."""
    gates, experts = c.table(2)
    gate = c.tensor(gates)
    if gate.rank not in (1, 2):
        c.invalid(f"its gates have {gate.rank} dimensions, not 1 or 2")
    given = c.integer("dim", gate.rank)
    if isinstance(experts, list):
        values = [c.tensor(each) for each in experts]
    else:
        stacked = c.tensor(experts)
        axis = c.dimension(given, stacked.rank)
        rest = (*stacked.shape[:axis], *stacked.shape[axis + 1 :])
        values = [
            reshaped(c, sliced(c, stacked, axis, place, place + 1), rest)
            for place in range(stacked.shape[axis])
        ]
    if len(values) != gate.shape[-1] or any(each.shape != values[0].shape for each in values):
        c.invalid(f"it has {gate.shape[-1]} gates for {len(values)} experts")
    return _mixed(c, gate, values)


def _mixed(c: Call, gate: Value, values: list[Value]) -> Value:
    x = values[0]
    batch = gate.shape[0] if gate.rank == 2 else 1
    if not x.rank or (gate.rank == 2 and x.shape[0] != batch):
        c.invalid(f"its gates are {[*gate.shape]} for experts of {[*x.shape]}")
    terms = []
    for place, value in enumerate(values):
        share = sliced(c, gate, gate.rank - 1, place, place + 1)
        wide = reshaped(c, share, (batch, *(1,) * (x.rank - 1)))
        terms.append(c.op("mul", value, wide))
    total = terms[0]
    for term in terms[1:]:
        total = c.op("add", total, term)
    return total

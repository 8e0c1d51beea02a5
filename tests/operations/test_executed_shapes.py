"""The shape rule of every operation tells the shape that its kernel gives, at any rank."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnefkit.operations import call, shape_of_literal
from nnefkit.operations.borders import BORDERS
from nnefkit.operations.registry import SHAPE_RULES

EXTENTS = st.integers(1, 4)
SHAPES = st.lists(EXTENTS, max_size=6).map(tuple)


def array(shape, dtype=np.float32):
    return np.linspace(-1, 2, math.prod(shape)).reshape(shape).astype(dtype)


@st.composite
def some_axes(draw, rank):
    return draw(st.permutations(range(rank)))[: draw(st.integers(0, rank))]


@st.composite
def one(draw, **attribs):
    return [array(draw(SHAPES))], attribs


@st.composite
def broadcast(draw, count, kinds="f" * 9, **attribs):
    shape = draw(SHAPES)
    inputs = []
    for kind in kinds[:count]:
        cut = shape[: draw(st.integers(0, len(shape)))]
        own = array(tuple(draw(st.sampled_from([1, extent])) for extent in cut))
        literal = {"f": 0.5, "?": True, "i": 2}[kind]
        typed = own > 0 if kind == "?" else own.astype(np.int64) if kind == "i" else own
        inputs.append(draw(st.sampled_from([literal, typed])))
    return inputs, attribs


@st.composite
def with_axes(draw, dtype=np.float32, **attribs):
    x = array(draw(SHAPES), dtype)
    return [x], {"axes": draw(some_axes(x.ndim)), **attribs}


@st.composite
def reshape(draw):
    x = array(draw(SHAPES))
    start = draw(st.integers(0, x.ndim))
    count = draw(st.integers(-1, x.ndim - start))
    taken = x.shape[start:] if count == -1 else x.shape[start : start + count]
    shape = draw(st.sampled_from([[-1], [*taken], [0] * len(taken), [1, *taken, 1], [1, -1, 1]]))
    return [x], {"shape": shape, "axis_start": start, "axis_count": count}


@st.composite
def squeeze(draw):
    shape = draw(st.lists(st.sampled_from([1, 1, 3]), max_size=6))
    ones = [axis for axis, extent in enumerate(shape) if extent == 1]
    return [array(shape)], {"axes": draw(st.permutations(ones))[: draw(st.integers(0, 3))]}


@st.composite
def unsqueeze(draw):
    x = array(draw(SHAPES))
    rank = x.ndim + draw(st.integers(0, 3))
    return [x], {"axes": draw(st.permutations(range(rank)))[: rank - x.ndim]}


@st.composite
def transpose(draw):
    x = array(draw(SHAPES))
    return [x], {"axes": draw(st.permutations(range(draw(st.integers(0, x.ndim)))))}


@st.composite
def split(draw):
    shape = [*draw(SHAPES), 1]
    axis = draw(st.integers(0, len(shape) - 1))
    ratios = draw(st.lists(EXTENTS, min_size=1, max_size=3))
    shape[axis] = sum(ratios) * draw(EXTENTS)
    return [array(shape)], {"axis": axis, "ratios": ratios}


@st.composite
def concat(draw):
    shape = [*draw(SHAPES), 1]
    axis = draw(st.integers(0, len(shape) - 1))
    extents = draw(st.lists(EXTENTS, min_size=1, max_size=3))
    return [[array((*shape[:axis], k, *shape[axis + 1 :])) for k in extents]], {"axis": axis}


@st.composite
def stack(draw):
    x = array(draw(SHAPES))
    return [[x] * draw(EXTENTS)], {"axis": draw(st.integers(0, x.ndim))}


@st.composite
def unstack(draw):
    x = array((*draw(SHAPES), 2))
    return [x], {"axis": draw(st.integers(0, x.ndim - 1))}


@st.composite
def slice_(draw):
    x = array(draw(SHAPES))
    axes = draw(some_axes(x.ndim))
    begin, end, stride = [], [], []
    for axis in axes:
        extent = x.shape[axis]
        step = draw(st.sampled_from([1, 2, -1, -2]))
        low, high = sorted(draw(st.integers(0, extent - 1)) for _ in range(2))
        begin.append(low if step > 0 else high)
        end.append(high + 1 if step > 0 else low - 1 if low else -extent - 1)
        stride.append(step)
    return [x], {"axes": axes, "begin": begin, "end": end, "stride": stride}


@st.composite
def pad(draw):
    x = array(draw(SHAPES))
    padding = [(draw(st.integers(-extent, 5)), draw(st.integers(0, 5))) for extent in x.shape]
    return [x], {"padding": padding, "border": draw(st.sampled_from(BORDERS)), "value": 0.5}


@st.composite
def tile(draw):
    x = array(draw(SHAPES.filter(lambda shape: len(shape) < 5)))
    return [x], {"repeats": [draw(EXTENTS) for _ in x.shape]}


@st.composite
def gather(draw):
    x = array((*draw(SHAPES), 2))
    indices = draw(st.sampled_from([0, np.zeros((2, 3), np.int64), np.zeros((0,), np.int32)]))
    return [x, indices], {"axis": draw(st.integers(0, x.ndim - 1))}


@st.composite
def matmul(draw, linear=False):
    batch = draw(st.lists(EXTENTS, max_size=4))
    m, k, n = (draw(EXTENTS) for _ in range(3))
    flags = {"transposeA": False, "transposeB": True}
    if not linear:
        flags = {name: draw(st.booleans()) for name in flags}
    left, right = ([draw(st.sampled_from([1, b])) for b in batch] for _ in range(2))
    a = array((*left, *((k, m) if flags["transposeA"] else (m, k))))
    b = array((*right, *((n, k) if flags["transposeB"] else (k, n))))
    if not linear:
        return [a, b], flags
    bias = draw(st.sampled_from([0.0, 1.0, array((*[1] * (a.ndim - 1), n))]))
    return [a, b, bias], {}


@st.composite
def introduced(draw, **attribs):
    return [], {"shape": [*draw(SHAPES)], **attribs}


@st.composite
def add_n(draw):
    inputs, _ = draw(broadcast(draw(st.integers(0, 4))))
    return [inputs], {}


@st.composite
def update(draw):
    x = array(draw(SHAPES))
    return [x, x + 1], {}


UNARY = [
    "copy",
    "neg",
    "rcp",
    "exp",
    "log",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "asin",
    "acos",
    "atan",
    "asinh",
    "acosh",
    "atanh",
    "abs",
    "sign",
    "floor",
    "ceil",
    "round",
    "sqr",
    "sqrt",
    "rsqr",
    "rsqrt",
    "log2",
    "sigmoid",
    "relu",
    "gelu",
    "silu",
    "softplus",
]
BINARY = [
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "lt",
    "gt",
    "le",
    "ge",
    "eq",
    "ne",
    "min",
    "max",
    "prelu",
]
FLAGS = {"signed": True, "symmetric": False}

CALLS = {
    **{name: one() for name in UNARY},
    **{name: broadcast(2) for name in BINARY},
    "not": broadcast(1, "?"),
    "and": broadcast(2, "??"),
    "or": broadcast(2, "??"),
    "select": broadcast(3, "?ff"),
    "clamp": broadcast(3),
    "leaky_relu": one(alpha=0.1),
    "elu": one(alpha=1.0),
    "selu": one(**{"alpha": 1.5, "lambda": 1.25}),
    "softmax": with_axes(),
    "sum_reduce": with_axes(normalize=True),
    **{
        f"{kind}_reduce": with_axes(np.bool_ if kind in ("all", "any") else np.float32)
        for kind in ("mean", "max", "min", "argmax", "argmin", "all", "any")
    },
    "moments": with_axes(),
    "l1_normalization": with_axes(bias=0.1, epsilon=0.1),
    "l2_normalization": with_axes(bias=0.1, epsilon=0.1),
    "batch_normalization": broadcast(5, epsilon=0.1),
    "min_max_linear_quantize": broadcast(3, bits=8, **FLAGS),
    "zero_point_linear_quantize": broadcast(3, "fif", bits=8, **FLAGS),
    "linear_quantize": broadcast(3, bits=4),
    "logarithmic_quantize": broadcast(2, bits=4),
    "reshape": reshape(),
    "squeeze": squeeze(),
    "unsqueeze": unsqueeze(),
    "transpose": transpose(),
    "split": split(),
    "concat": concat(),
    "stack": stack(),
    "unstack": unstack(),
    "slice": slice_(),
    "pad": pad(),
    "tile": tile(),
    "gather": gather(),
    "cast": one(),
    "matmul": matmul(),
    "linear": matmul(linear=True),
    "constant": introduced(value=[0.5]),
    "update": update(),
    "copy_n": one(times=2),
    "add_n": add_n(),
}


def shape_of(value):
    if isinstance(value, list):
        return [shape_of(item) for item in value]
    return value.shape if isinstance(value, np.ndarray) else shape_of_literal(value)


@pytest.mark.parametrize("name", CALLS)
@given(st.data())
def test_the_rule_tells_what_the_kernel_gives(name, data):
    inputs, attribs = data.draw(CALLS[name])
    expected = SHAPE_RULES[name](*map(shape_of, inputs), **attribs)
    results = call(name, inputs, attribs, "scalar")
    assert all(type(result) is np.ndarray for result in results)
    several = isinstance(expected, list) or (expected and isinstance(expected[0], tuple))
    shapes = [result.shape for result in results]
    assert shapes == ([*expected] if several else [expected])


def test_ranks_up_to_eight_work():
    x = array((2, 1, 2, 1, 2, 1, 2, 3))
    assert call("add", [x, array((2,))], {})[0].shape == x.shape
    assert call("sum_reduce", [x], {"axes": [7, 0], "normalize": True})[0].shape[-1] == 1
    assert call("transpose", [x], {"axes": [1, 0]})[0].shape == (1, 2, *x.shape[2:])
    padded = call("pad", [x], {"padding": [(1, 1)] * 8, "border": "reflect", "value": 0.0})[0]
    assert padded.shape == tuple(extent + 2 for extent in x.shape)

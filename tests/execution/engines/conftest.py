"""Calls of every standard operation, drawn by hypothesis, as graphs that any engine can run."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import strategies as st

from nnefkit.execution import Session
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.language import declarations
from nnefkit.operations.registry import SHAPE_RULES
from nnefkit.operations.shapes import infer_shapes

BORDERS = ["constant", "replicate", "reflect", "reflect-even"]
METHODS = ["symmetric", "asymmetric", "aligned"]


@dataclass
class Call:
    """One call of an operation: arrays, literals and lists of them, and attributes."""

    inputs: list
    attribs: dict
    dtype: str | None = None
    spread: float = 1.0
    """How much the tolerance is to be widened."""


class Drawing:
    """Draws the arguments of calls."""

    def __init__(self, draw):
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32)))

    def number(self, low, high):
        return self.draw(st.integers(low, high))

    def one(self, *choices):
        return self.draw(st.sampled_from(choices))

    def flag(self):
        return self.draw(st.booleans())

    def shape(self, least=0, most=5, top=4):
        return tuple(self.number(1, top) for _ in range(self.number(least, most)))

    def array(self, shape, low=-2.0, high=2.0, strange=False):
        array = self.rng.uniform(low, high, shape).astype(np.float32)
        if strange and array.size and self.flag():
            places = self.rng.integers(0, array.size, 2)
            array.reshape(-1)[places] = self.draw(
                st.sampled_from([np.nan, np.inf, -np.inf, -0.0, 0.0])
            )
        return array

    def near(self, shape, literals=(0.5, -1.0, 0.0, 2)):
        """A tensor that broadcasts to `shape`, or a literal."""
        if self.flag():
            return self.one(*literals)
        cut = shape[: self.number(0, len(shape))]
        return self.array(tuple(self.one(1, n) for n in cut))

    def axes(self, rank):
        return self.draw(st.permutations(range(rank)))[: self.number(0, rank)]

    def window(self, extents, *, borders=BORDERS, negative=True, fixed=0, spans=None):
        """size, border, padding, stride and dilation that fit an input."""
        automatic = self.flag()
        size, padding, stride, dilation = [], [], [], []
        for axis, extent in enumerate(extents):
            if axis < fixed:
                size.append(1), padding.append((0, 0)), stride.append(1), dilation.append(1)
                continue
            f = self.number(1, 3) if spans is None else spans[axis]
            d = self.number(1, 2)
            low = -1 if negative and extent > 2 and self.flag() else 0
            p, q = self.number(low, 2), self.number(low, 2)
            lacking = (f - 1) * d + 1 - (p + extent + q)
            if lacking > 0:
                q += lacking
            size.append(f), padding.append((p, q)), dilation.append(d)
            stride.append(self.number(1, 3))
        if not fixed and self.flag():
            stride = []
        return size, {
            "border": self.one(*borders),
            "padding": [] if automatic else padding,
            "stride": stride,
            "dilation": dilation,
        }


def unary(low=-2.0, high=2.0, strange=True, **attribs):
    return lambda d: Call([d.array(d.shape(), low, high, strange)], attribs)


def binary(strange=True, **attribs):
    def make(d):
        shape = d.shape()
        inputs = [d.array(shape, strange=strange), d.near(shape)]
        return Call(inputs if d.flag() else inputs[::-1], attribs)

    return make


def power(d):
    shape = d.shape()
    x = d.array(shape, 0.1, 3.0)
    if d.flag():
        return Call([d.array(shape, strange=True), d.one(2.0, 0.5, -1.0, -0.5, 3.0, 0.0)], {})
    return Call([x, d.near(shape)] if d.flag() else [d.one(2.0, 0.5), x], {})


def logical(count):
    def make(d):
        shape = d.shape()
        return Call([d.array(shape) > 0 for _ in range(count)], {})

    return make


def select(d):
    shape = d.shape()
    condition = d.array(tuple(d.one(1, n) for n in shape)) > 0
    return Call([condition, d.near(shape), d.array(shape, strange=True)], {}, "scalar")


def clamp(d):
    shape = d.shape()
    low = d.one(-1.0, 0.0, d.array(shape[:1]))
    return Call([d.array(shape, strange=True), low, d.one(0.5, 1.0, low)], {})


def reduction(kind=np.float32, strange=True, **attribs):
    def make(d):
        x = d.array(d.shape(), strange=strange and kind is np.float32)
        return Call([x if kind is np.float32 else x > 0], {"axes": d.axes(x.ndim), **attribs})

    return make


def convolution(separable=False, reverse=False):
    def make(d):
        rank = d.one(1, 2, 2, 2, 3, 0, 4)
        depthwise = d.flag()
        groups = d.number(1, 3)
        inner, outer = d.number(1, 2), d.number(1, 2)
        if depthwise:
            inner = 1
        extents = tuple(d.number(1, 3 if rank > 2 else 7) for _ in range(rank))
        size, attribs = d.window(extents)
        channels = groups * inner
        shape = (d.number(1, 2), channels, *extents)
        bias = d.one(0.0, 0.5, "channels", "one")
        count = 0 if depthwise and groups > 1 else groups
        results = groups * outer
        if separable and not reverse:
            plane = d.array((channels * outer, 1, *size))
            points = d.number(1, 3) * groups
            filters = [plane, d.array((points, channels * outer // groups, *[1] * rank))]
            count, results = groups, points
        elif separable:
            point = d.array((channels, outer, *[1] * rank))
            plane = d.array((outer * groups, 1, *size))
            filters, count = [point, plane], groups
            filters.reverse()
        elif reverse:
            filters = [d.array((channels, outer, *size))]
        else:
            filters = [d.array((results, inner, *size))]
        if bias == "channels":
            bias = d.array((1, results))
        elif bias == "one":
            bias = d.array((1,))
        attribs["groups"] = count
        if reverse:
            attribs["output_shape"] = []
            _reversible(d, shape, size, attribs, (shape[0], results))
        return Call([d.array(shape), *filters, bias], attribs, spread=10)

    return make


def _reversible(d, shape, size, attribs, fixed):
    """Makes the attributes of a reverse operation valid: an output shape, no cropping of all."""
    stride = attribs["stride"] or [1] * len(size)
    attribs["padding"] = [
        (p, q) if (x - 1) * s + (f - 1) * g + 1 - p - q > 0 else (0, 0)
        for (p, q), x, s, f, g in zip(
            attribs["padding"], shape[len(fixed) :], stride, size, attribs["dilation"], strict=False
        )
    ]
    if not attribs["padding"]:
        attribs["padding"] = []
    if d.flag():
        ends = []
        for axis, (x, s, f, g) in enumerate(
            zip(shape[len(fixed) :], stride, size, attribs["dilation"], strict=True)
        ):
            if attribs["padding"]:
                p, q = attribs["padding"][axis]
                ends.append((x - 1) * s + (f - 1) * g + 1 - p - q + d.number(0, s - 1))
            else:
                ends.append(x * s - d.number(0, s - 1))
        attribs["output_shape"] = [*fixed, *ends]


def pooling(borders=("ignore", *BORDERS), **attribs):
    def make(d):
        spatial = d.flag()
        rank = d.number(3, 4) if spatial else d.number(1, 4)
        shape = tuple(d.number(1, 6 if spatial else 4) for _ in range(rank))
        size, window = d.window(shape, borders=borders, fixed=2 if spatial else 0)
        return Call([d.array(shape, strange=d.flag())], {"size": size, **window, **attribs})

    return make


def whole_pooling(make_other, **attribs):
    def make(d):
        if d.number(0, 4):
            return make_other(d)
        shape = (2, 3, 4, 5)
        none = {"border": "constant", "padding": [(0, 0)] * 4, "stride": [1, 1, 1, 1]}
        return Call([d.array(shape)], {"size": [1, 1, 4, 5], **none, "dilation": [], **attribs})

    return make


def debox(d):
    shape = d.shape(1, 4)
    size, attribs = d.window(shape)
    attribs["output_shape"] = []
    _reversible(d, shape, size, attribs, ())
    return Call([d.array(shape)], {"size": size, **attribs, "normalize": d.flag()})


def sample(d):
    shape = d.shape(1, 4)
    size, attribs = d.window(shape)
    attribs["size"] = size
    down = SHAPE_RULES["argmax_pool"](shape, **attribs)
    return Call([d.array(shape), d.rng.integers(0, math.prod(size), down)], attribs)


def desample(d):
    shape = d.shape(1, 4)
    size, attribs = d.window(shape, borders=["constant"])
    attribs["output_shape"] = []
    _reversible(d, shape, size, attribs, ())
    index = d.rng.integers(0, math.prod(size), shape)
    return Call([d.array(shape), index], {"size": size, **attribs})


def downsample(d):
    extents = d.shape(0, 3)
    factor = [d.number(1, 3) for _ in extents]
    shape = (2, 3, *(x * f for x, f in zip(extents, factor, strict=True)))
    return Call([d.array(shape)], {"factor": factor})


def upsample(**choices):
    def make(d):
        extents = d.shape(0, 3)
        attribs = {name: d.one(*values) for name, values in choices.items()}
        factor = [d.number(1, 4) for _ in extents]
        return Call([d.array((2, 2, *extents), strange=True)], {"factor": factor, **attribs})

    return make


def reshape(d):
    x = d.array(d.shape())
    start = d.number(0, x.ndim)
    count = d.number(-1, x.ndim - start)
    taken = x.shape[start:] if count == -1 else x.shape[start : start + count]
    shape = d.one([-1], [*taken], [0] * len(taken), [1, *taken, 1], [1, -1, 1])
    return Call([x], {"shape": shape, "axis_start": start, "axis_count": count}, "scalar")


def squeeze(d):
    shape = [d.one(1, 1, 3) for _ in range(d.number(0, 6))]
    ones = [axis for axis, extent in enumerate(shape) if extent == 1]
    axes = d.draw(st.permutations(ones))[: d.number(0, len(ones))]
    return Call([d.array(shape)], {"axes": axes}, "scalar")


def unsqueeze(d):
    x = d.array(d.shape())
    rank = x.ndim + d.number(0, 3)
    return Call([x], {"axes": d.draw(st.permutations(range(rank)))[: rank - x.ndim]}, "scalar")


def transpose(d):
    x = d.array(d.shape())
    return Call([x], {"axes": d.draw(st.permutations(range(d.number(0, x.ndim))))}, "scalar")


def split(d):
    shape = [*d.shape(), 1]
    axis = d.number(0, len(shape) - 1)
    ratios = [d.number(1, 3) for _ in range(d.number(1, 3))]
    shape[axis] = sum(ratios) * d.number(1, 2)
    return Call([d.array(shape)], {"axis": axis, "ratios": ratios}, "scalar")


def concat(d):
    shape = [*d.shape(), 1]
    axis = d.number(0, len(shape) - 1)
    extents = [d.number(1, 3) for _ in range(d.number(1, 3))]
    parts = [d.array((*shape[:axis], n, *shape[axis + 1 :])) for n in extents]
    return Call([parts], {"axis": axis}, "scalar")


def stack(d):
    shape = d.shape()
    parts = [d.array(shape) for _ in range(d.number(1, 3))]
    return Call([parts], {"axis": d.number(0, len(shape))}, "scalar")


def unstack(d):
    x = d.array((*d.shape(), 2))
    return Call([x], {"axis": d.number(0, x.ndim - 1)}, "scalar")


def slice_(d):
    x = d.array(d.shape())
    axes = d.axes(x.ndim)
    begin, end, stride = [], [], []
    for axis in axes:
        extent = x.shape[axis]
        step = d.one(1, 1, 2, -1, -2)
        low, high = sorted(d.number(0, extent - 1) for _ in range(2))
        begin.append(low if step > 0 else high)
        end.append(high + 1 if step > 0 else low - 1 if low else -extent - 1)
        stride.append(step)
    if d.flag() and all(step == 1 for step in stride):
        stride = []
    return Call([x], {"axes": axes, "begin": begin, "end": end, "stride": stride}, "scalar")


def pad(d):
    x = d.array(d.shape())
    padding = [(d.number(1 - n, 5), d.number(0, 5)) for n in x.shape]
    border = d.one("ignore", *BORDERS)
    return Call([x], {"padding": padding, "border": border, "value": d.one(0.0, 0.5)})


def tile(d):
    x = d.array(d.shape(top=3))
    return Call([x], {"repeats": [d.number(1, 3) for _ in x.shape]}, "scalar")


def gather(d):
    x = d.array((*d.shape(most=3), 4))
    axis = d.number(0, x.ndim - 1)
    indices = d.rng.integers(0, x.shape[axis], d.shape(most=2))
    return Call([x, indices], {"axis": axis}, "scalar")


def cast(d):
    x = d.array(d.shape(), -3, 3, strange=True)
    return Call([d.one(x, x > 0, (x > 0) * 3)], {}, d.one("scalar", "integer", "logical"))


def regions(d, **attribs):
    spatial = d.number(1, 3)
    x = d.array((2, 2, *(d.number(1, 6) for _ in range(spatial))))
    count = d.number(1, 3)
    rois = d.array((count, 2 * spatial), -2, 7)
    batch = d.rng.integers(0, 2, (count, 1))
    size = [d.number(1, 3) for _ in range(spatial)]
    if "sampling_rate" in attribs:
        attribs["sampling_rate"] = [d.number(1, 3) for _ in range(spatial)]
    return Call([x, rois, batch], {"output_size": size, **attribs})


def matmul(d, linear=False):
    batch = d.shape(0, 3)
    m, k, n = (d.number(1, 5) for _ in range(3))
    flags = {"transposeA": False, "transposeB": True}
    if not linear:
        flags = {name: d.flag() for name in flags}
    left, right = (tuple(d.one(1, b) for b in batch) for _ in range(2))
    a = d.array((*left, *((k, m) if flags["transposeA"] else (m, k))))
    b = d.array((*right, *((n, k) if flags["transposeB"] else (k, n))))
    if not linear:
        return Call([a, b], flags, spread=10)
    bias = d.one(0.0, 1.0, d.array((*[1] * (a.ndim - 1), n)))
    return Call([a, b, bias], {}, spread=10)


def batch_normalization(d):
    shape = d.shape(1, 5)
    channels = (1, *shape[1:2])
    if d.flag():
        parameters = [d.array(channels) for _ in range(4)]
    else:
        parameters = [d.near(shape) for _ in range(4)]
    if isinstance(parameters[1], np.ndarray):
        parameters[1] = np.asarray(np.abs(parameters[1]))
    else:
        parameters[1] = 0.25
    return Call([d.array(shape), *parameters], {"epsilon": d.one(0.1, 0.001)}, spread=10)


def normalization(**attribs):
    def make(d):
        x = d.array(d.shape())
        axes = d.axes(x.ndim)
        return Call([x], {"axes": axes, **{k: d.one(*v) for k, v in attribs.items()}}, spread=10)

    return make


def local(**attribs):
    def make(d):
        x = d.array(d.shape(1, 4))
        size = [d.number(1, 4) for _ in x.shape]
        return Call([x], {"size": size, **attribs}, spread=10)

    return make


def quantize(kind):
    def make(d):
        shape = d.shape()
        x = d.array(shape, -4, 4)
        flags = {"bits": d.one(1, 4, 8), "signed": d.flag(), "symmetric": d.flag()}
        if kind == "zero_point":
            zero = d.one(0, 3, d.rng.integers(-3, 4, shape[:1]))
            return Call([x, zero, d.one(0.25, d.array(shape[:2], 0.1, 1))], flags)
        if kind == "logarithmic":
            return Call([x, d.one(1.0, 4.0, d.array(shape[:2], 0.5, 4))], {"bits": flags["bits"]})
        low, high = d.one(-1.0, d.array(shape[:2], -2, -1)), d.one(1.5, d.array(shape[:1], 1, 3))
        if kind == "linear":
            return Call([x, low, high], {"bits": flags["bits"]})
        flags["bits"] = max(flags["bits"], 2)
        return Call([x, low, high], flags)

    return make


def add_n(d):
    shape = d.shape()
    return Call([[d.array(shape) for _ in range(d.number(1, 4))]], {})


def update(d):
    shape = d.shape()
    return Call([d.array(shape), d.array(shape)], {}, "scalar")


UNARY = [
    "neg",
    "rcp",
    "exp",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "atan",
    "asinh",
    "abs",
    "sign",
    "floor",
    "ceil",
    "round",
    "sqr",
    "rsqr",
    "sigmoid",
    "relu",
    "gelu",
    "silu",
    "softplus",
]
POSITIVE = ["log", "sqrt", "rsqrt", "log2"]
COMPARED = ["add", "sub", "mul", "div", "lt", "gt", "le", "ge", "eq", "ne", "min", "max"]

CALLS = {
    "copy": lambda d: Call([d.array(d.shape())], {}, "scalar"),
    **{name: unary() for name in UNARY},
    **{name: unary(0.01, 4.0) for name in POSITIVE},
    **{name: unary(-0.99, 0.99, False) for name in ("asin", "acos", "atanh")},
    "acosh": unary(1.01, 4.0, False),
    **{name: binary() for name in COMPARED},
    "pow": power,
    "not": logical(1),
    "and": logical(2),
    "or": logical(2),
    "select": select,
    "clamp": clamp,
    "conv": convolution(),
    "deconv": convolution(reverse=True),
    "separable_conv": convolution(separable=True),
    "separable_deconv": convolution(separable=True, reverse=True),
    "box": lambda d: whole_pooling(pooling(normalize=(flag := d.flag())), normalize=flag)(d),
    "debox": debox,
    "argmax_pool": pooling(),
    "sample": sample,
    "desample": desample,
    "nearest_downsample": downsample,
    "area_downsample": downsample,
    "nearest_upsample": upsample(),
    "multilinear_upsample": upsample(method=METHODS, border=BORDERS),
    "sum_reduce": lambda d: reduction(normalize=d.flag())(d),
    **{f"{k}_reduce": reduction() for k in ("mean", "max", "min", "argmax", "argmin")},
    **{f"{k}_reduce": reduction(np.bool_) for k in ("all", "any")},
    "reshape": reshape,
    "squeeze": squeeze,
    "unsqueeze": unsqueeze,
    "transpose": transpose,
    "split": split,
    "concat": concat,
    "stack": stack,
    "unstack": unstack,
    "slice": slice_,
    "pad": pad,
    "tile": tile,
    "gather": gather,
    "cast": cast,
    "avg_roi_pool": regions,
    "max_roi_pool": regions,
    "roi_resample": lambda d: regions(d, method=d.one(*METHODS)),
    **{
        f"{kind}_roi_align": lambda d: regions(d, sampling_rate=[], resize_method=d.one(*METHODS))
        for kind in ("avg", "max")
    },
    "matmul": matmul,
    "linear": lambda d: matmul(d, linear=True),
    "update": update,
    "prelu": binary(strange=False),
    "leaky_relu": unary(alpha=0.1),
    "elu": unary(alpha=1.5),
    "selu": unary(**{"alpha": 1.5, "lambda": 1.25}),
    "softmax": reduction(strange=False),
    **{name: whole_pooling(pooling()) for name in ("max_pool", "avg_pool", "rms_pool")},
    "max_pool_with_index": pooling(),
    "local_response_normalization": local(alpha=0.5, beta=0.75, bias=1.5),
    "local_mean_normalization": local(),
    "local_variance_normalization": local(bias=0.5, epsilon=0.1),
    "local_contrast_normalization": local(bias=0.5, epsilon=0.1),
    "l1_normalization": normalization(bias=[0.0, 0.5], epsilon=[0.0, 3.0]),
    "l2_normalization": normalization(bias=[0.0, 0.5], epsilon=[0.0, 3.0]),
    "batch_normalization": batch_normalization,
    "min_max_linear_quantize": quantize("min_max"),
    "zero_point_linear_quantize": quantize("zero_point"),
    "linear_quantize": quantize("linear"),
    "logarithmic_quantize": quantize("logarithmic"),
    "copy_n": lambda d: Call([d.array(d.shape())], {"times": d.number(1, 3)}, "scalar"),
    "add_n": add_n,
    "moments": reduction(strange=False),
}
"""Operation name -> a function of a `Drawing` that makes a call. Sources of tensors are in every
graph, and not among them."""

KINDS = {"f": "scalar", "i": "integer", "b": "logical"}


def graph_of(name, call, wide=False):
    """A graph of one call, whose arrays are inputs, and the feeds.

    Args:
        name: of the operation.
        call: its arguments.
        wide: whether to compute in float64, which a variable of that width decides.
    """
    declaration = declarations()[name]
    operations, tensors, feeds = [], {}, {}

    def placed(value):
        if isinstance(value, list):
            return [placed(item) for item in value]
        if not isinstance(value, np.ndarray):
            return value
        tensor = Identifier(f"input{len(feeds)}")
        kind = KINDS[value.dtype.kind]
        if name == "update" and not feeds:
            attribs = FrozenDict(shape=[*value.shape], label="state")
            made = Tensor(tensor, kind, value.shape, value, "state")
            sort = "variable"
        else:
            attribs = FrozenDict(shape=[*value.shape])
            made, sort = Tensor(tensor, kind, value.shape), "external"
        operations.append(Operation(sort, FrozenDict(), FrozenDict(output=tensor), attribs, kind))
        tensors[tensor] = made
        feeds[tensor] = value
        return tensor

    if wide:
        data = np.ones(1, np.float64)
        label = FrozenDict(shape=[1], label="wide")
        result = FrozenDict(output=Identifier("wide"))
        operations.append(Operation("variable", FrozenDict(), result, label, "scalar"))
        tensors["wide"] = Tensor("wide", "scalar", (1,), data, "wide")
    formals = [p.name for p in declaration.parameters]
    inputs = {formal: placed(v) for formal, v in zip(formals, call.inputs, strict=False)}
    shapes = [_shape(value) for value in call.inputs]
    expected = SHAPE_RULES[name](*shapes, **call.attribs)
    outputs, names = {}, []
    many = name in ("split", "unstack", "copy_n")
    for result in declaration.results:
        if many:
            outputs[result.name] = [Identifier(f"result{i}") for i in range(len(expected))]
            names += outputs[result.name]
        else:
            outputs[result.name] = Identifier(result.name)
            names.append(outputs[result.name])
    for i, one in enumerate(names):
        kind = "integer" if str(one) == "index" or "arg" in name else _kind(name, call, i)
        tensors[one] = Tensor(one, kind)
    operations.append(
        Operation(
            name, FrozenDict(inputs), FrozenDict(outputs), FrozenDict(call.attribs), call.dtype
        )
    )
    externals = tuple(op.output_names[0] for op in operations if op.name == "external")
    graph = Graph("one", externals, tuple(names), tuple(operations), FrozenDict(tensors))
    return infer_shapes(graph), {n: a for n, a in feeds.items() if n in externals}


def _kind(name, call, _number):
    if name in ("lt", "gt", "le", "ge", "eq", "ne", "and", "or", "not", "all_reduce", "any_reduce"):
        return "logical"
    return call.dtype or "scalar"


def _shape(value):
    if isinstance(value, list):
        return [_shape(item) for item in value]
    return value.shape if isinstance(value, np.ndarray) else ()


TOLERANCES = {"f2": 4e-3, "f4": 2e-6, "f8": 1e-13}
"""What results may differ by, as a share of the largest item of a tensor."""


def assert_close(results, expected, spread=1.0, where=""):
    """Results agree: dtypes, shapes, what is not finite, and the rest within the tolerance."""
    assert list(results) == list(expected)
    for name, wanted in expected.items():
        found = results[name]
        assert found.dtype == wanted.dtype, (where, name)
        assert found.shape == wanted.shape, (where, name)
        if wanted.dtype.kind != "f":
            np.testing.assert_array_equal(found, wanted, err_msg=where)
            continue
        finite = np.abs(wanted[np.isfinite(wanted)])
        scale = max(float(finite.max()) if finite.size else 0.0, 1e-3)
        tolerance = TOLERANCES[wanted.dtype.str[1:]] * spread
        np.testing.assert_allclose(
            found, wanted, rtol=tolerance * 4, atol=tolerance * scale, err_msg=f"{where} {name}"
        )


class Calls:
    """What tests of engines need of this module."""

    strategies = {name: st.builds(lambda f=f: f) for name, f in CALLS.items()}
    graph_of = staticmethod(graph_of)
    assert_close = staticmethod(assert_close)

    @staticmethod
    @st.composite
    def of(draw, name):
        """A call of the operation `name`."""
        return CALLS[name](Drawing(draw))

    @staticmethod
    def check(engine, name, call, *, wide=False, **options):
        """An engine computes a call as the reference does."""
        graph, feeds = graph_of(name, call, wide)
        if wide:
            feeds = {
                n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in feeds.items()
            }
        expected = Session(graph).run(feeds)
        results = Session(graph, engine, **options).run(feeds)
        assert_close(results, expected, call.spread, f"{call.attribs}")


@pytest.fixture(scope="session")
def calls():
    """Calls of every standard operation."""
    return Calls


def pytest_generate_tests(metafunc):
    if "standard_operation" in metafunc.fixturenames:
        metafunc.parametrize("standard_operation", CALLS)

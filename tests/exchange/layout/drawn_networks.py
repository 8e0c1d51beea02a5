"""Channels-last networks of random layers, for property tests."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from hypothesis import strategies as st

from nnefkit import Graph
from tests.exchange.layout.naive_networks import NaiveNetwork, Shape

Draw = Callable[[st.SearchStrategy[Any]], Any]
_ELEMENTS = 400


class _Drawing:
    """A network that grows by drawn layers."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.net = NaiveNetwork(draw(st.integers(0, 99)))
        self.tensors: list[str] = []
        for _ in range(draw(st.integers(1, 2))):
            rank = draw(st.sampled_from([4, 4, 4, 3, 5]))
            batch = draw(st.integers(1, 2))
            spatial = draw(st.lists(st.integers(1, 5), min_size=rank - 2, max_size=rank - 2))
            self.tensors.append(self.net.input(batch, *spatial, draw(st.integers(1, 4))))

    def tensor(self, *, least: int = 1, most: int = 6, wide: int = 1) -> str | None:
        """A tensor of some rank, one of the last ones more often."""
        fitting = [
            name
            for name in self.tensors
            if least <= len(self.net.shape(name)) <= most
            and all(extent >= wide for extent in self.net.shape(name)[1:-1])
        ]
        if not fitting:
            return None
        number = self.draw(st.integers(0, 2 * len(fitting) - 1))
        return fitting[max(number - len(fitting), -1)] if number >= len(fitting) else fitting[-1]

    def axis(self, shape: Shape) -> int:
        return int(self.draw(st.integers(0, len(shape) - 1)))

    def axes(self, shape: Shape) -> list[int]:
        found = st.lists(st.integers(0, len(shape) - 1), min_size=1, max_size=2, unique=True)
        return sorted(self.draw(found))

    def add(self) -> None:
        """Add a layer."""
        layer = self.draw(st.sampled_from(LAYERS))
        made = layer(self)
        for name in [made] if isinstance(made, str) else made or []:
            if prod(self.net.shape(name)) <= _ELEMENTS:
                self.tensors.append(name)


def _conv(d: _Drawing) -> str | None:
    x = d.tensor(least=3, most=5)
    if x is None:
        return None
    groups = d.draw(st.integers(0, 1))
    sizes = d.draw(st.integers(1, 3)), d.draw(st.integers(1, 2))
    return d.net.conv(x, d.draw(st.integers(1, 4)), sizes[0], stride=sizes[1], groups=groups)


def _pool(d: _Drawing) -> str | None:
    x = d.tensor(least=3, most=5, wide=2)
    name = d.draw(st.sampled_from(["max_pool", "avg_pool", "rms_pool"]))
    return None if x is None else d.net.pool(x, name)


def _pool_channels_last(d: _Drawing) -> str | None:
    x = d.tensor(least=4, most=4, wide=2)
    if x is None:
        return None
    return d.net.op(
        "max_pool",
        x,
        size=[1, 2, 2, 1],
        stride=[1, 2, 1, 1],
        padding=[(0, 0), (0, 1), (0, 0), (0, 0)],
    )


def _resize(d: _Drawing) -> str | None:
    x = d.tensor(least=4, most=4)
    name = d.draw(st.sampled_from(["nearest_upsample", "multilinear_upsample"]))
    return None if x is None else d.net.upsampled(x, name)


def _deconv(d: _Drawing) -> str | None:
    x = d.tensor(least=4, most=4)
    return None if x is None else d.net.deconv(x, d.draw(st.integers(1, 3)))


def _norm(d: _Drawing) -> str | None:
    x = d.tensor(least=3, most=5)
    return None if x is None else d.net.norm(x)


def _response(d: _Drawing) -> str | None:
    x = d.tensor(least=4, most=4)
    size = d.draw(st.sampled_from([[1, 1, 1, 3], [1, 3, 3, 1]]))
    return None if x is None else d.net.op("local_response_normalization", x, size=size)


def _unary(d: _Drawing) -> str | None:
    x = d.tensor()
    name = d.draw(st.sampled_from(["relu", "neg", "abs", "sigmoid", "copy", "tanh"]))
    return None if x is None else d.net.op(name, x)


def _with_weight(d: _Drawing) -> str | None:
    x = d.tensor()
    if x is None:
        return None
    shape = d.net.shape(x)
    kept = d.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    weight = [n if keep else 1 for n, keep in zip(shape, kept, strict=True)]
    weight = weight[: d.draw(st.integers(1, len(weight)))]
    name = d.draw(st.sampled_from(["add", "mul", "sub", "max", "prelu"]))
    return d.net.op(name, x, d.net.weight(*weight))


def _binary(d: _Drawing) -> str | None:
    x = d.tensor()
    if x is None:
        return None
    shape = d.net.shape(x)
    others = [name for name in d.tensors if _broadcasts(d.net.shape(name), shape)]
    name = d.draw(st.sampled_from(["add", "mul", "min", "select"]))
    other = d.draw(st.sampled_from(others))
    if name == "select":
        return d.net.op("select", d.net.op("gt", x, 0.0), other, x)
    return d.net.op(name, *d.draw(st.permutations([x, other])))


def _broadcasts(low: Shape, high: Shape) -> bool:
    pairs = zip(low, high, strict=False)
    return len(low) <= len(high) and all(a in (1, b) for a, b in pairs)


def _reduce(d: _Drawing) -> str | None:
    x = d.tensor()
    if x is None:
        return None
    names = ["mean_reduce", "max_reduce", "sum_reduce", "softmax", "l2_normalization"]
    name = d.draw(st.sampled_from(names))
    more = {"epsilon": 0.5} if name == "l2_normalization" else {}
    return d.net.op(name, x, axes=d.axes(d.net.shape(x)), **more)


def _concat(d: _Drawing) -> str | None:
    x = d.tensor()
    if x is None:
        return None
    shape = d.net.shape(x)
    axis = d.axis(shape)
    rest = _without(shape, axis)
    others = [
        name
        for name in d.tensors
        if len(d.net.shape(name)) == len(shape) and _without(d.net.shape(name), axis) == rest
    ]
    return d.net.op("concat", [x, d.draw(st.sampled_from(others))], axis=axis)


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _split(d: _Drawing) -> list[str] | None:
    x = d.tensor()
    if x is None:
        return None
    axis = d.axis(d.net.shape(x))
    extent = d.net.shape(x)[axis]
    if extent < 2:
        return None
    return d.net.ops("split", 2, x, axis=axis, ratios=[1, extent - 1])


def _stack(d: _Drawing) -> list[str] | str | None:
    x = d.tensor(most=5)
    if x is None:
        return None
    shape = d.net.shape(x)
    if d.draw(st.booleans()) or len(shape) < 2:
        others = [name for name in d.tensors if d.net.shape(name) == shape]
        axis = d.draw(st.integers(0, len(shape)))
        return d.net.op("stack", [x, d.draw(st.sampled_from(others))], axis=axis)
    axis = d.axis(shape)
    return d.net.ops("unstack", shape[axis], x, axis=axis)


def _slice(d: _Drawing) -> str | None:
    x = d.tensor()
    if x is None:
        return None
    axes = d.axes(d.net.shape(x))
    begin, end, stride = [], [], []
    for axis in axes:
        extent = d.net.shape(x)[axis]
        first = d.draw(st.integers(0, extent - 1))
        begin.append(first)
        end.append(d.draw(st.integers(first + 1, extent)))
        stride.append(d.draw(st.integers(1, 2)))
    return d.net.op("slice", x, axes=axes, begin=begin, end=end, stride=stride)


def _pad(d: _Drawing) -> str | None:
    x = d.tensor()
    if x is None:
        return None
    rank = len(d.net.shape(x))
    pairs = st.tuples(st.integers(0, 1), st.integers(0, 1))
    padding = d.draw(st.lists(pairs, min_size=rank, max_size=rank))
    return d.net.op("pad", x, padding=padding, border="constant", value=1.0)


def _tile(d: _Drawing) -> str | None:
    x = d.tensor()
    if x is None:
        return None
    rank = len(d.net.shape(x))
    repeats = d.draw(st.lists(st.sampled_from([1, 1, 2]), min_size=rank, max_size=rank))
    return d.net.op("tile", x, repeats=repeats)


def _move(d: _Drawing) -> str | None:
    x = d.tensor()
    if x is None:
        return None
    shape = d.net.shape(x)
    kind = d.draw(st.sampled_from(["transpose", "squeeze", "unsqueeze"]))
    if kind == "transpose":
        return d.net.op("transpose", x, axes=[*d.draw(st.permutations(range(len(shape))))])
    if kind == "unsqueeze" and len(shape) < 5:
        return d.net.op("unsqueeze", x, axes=[d.draw(st.integers(0, len(shape)))])
    single = [axis for axis, extent in enumerate(shape) if extent == 1]
    if kind == "squeeze" and single and len(shape) > 1:
        return d.net.op("squeeze", x, axes=single[: d.draw(st.integers(1, len(shape) - 1))])
    return None


def _reshape(d: _Drawing) -> str | None:
    x = d.tensor()
    if x is None:
        return None
    shape = d.net.shape(x)
    kind = d.draw(st.sampled_from(["merge", "split", "flat", "any"]))
    if kind == "flat":
        return d.net.flat(x)
    if kind == "any":
        factors = [n for n in range(1, prod(shape) + 1) if prod(shape) % n == 0]
        first = d.draw(st.sampled_from(factors))
        return d.net.op("reshape", x, shape=[first, -1])
    axis = d.axis(shape)
    if kind == "merge" and axis + 1 < len(shape):
        return d.net.op("reshape", x, shape=[-1], axis_start=axis, axis_count=2)
    if kind == "split" and shape[axis] % 2 == 0 and len(shape) < 5:
        return d.net.op("reshape", x, shape=[2, -1], axis_start=axis, axis_count=1)
    return None


def _dense(d: _Drawing) -> str | None:
    x = d.tensor(least=2, most=2)
    return None if x is None else d.net.dense(x, d.draw(st.sampled_from([4, 12, 24])))


def _layer_on_images(d: _Drawing) -> str | None:
    x = d.tensor(least=3)
    if x is None:
        return None
    shape = d.net.shape(x)
    units, inputs, outputs = (1,) * (len(shape) - 2), shape[-1], d.draw(st.sampled_from([1, 2, 5]))
    if d.draw(st.booleans()):
        bias = d.net.weight(*units, 1, outputs) if d.draw(st.booleans()) else 0.5
        return d.net.op("linear", x, d.net.weight(*units, outputs, inputs), bias)
    turned = d.draw(st.booleans())
    matrix = d.net.weight(*units, *((outputs, inputs) if turned else (inputs, outputs)))
    return d.net.op("matmul", x, matrix, transposeB=turned)


def _image_of_row(d: _Drawing) -> str | None:
    x = d.tensor(least=2, most=2)
    if x is None or d.net.shape(x)[1] % 4:
        return None
    rows, features = d.net.shape(x)
    return d.net.op("reshape", x, shape=[rows, 2, features // 4, 2])


def _flat_dense(d: _Drawing) -> str | None:
    x = d.tensor(least=3)
    if x is None:
        return None
    flat = d.net.flat(x)
    if d.draw(st.booleans()):
        flat = d.net.per_channel(d.draw(st.sampled_from(["add", "mul"])), d.net.op("relu", flat))
    return d.net.dense(flat, d.draw(st.sampled_from([3, 8])))


def _product(d: _Drawing) -> str | None:
    x = d.tensor(least=2)
    if x is None:
        return None
    turned = d.draw(st.booleans())
    flags = {"transposeA": turned, "transposeB": not turned}
    return d.net.op("matmul", x, x, **flags)


def _gather(d: _Drawing) -> str | None:
    x = d.tensor()
    if x is None:
        return None
    axis = d.axis(d.net.shape(x))
    indices = d.draw(st.lists(st.integers(0, d.net.shape(x)[axis] - 1), min_size=1, max_size=3))
    name = d.net.name("i")
    d.net.lines.append(f"{name} = constant<integer>(shape = [{len(indices)}], value = {indices});")
    return d.net.op("gather", x, name, axis=axis)


LAYERS = [_conv, _conv, _conv, _pool, _resize, _deconv, _norm, _response, _unary, _unary]
LAYERS += [_with_weight, _with_weight, _binary, _binary, _reduce, _concat, _split, _stack, _slice]
LAYERS += [_pad, _tile, _move, _reshape, _dense, _flat_dense, _product, _gather, _image_of_row]
LAYERS += [_pool_channels_last, _layer_on_images, _layer_on_images]


@st.composite
def networks(draw: Draw, most: int = 12) -> Graph:
    """A network of up to `most` layers; some of its tensors are its outputs."""
    drawing = _Drawing(draw)
    for _ in range(draw(st.integers(2, most))):
        drawing.add()
    computed = [name for name in drawing.tensors if name not in drawing.net.inputs]
    if not computed:
        computed = [drawing.net.op("neg", drawing.tensors[0])]
    more = draw(st.lists(st.sampled_from(computed), max_size=2, unique=True))
    return drawing.net.graph(*dict.fromkeys([computed[-1], *more]))

"""Graphs of random operations, line by line: whatever the rules of an operation allow."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import nnefkit as nk

BORDERS = ("constant", "ignore", "replicate", "reflect", "reflect-even")
SMOOTH = ("relu", "sigmoid", "tanh", "neg", "copy", "abs", "sin", "cos", "atan", "softplus", "gelu")
SMOOTH += ("silu", "sqr", "elu", "selu", "exp", "sinh", "asinh")
EXACT = ("copy", "neg", "abs", "relu")
JUMPS = ("round", "floor", "ceil", "sign")
COMPARED = ("lt", "gt", "le", "ge", "eq", "ne")
MAX_ELEMENTS = 4000


class GraphDrawing:
    """A graph that grows by one operation at a time.

    A small difference of the inputs must not become a large one, or engines would differ for good
    reasons: operations with jumps only take tensors that every engine computes without rounding.
    """

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.one = chance.choice
        self.lines: list[str] = []
        self.exact: set[str] = set()
        self.graph: nk.Graph | None = None
        rank = self.one((0, 1, 2, 3, 4, 4, 4, 5))
        shape = [self.one((1, 2, 3, 4, 5)) for _ in range(rank)]
        self.inputs = ["x"]
        self.try_lines([f"x = external<scalar>(shape = {shape});"], ["x"], exact=True)
        if chance.random() < 0.3:
            self.inputs.append("k")
            self.try_lines([f"k = external<integer>(shape = {shape});"], ["k"], exact=True)
        self.try_lines(["s = variable<scalar>(shape = [2, 3], label = 's');"], ["s"], exact=True)

    def text(self, outputs: list[str]) -> str:
        """Return the text of the graph."""
        heads = f"graph g({', '.join(self.inputs)}) -> ({', '.join(outputs)})"
        return "\n".join(["version 1.0;", heads, "{", *self.lines, "}", ""])

    def try_lines(self, lines: list[str], results: list[str], *, exact: bool) -> bool:
        """Append lines if the graph is valid with them."""
        before = list(self.lines)
        self.lines += lines
        try:
            graph = nk.parse(self.text(results))
        except nk.NnefError:
            self.lines = before
            return False
        if any(math.prod(graph.tensors[name].shape or ()) > MAX_ELEMENTS for name in results):
            self.lines = before
            return False
        self.graph = graph
        self.exact |= set(results) if exact else set()
        return True

    def names(self, dtype: str = "scalar", *, exact: bool = False) -> list[str]:
        """Return the tensors of a dtype."""
        assert self.graph is not None
        found = [name for name, tensor in self.graph.tensors.items() if tensor.dtype == dtype]
        return [name for name in found if not exact or name in self.exact]

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor."""
        assert self.graph is not None
        return self.graph.tensors[name].shape or ()

    def like(self, name: str, dtype: str = "scalar", *, exact: bool = False) -> str:
        """Return a tensor that may be combined with another one, or a literal."""
        shape = self.shape(name)
        near = [
            other
            for other in self.names(dtype, exact=exact)
            if all(a in (1, b) for a, b in zip(self.shape(other), shape, strict=False))
        ]
        if self.chance.random() < 0.2 or not near:
            literals = {"scalar": ("0.5", "-1.5", "2.0", "0.0"), "integer": ("1", "2", "-3")}
            return self.one(literals.get(dtype, ("true", "false")))
        return self.one(near)

    def axes(self, rank: int) -> list[int]:
        """Return some of the axes."""
        return sorted(self.chance.sample(range(rank), self.chance.randint(0, rank)))

    def numbers(self, rank: int, low: int, high: int) -> list[int]:
        """Return a number for each dimension."""
        return [self.chance.randint(low, high) for _ in range(rank)]

    def window(self, rank: int, *, first: int = 2) -> str:
        """Return the arguments of a sliding window."""
        some = [f"border = '{self.one(BORDERS)}'"]
        if self.chance.random() < 0.6:
            pairs = [(self.one((0, 1, 2)), self.one((0, 1, -1))) for _ in range(rank - first)]
            pairs = [(0, 0)] * first + pairs if first == 2 else pairs
            some.append(f"padding = {pairs}")
        some += [
            f"{name} = {[1] * first + self.numbers(rank - first, 1, 2)}"
            for name in ("stride", "dilation")
            if self.chance.random() < 0.5
        ]
        return ", ".join(some)

    def grow(self, name: str) -> bool:
        """Try to add an operation whose first result is `name`."""
        lines, more, exact = self.one(FORMS)(self, name)
        return bool(lines) and self.try_lines([lines], [name, *more], exact=exact)


Line = tuple[str, list[str], bool]
"""A line, its further results, and whether engines compute it without rounding."""
FORMS: list[Callable[[GraphDrawing, str], Line]] = []


def form(share: int) -> Callable[[Callable[[GraphDrawing, str], Line]], object]:
    """Register a way to add an operation, with `share` as its relative probability."""
    return lambda function: FORMS.extend([function] * share)


@form(3)
def _unary(d: GraphDrawing, n: str) -> Line:
    a = d.one(d.names())
    if d.chance.random() < 0.3:
        return f"{n} = {d.one(EXACT)}({a});", [], a in d.exact
    return f"{n} = {d.one(SMOOTH)}({a});", [], False


@form(3)
def _binary(d: GraphDrawing, n: str) -> Line:
    a = d.one(d.names())
    b = d.like(a)
    both = a in d.exact and (b in d.exact or not b[0].isalpha())
    if d.chance.random() < 0.4:
        return f"{n} = {d.one(('min', 'max'))}({a}, {b});", [], both
    safe = f"{n}d = sqr({b}); {n}e = add({n}d, 0.5); {n} = div({a}, {n}e);"
    return d.one((f"{n} = {d.one(('add', 'sub', 'mul'))}({a}, {b});",) * 3 + (safe,)), [], False


@form(1)
def _positive(d: GraphDrawing, n: str) -> Line:
    a = d.one(d.names())
    name = d.one(("log", "sqrt", "rsqrt", "rcp", "log2"))
    return f"{n}a = abs({a}); {n}b = add({n}a, 0.25); {n} = {name}({n}b);", [], False


@form(1)
def _jump(d: GraphDrawing, n: str) -> Line:
    return f"{n} = {d.one(JUMPS)}({d.one(d.names(exact=True))});", [], True


@form(2)
def _compared(d: GraphDrawing, n: str) -> Line:
    a = d.one(d.names(exact=True))
    b = d.like(a, exact=True)
    c = d.one(d.names())
    chosen = f"{n}c = {d.one(COMPARED)}({a}, {b}); {n} = select({n}c, {c}, {d.like(c)});"
    return d.one((chosen, f"{n} = {d.one(COMPARED)}({a}, {b});")), [], False


@form(1)
def _logical(d: GraphDrawing, n: str) -> Line:
    names = d.names("logical")
    if not names:
        return "", [], False
    a = d.one(names)
    reduced = f"{n} = {d.one(('all_reduce', 'any_reduce'))}({a}, axes = {d.axes(len(d.shape(a)))});"
    pair = f"{n} = {d.one(('and', 'or'))}({a}, {d.like(a, 'logical')});"
    return d.one((reduced, pair, f"{n} = not({a});", f"{n} = cast<scalar>({a});")), [], True


@form(1)
def _integer(d: GraphDrawing, n: str) -> Line:
    names = d.names("integer")
    if not names:
        return "", [], False
    a = d.one(names)
    b = d.like(a, "integer")
    forms = (f"{n} = cast<scalar>({a});", f"{n} = copy({a});")
    forms += (f"{n}c = gt({a}, {b}); {n} = select({n}c, {a}, {b});",)
    return d.one(forms), [], True


@form(2)
def _reduced(d: GraphDrawing, n: str) -> Line:
    name = d.one(("sum_reduce", "mean_reduce", "max_reduce", "min_reduce", "argmax_reduce"))
    name = d.one((name, "argmin_reduce", "softmax", "l1_normalization", "l2_normalization"))
    jumps = name.startswith("arg")
    a = d.one(d.names(exact=jumps))
    axes = d.axes(len(d.shape(a)))
    extra = ", bias = 0.5" if name.startswith("l") else ""
    exact = jumps or (name in ("max_reduce", "min_reduce") and a in d.exact)
    return f"{n} = {name}({a}, axes = {axes}{extra});", [], exact


@form(1)
def _moments(d: GraphDrawing, n: str) -> Line:
    a = d.one(d.names())
    return f"({n}, {n}b) = moments({a}, axes = {d.axes(len(d.shape(a)))});", [f"{n}b"], False


@form(4)
def _moved(d: GraphDrawing, n: str) -> Line:
    dtype = d.one(("scalar", "scalar", "scalar", "integer", "logical"))
    names = d.names(dtype)
    if not names:
        return "", [], False
    a = d.one(names)
    shape = d.shape(a)
    rank = len(shape)
    order = d.chance.sample(range(rank), rank)
    forms = [f"{n} = transpose({a}, axes = {order});"]
    forms += [
        f"{n} = reshape({a}, shape = {d.one(([-1], [0, -1], [1, -1, 1], [-1, 2], [3, -1]))});"
    ]
    forms += [f"{n} = squeeze({a}, axes = {[k for k in range(rank) if shape[k] == 1]});"]
    forms += [f"{n} = unsqueeze({a}, axes = {d.one(([0], [rank], [0, 2], [1]))});"]
    forms += [f"{n} = tile({a}, repeats = {d.numbers(rank, 1, 2)});"]
    if rank:
        axis = d.chance.randrange(rank)
        extent = shape[axis]
        begin, end = d.chance.randint(-extent, extent), d.chance.randint(-extent, extent + 1)
        stride = d.one((1, 1, 2, -1, -2))
        forms += [
            f"{n} = slice({a}, axes = [{axis}], begin = [{begin}], end = [{end}],"
            f" stride = [{stride}]);",
            f"{n} = slice({a}, axes = [{axis}], begin = [{begin}], end = [{end}]);",
        ]
        others = [b for b in d.names(dtype) if len(d.shape(b)) == rank] or [a]
        b = d.one(others)
        forms += [f"{n} = concat([{a}, {b}, {a}], axis = {axis});"]
        forms += [f"{n} = stack([{a}, {a}], axis = {d.chance.randint(0, rank)});"]
        indices = [d.chance.randrange(max(extent, 1)) for _ in range(d.one((1, 2, 4)))]
        forms += [
            f"{n}i = constant<integer>(shape = [{len(indices)}], value = {indices});"
            f" {n} = gather({a}, {n}i, axis = {axis});"
        ]
        if extent > 1:
            forms += [
                f"[{n}, {n}b] = split({a}, axis = {axis}, ratios = [1, {extent - 1}]);",
            ]
    line = d.one(forms)
    return line, [f"{n}b"] if line.startswith("[") else [], a in d.exact


@form(2)
def _padded(d: GraphDrawing, n: str) -> Line:
    a = d.one(d.names())
    rank = len(d.shape(a))
    pairs = [(d.one((0, 1, 2, -1)), d.one((0, 1, 3))) for _ in range(rank)]
    value = d.one(("", ", value = 1.5"))
    border = d.one([b for b in BORDERS if b != "ignore"])
    return f"{n} = pad({a}, padding = {pairs}, border = '{border}'{value});", [], a in d.exact


@form(4)
def _convolved(d: GraphDrawing, n: str) -> Line:
    names = [name for name in d.names() if len(d.shape(name)) >= 3]
    if not names:
        return "", [], False
    a = d.one(names)
    shape = d.shape(a)
    groups = d.one((1, 1, shape[1], 0))
    inner = 1 if groups == 0 else shape[1] // max(groups, 1)
    outer = max(groups, 1) * d.one((1, 2)) if groups else shape[1]
    kernel = d.numbers(len(shape) - 2, 1, 3)
    name = d.one(("conv", "conv", "deconv"))
    first = [outer, inner] if name == "conv" else [shape[1], d.one((1, 2))]
    bias = d.one(("", ", 0.5"))
    border = d.window(len(shape) - 2, first=0)
    return (
        f"{n}f = variable<scalar>(shape = {first + kernel}, label = '{n}f');"
        f" {n} = {name}({a}, {n}f{bias}, {border}, groups = {groups});",
        [],
        False,
    )


@form(4)
def _pooled(d: GraphDrawing, n: str) -> Line:
    names = [name for name in d.names() if len(d.shape(name)) >= 3]
    if not names:
        return "", [], False
    a = d.one(names)
    rank = len(d.shape(a))
    name = d.one(("max_pool", "avg_pool", "rms_pool", "box", "debox", "local_mean_normalization"))
    size = [1, 1, *d.numbers(rank - 2, 1, 3)]
    if name.startswith("local"):
        name = d.one((name, "local_variance_normalization", "local_response_normalization"))
        more = ", bias = 1.0, epsilon = 0.5" if "variance" in name else ""
        return f"{n} = {name}({a}, size = {size}{more});", [], False
    normalize = d.one(("", ", normalize = true")) if "box" in name else ""
    exact = name == "max_pool" and a in d.exact
    return f"{n} = {name}({a}, size = {size}, {d.window(rank)}{normalize});", [], exact


@form(1)
def _pooled_positions(d: GraphDrawing, n: str) -> Line:
    names = [name for name in d.names(exact=True) if len(d.shape(name)) >= 3]
    if not names:
        return "", [], False
    a = d.one(names)
    rank = len(d.shape(a))
    size = [1, 1, *d.numbers(rank - 2, 1, 3)]
    window = d.window(rank)
    return (
        f"({n}, {n}b) = max_pool_with_index({a}, size = {size}, {window});",
        [f"{n}b"],
        True,
    )


@form(2)
def _resampled(d: GraphDrawing, n: str) -> Line:
    names = [name for name in d.names() if len(d.shape(name)) >= 3]
    if not names:
        return "", [], False
    a = d.one(names)
    factor = d.numbers(len(d.shape(a)) - 2, 1, 3)
    if d.chance.random() < 0.5:
        name = d.one(("nearest_downsample", "area_downsample", "nearest_upsample"))
        return f"{n} = {name}({a}, factor = {factor});", [], False
    method = d.one(("symmetric", "asymmetric", "aligned"))
    border = d.one(("constant", "replicate", "reflect"))
    line = f"{n} = multilinear_upsample({a}, factor = {factor}, method = '{method}'"
    return f"{line}, border = '{border}');", [], False


@form(2)
def _multiplied(d: GraphDrawing, n: str) -> Line:
    names = [name for name in d.names() if len(d.shape(name)) >= 2]
    if not names:
        return "", [], False
    a = d.one(names)
    b = d.one(names)
    if d.chance.random() < 0.5:
        flags = ", ".join(f"transpose{k} = {d.one(('true', 'false'))}" for k in "AB")
        return f"{n} = matmul({a}, {b}, {flags});", [], False
    extent = d.shape(a)[-1]
    line = f"{n}f = variable<scalar>(shape = [3, {extent}], label = '{n}f');"
    return f"{line} {n} = linear({a}, {n}f, {d.one(('0.0', '0.5'))});", [], False


@form(1)
def _normalized(d: GraphDrawing, n: str) -> Line:
    names = [name for name in d.names() if len(d.shape(name)) >= 2]
    if not names:
        return "", [], False
    a = d.one(names)
    channels = d.shape(a)[1]
    lines = [
        f"{n}{k} = variable<scalar>(shape = [1, {channels}], label = '{n}{k}');" for k in "mvos"
    ]
    lines += [f"{n}p = sqr({n}v);"]
    lines += [f"{n} = batch_normalization({a}, {n}m, {n}p, {n}o, {n}s, epsilon = 0.5);"]
    return " ".join(lines), [], False


@form(1)
def _several(d: GraphDrawing, n: str) -> Line:
    a = d.one(d.names())
    some = [f"clamp({a}, -0.5, 0.75)", f"leaky_relu({a}, alpha = 0.1)", f"prelu({a}, 0.25)"]
    some += [f"add_n([{a}, {a}, {a}])"]
    if d.shape("s") == d.shape(a):
        some += [f"update(s, {a})"] * 3
    return f"{n} = {d.one(some)};", [], False


def draw_graph(chance: Random, most: int = 14) -> str:
    """Return the text of a graph; a comment in it seeds the values of inputs and variables."""
    drawing = GraphDrawing(chance)
    wanted = chance.randint(1, most)
    made: list[str] = []
    for attempt in range(3 * wanted):
        if len(made) == wanted:
            break
        name = f"t{attempt}"
        if drawing.grow(name):
            made.append(name)
    outputs = made[-1:] + chance.sample(made, min(len(made), chance.randint(0, 3))) or ["x"]
    text = drawing.text(list(dict.fromkeys(outputs)))
    return f"# values {chance.randrange(1000)}\n{text}"

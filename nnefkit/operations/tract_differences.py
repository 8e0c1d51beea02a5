"""Operations of the standard that tract computes otherwise, in documents that were written for it.

tract's documents use the names of the standard. What tract computes for them was compared with the
standard, operation by operation; here are those that agree, and the attributes for which they do.
The others are refused, since their numbers would differ without a sign of it.
"""

from __future__ import annotations

from collections.abc import Callable

from nnefkit.errors import Diagnostic
from nnefkit.graph import Graph, Operation
from nnefkit.graph.dialect import TRACT
from nnefkit.operations.located_problems import Locate, Reports
from nnefkit.operations.registry import Problems

CODE = "tract-difference"
_MOVING = frozenset(
    [
        *("external", "variable", "constant", "copy", "reshape", "squeeze", "unsqueeze"),
        *("transpose", "concat", "stack", "unstack", "slice", "tile"),
    ]
)
"""Operations that move elements of any type."""
_AGREEING = _MOVING.union(
    ("neg", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan"),
    ("asinh", "acosh", "atanh", "abs", "sign", "floor", "ceil", "add", "sub", "mul", "div", "pow"),
    ("lt", "gt", "le", "ge", "eq", "ne", "and", "or", "not", "sqr", "sqrt", "rsqr", "rsqrt"),
    ("log2", "min", "max", "clamp", "sum_reduce", "mean_reduce", "max_reduce", "min_reduce"),
    ("matmul", "linear", "sigmoid", "relu", "leaky_relu", "softmax", "batch_normalization"),
    ("conv", "max_pool", "avg_pool"),
)
"""Operations that agree, apart from the attributes in `_CONDITIONS`."""


_DIFFERENT = {
    "deconv": "tract swaps the input and output channels of the filter",
    "debox": "tract does not divide by the volume of the window",
    "elu": "tract ignores alpha",
    "softplus": "tract returns infinity for inputs above 88",
    "local_response_normalization": "tract computes windows over channels otherwise",
}
"""What is known of some of the others."""


def _conv(op: Operation) -> str:
    attribs = op.attribs
    if attribs["groups"] == 0:
        return "tract reads groups = 0 as one group for each filter"
    if attribs["border"] != "constant":
        return f"tract has no border '{attribs['border']}' for filters"
    return _cropping(op)


def _pool(op: Operation) -> str:
    attribs = op.attribs
    windows = (attribs["size"], attribs["stride"], attribs["dilation"])
    if any(set(extents[:2]) - {1} for extents in windows) or any(map(any, attribs["padding"][:2])):
        return "tract has no windows over batch and channels"
    if attribs["border"] not in ("constant", "ignore"):
        return f"tract has no border '{attribs['border']}' for windows"
    sizes = attribs["size"]
    # Lists of other lengths are reported with the shapes.
    gaps = attribs["dilation"] or [1] * len(sizes)
    lengths = [1 + (size - 1) * gap for size, gap in zip(sizes, gaps, strict=False)]
    if any(max(pair) >= length for pair, length in zip(attribs["padding"], lengths, strict=False)):
        return "tract returns another number for a window that is all border"
    return _cropping(op)


def _max_pool(op: Operation) -> str:
    padding = op.attribs["padding"]
    padded = not padding or any(extent > 0 for pair in padding for extent in pair)
    if padded and op.attribs["border"] == "constant":
        return "tract ignores the zeros of border 'constant', which can be the maximum of a window"
    return _pool(op)


def _cropping(op: Operation) -> str:
    negative = any(extent < 0 for pair in op.attribs["padding"] for extent in pair)
    return "tract does not crop by negative padding" if negative else ""


def _slice(op: Operation) -> str:
    attribs = op.attribs
    if set(attribs["stride"]) - {1}:
        return "slices with a stride were not compared"
    if any(begin < 0 for begin in attribs["begin"]) or any(end <= 0 for end in attribs["end"]):
        return "slices from or up to the end were not compared"
    return ""


def _reshape(op: Operation) -> str:
    return "" if op.attribs["shape"] else "tract rejects an empty shape"


def _tile(op: Operation) -> str:
    return "" if op.attribs["repeats"] else "tract rejects an empty list of repeats"


_CONDITIONS: dict[str, Callable[[Operation], str]] = {
    "conv": _conv,
    "max_pool": _max_pool,
    "avg_pool": _pool,
    "slice": _slice,
    "reshape": _reshape,
    "tile": _tile,
}
"""Functions that return what differs for the attributes of a call, or an empty string."""


def tract_differences(graph: Graph, locate: Locate | None = None) -> list[Diagnostic]:
    """Return an error for each operation in tract's document whose meaning is not the standard's.

    Args:
        graph: The graph of a document in tract's dialect, with shapes as far as they are known.
        locate: Finds the span of an argument, to point at it instead of at its operation.
    """
    reports = Reports(graph, locate)
    for op in graph.operations:
        difference = _difference(graph, op)
        if difference:
            problems = Problems("4")
            hint = "Without its extensions ('tract_...'), the document is read by the standard."
            problems.add("", difference, hint, code=CODE)
            reports.collect(op, problems)
    return reports.in_order()


def _difference(graph: Graph, op: Operation) -> str:
    if op.name.startswith(TRACT) or "0" in op.outputs:
        return ""  # It is opaque, and has no meaning in the standard.
    if op.name not in _AGREEING:
        return _DIFFERENT.get(op.name, "it was not compared with tract's")
    if op.name not in _MOVING and any(
        graph.tensors[name].dtype == "integer" for name in op.input_names
    ):
        return "tract does not compute with integers as the standard does"
    condition = _CONDITIONS.get(op.name)
    return condition(op) if condition is not None else ""

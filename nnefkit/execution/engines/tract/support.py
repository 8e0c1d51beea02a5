"""The operations that tract computes correctly, and why it cannot run the others.

Determined by running version 0.23.9 on every operation and comparing with the reference; the tests
repeat that for the installed version. Only finite inputs were compared: tract's functions may drop
NaN, and return NaN for infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from nnefkit.arrays import is_surely_finite
from nnefkit.errors import NnefError
from nnefkit.execution.dtypes import scalar_dtype
from nnefkit.execution.preparation.integer_arithmetic import ARITHMETIC
from nnefkit.graph import Graph, Identifier, Operation
from nnefkit.operations.shape_inference import infer_shapes
from nnefkit.operations.window import Window

_ALWAYS = frozenset(
    [
        *("external", "constant", "variable", "update", "copy", "neg", "exp", "log"),
        *("sin", "cos", "tan", "sinh", "cosh", "tanh"),
        *("asin", "acos", "atan", "asinh", "acosh", "atanh"),
        *("abs", "sign", "not", "floor", "ceil"),
        *("add", "sub", "mul", "div", "pow", "lt", "gt", "le", "ge", "eq", "ne", "and", "or"),
        *("sqr", "sqrt", "rsqr", "rsqrt", "log2", "min", "max", "clamp"),
        *("sum_reduce", "max_reduce", "min_reduce", "argmax_reduce", "argmin_reduce"),
        *("all_reduce", "any_reduce", "mean_reduce", "moments"),
        *("squeeze", "unsqueeze", "transpose", "concat", "stack", "unstack"),
        *("matmul", "linear", "sigmoid", "relu", "prelu", "leaky_relu", "softmax"),
        *("l1_normalization", "l2_normalization", "batch_normalization"),
    ]
)


@dataclass(frozen=True)
class SupportedCall:
    """One operation and its graph."""

    graph: Graph
    op: Operation

    @property
    def attribs(self) -> Mapping[str, Any]:
        """Attributes of the operation."""
        return self.op.attribs

    def shape(self, formal: str) -> tuple[int, ...]:
        """Return the shape of an argument."""
        value = self.op.inputs[formal]
        return self.graph.tensors[value].shape or () if isinstance(value, Identifier) else ()

    @property
    def window(self) -> Window:
        """The resolved window of an operation that has its size as an attribute."""
        attribs = self.attribs
        window = Window.of(
            attribs["size"],
            attribs["border"],
            attribs["padding"],
            attribs["stride"],
            attribs["dilation"],
        )
        return window.over(self.shape("input"))


# -- sliding windows ------------------------------------------------------------------------------


def _filter(call: SupportedCall) -> str:
    """Return why tract cannot run a filter, or an empty string."""
    border = call.attribs["border"]
    if border != "constant":
        return f"tract aborts on border '{border}': filters support only 'constant'."
    return _cropping(call)


def _cropping(call: SupportedCall) -> str:
    if any(extent < 0 for pair in call.attribs["padding"] for extent in pair):
        return "Negative padding makes tract read outside of its memory: slice the input instead."
    return ""


def _conv(call: SupportedCall) -> str:
    if call.attribs["groups"] == 0:
        return _depthwise(call, "filter")
    return _spatial(call) or _filter(call)


def _separable_conv(call: SupportedCall) -> str:
    return _depthwise(call, "plane_filter")


def _depthwise(call: SupportedCall, name: str) -> str:
    if call.shape(name)[0] != call.shape("input")[1]:
        return "tract reads groups = 0 as one group per filter, not as one per channel."
    return _spatial(call) or _filter(call)


def _spatial(call: SupportedCall) -> str:
    if len(call.shape("input")) < 3:
        return "tract has no windows for inputs without spatial dimensions."
    return ""


def _deconv(call: SupportedCall) -> str:
    shape, filter_ = call.shape("input"), call.shape("filter")
    if filter_[1] != 1 or call.attribs["groups"] not in (0, shape[1]):
        return (
            "tract swaps the input and output channels of the filter: only depthwise filters are "
            "computed correctly."
        )
    return _spatial(call) or _filter(call) or _upscaling(call, shape[2:], filter_[2:])


def _upscaling(call: SupportedCall, extents: tuple[int, ...], size: tuple[int, ...]) -> str:
    attribs = call.attribs
    if not attribs["padding"]:
        return "tract's automatic padding differs: write 'padding' explicitly."
    window = Window.of(size, "constant", attribs["padding"], attribs["stride"], attribs["dilation"])
    plain = window.up_extents(extents)
    wanted = attribs["output_shape"]
    if wanted and tuple(wanted[-len(plain) :]) != plain:
        return f"tract ignores 'output_shape': the extents are {[*plain]}."
    return ""


def _pool(call: SupportedCall) -> str:
    for name in ("size", "stride", "dilation"):
        if set(call.attribs[name][:2]) - {1}:
            return f"tract has no windows over batch and channels: '{name}' must start with 1, 1."
    if any(map(any, call.attribs["padding"][:2])):
        return "tract has no windows over batch and channels, and cannot pad these dimensions."
    if call.attribs["border"] not in ("constant", "ignore"):
        return f"tract aborts on border '{call.attribs['border']}'."
    return _spatial(call) or _cropping(call)


def _max_pool(call: SupportedCall) -> str:
    window = call.window
    padded = any(extent > 0 for pair in window.padding for extent in pair)
    if padded and call.attribs["border"] == "constant":
        return "tract ignores the zeros of border 'constant', which can be the maximum of a window."
    if padded and _has_empty_window(call.shape("input"), window):
        return "tract returns the lowest number, not -infinity, for a window that is all border."
    return _pool(call)


def _has_empty_window(shape: tuple[int, ...], window: Window) -> bool:
    """Whether some window is all border."""
    return not all(counts.all() for counts in window.true_counts(shape))


def _debox(call: SupportedCall) -> str:
    if call.attribs["normalize"]:
        return "tract does not divide by the volume of the window: 'normalize' must be false."
    size = tuple(call.attribs["size"])
    return _pool(call) or _filter(call) or _upscaling(call, call.shape("input"), size)


def _local(call: SupportedCall) -> str:
    if set(call.attribs["size"][:2]) - {1}:
        return "tract has no windows over batch and channels: 'size' must start with 1, 1."
    return _spatial(call)


# -- tensors --------------------------------------------------------------------------------------


def _reshape(call: SupportedCall) -> str:
    return "" if call.attribs["shape"] else "tract rejects an empty shape."


def _slice(call: SupportedCall) -> str:
    if 0 in (call.graph.tensors[call.op.output_names[0]].shape or ()):
        return "tract takes a slice without elements for one of the whole axis."
    return "tract's slices have no stride." if set(call.attribs["stride"]) - {1} else ""


def _pad(call: SupportedCall) -> str:
    border, padding = call.attribs["border"], call.attribs["padding"]
    if border not in ("constant", "reflect"):
        return f"tract's pad has no border '{border}'."
    extents = zip(padding, call.shape("input"), strict=True)
    if border == "reflect" and any(max(pair) >= extent for pair, extent in extents):
        return "tract reflects only once: padding must be less than the extent."
    return _cropping(call)


def _tile(call: SupportedCall) -> str:
    return "" if call.attribs["repeats"] else "tract rejects an empty list of repeats."


def _select(call: SupportedCall) -> str:
    literals = [value for value in call.op.inputs.values() if type(value) in (int, bool)]
    scalar = call.graph.tensors[call.op.output_names[0]].dtype == "scalar"
    if literals and (not scalar or isinstance(call.op.inputs["condition"], bool)):
        return "tract has no integer or logical literals: use constants."
    return ""


def _elu(call: SupportedCall) -> str:
    return "" if call.attribs["alpha"] == 1.0 else "tract ignores alpha, and uses 1."


_CONDITIONS: dict[str, Callable[[SupportedCall], str]] = {
    "conv": _conv,
    "deconv": _deconv,
    "separable_conv": _separable_conv,
    "box": _pool,
    "debox": _debox,
    "max_pool": _max_pool,
    "avg_pool": _pool,
    "rms_pool": _pool,
    "local_response_normalization": _local,
    "local_mean_normalization": _local,
    "local_variance_normalization": _local,
    "local_contrast_normalization": _local,
    "reshape": _reshape,
    "slice": _slice,
    "pad": _pad,
    "tile": _tile,
    "select": _select,
    "elu": _elu,
}
"""Operation name -> function that returns why tract cannot run a call of it, or an empty string."""

_WRONG = {"softplus": "tract returns infinity for inputs above 88."}
"""Operations that tract supports, but computes wrongly for any attributes."""

_EXTREMES = "tract returns a finite number for the extreme of infinities, which a weight holds."
_FINITE = {
    **dict.fromkeys(("max_reduce", "min_reduce", "max_pool"), _EXTREMES),
    "mul": "tract returns 0 for the product of 0 and infinity, which a weight holds.",
}
"""Operations that tract computes wrongly if infinity or NaN is among the weights."""

CLAIMED = _ALWAYS | _CONDITIONS.keys()
"""Names of the operations that tract can run, at least with some attributes."""


CONDITIONAL = frozenset(_CONDITIONS)
"""Names of the operations that tract can run with some attributes only."""


def objection(graph: Graph, op: Operation) -> str:
    """Return why tract cannot run an operation correctly, or an empty string if it can."""
    if op.name not in CLAIMED:
        return _WRONG.get(op.name, "tract has no such operation.")
    if _is_wide(graph) and _has_scalars(graph, op):
        return "tract computes in float32: use graph.with_data(...) to give it float32 weights."
    if op.name in ARITHMETIC and any(_is_integer(graph, value) for value in op.inputs.values()):
        return "tract does not compute with integers."
    if op.name in _FINITE and _has_infinity(graph):
        return _FINITE[op.name]
    condition = _CONDITIONS.get(op.name)
    if condition is None:
        return ""
    graph = _with_shapes(graph)
    if any(graph.tensors[name].shape is None for name in op.input_names):
        return ""  # the error is reported elsewhere
    return condition(SupportedCall(graph, op))


def _is_integer(graph: Graph, value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_is_integer(graph, item) for item in value)
    return isinstance(value, Identifier) and graph.tensors[value].dtype == "integer"


@lru_cache(maxsize=4)
def _is_wide(graph: Graph) -> bool:
    return scalar_dtype(graph) == np.float64


@lru_cache(maxsize=4)
def _has_infinity(graph: Graph) -> bool:
    arrays = [tensor.data for tensor in graph.tensors.values() if tensor.data is not None]
    return not all(is_surely_finite(a) or bool(np.isfinite(a).all()) for a in arrays)


def _has_scalars(graph: Graph, op: Operation) -> bool:
    names = (*op.input_names, *op.output_names)
    return any(graph.tensors[name].dtype == "scalar" for name in names)


@lru_cache(maxsize=4)
def _with_shapes(graph: Graph) -> Graph:
    if all(tensor.shape is not None for tensor in graph.tensors.values()):
        return graph
    try:
        return infer_shapes(graph)
    except NnefError:
        return graph

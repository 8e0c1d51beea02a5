"""What tract computes right, and what keeps it from the rest.

Found by running version 0.23.9 on every operation and comparing with the reference; the tests do it
again for whatever version is installed. Claims are about finite numbers: tract's functions may drop
NaN, and give NaN for infinities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from nnefkit.errors import NnefError
from nnefkit.execution.dtypes import scalar_dtype
from nnefkit.graph import Graph, Identifier, Operation
from nnefkit.operations.shape_inference import infer_shapes
from nnefkit.operations.window import Window

_ALWAYS = frozenset(
    [
        *("external", "constant", "variable", "update", "copy", "neg", "exp", "log"),
        *("sin", "cos", "tan", "sinh", "cosh", "tanh"),
        *("asin", "acos", "atan", "asinh", "acosh", "atanh"),
        *("abs", "sign", "not", "floor", "ceil", "round"),
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
class Site:
    """One operation and what it stands in."""

    graph: Graph
    op: Operation

    @property
    def attribs(self) -> Mapping[str, Any]:
        """The attributes of the operation."""
        return self.op.attribs

    def shape(self, formal: str) -> tuple[int, ...]:
        """Of an argument."""
        value = self.op.inputs[formal]
        return self.graph.tensors[value].shape or () if isinstance(value, Identifier) else ()

    @property
    def window(self) -> Window:
        """Of an operation that has its size as an attribute."""
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


def _filter(site: Site) -> str:
    """What all filters have in common."""
    border = site.attribs["border"]
    if border != "constant":
        return f"It ends at border '{border}': only 'constant' is there for filters."
    return _cropping(site)


def _cropping(site: Site) -> str:
    if any(item < 0 for pair in site.attribs["padding"] for item in pair):
        return "It reads outside of its memory where padding is negative: slice the input."
    return ""


def _conv(site: Site) -> str:
    if site.attribs["groups"] == 0:
        return _depthwise(site, "filter")
    return _spatial(site) or _filter(site)


def _separable_conv(site: Site) -> str:
    return _depthwise(site, "plane_filter")


def _depthwise(site: Site, name: str) -> str:
    if site.shape(name)[0] != site.shape("input")[1]:
        return "It takes groups = 0 for as many groups as filters, not as many as channels."
    return _spatial(site) or _filter(site)


def _spatial(site: Site) -> str:
    if len(site.shape("input")) < 3:
        return "It has no windows without spatial dimensions."
    return ""


def _deconv(site: Site) -> str:
    shape, filter_ = site.shape("input"), site.shape("filter")
    if filter_[1] != 1 or site.attribs["groups"] not in (0, shape[1]):
        return (
            "It takes the first dimension of the filter for the channels of the output, the second "
            "for those of the input: only depthwise ones come out right."
        )
    return _spatial(site) or _filter(site) or _upscaling(site, shape[2:], filter_[2:])


def _upscaling(site: Site, extents: tuple[int, ...], size: tuple[int, ...]) -> str:
    attribs = site.attribs
    if not attribs["padding"]:
        return "Its automatic padding is another one: write 'padding' out."
    window = Window.of(size, "constant", attribs["padding"], attribs["stride"], attribs["dilation"])
    plain = window.up_extents(extents)
    wanted = attribs["output_shape"]
    if wanted and tuple(wanted[-len(plain) :]) != plain:
        return f"It ignores 'output_shape': the extents are {[*plain]}."
    return ""


def _pool(site: Site) -> str:
    for name in ("size", "stride", "dilation"):
        if set(site.attribs[name][:2]) - {1}:
            return f"It has no windows over batch and channels: '{name}' must begin with 1, 1."
    if any(map(any, site.attribs["padding"][:2])):
        return "It has no windows over batch and channels, and pads neither."
    if site.attribs["border"] not in ("constant", "ignore"):
        return f"It ends at border '{site.attribs['border']}'."
    return _spatial(site) or _cropping(site)


def _max_pool(site: Site) -> str:
    slid = site.window
    padded = any(item > 0 for pair in slid.padding for item in pair)
    if padded and site.attribs["border"] == "constant":
        return "Its border 'constant' is no zero, which can win a maximum, but is ignored."
    if padded and _has_empty_window(site.shape("input"), slid):
        return "It gives the lowest number, not minus infinity, where a window is all border."
    return _pool(site)


def _has_empty_window(shape: tuple[int, ...], slid: Window) -> bool:
    """Whether some window is all border."""
    return not all(counts.all() for counts in slid.true_counts(shape))


def _debox(site: Site) -> str:
    if site.attribs["normalize"]:
        return "It does not divide by the volume of the window: 'normalize' must be false."
    size = tuple(site.attribs["size"])
    return _pool(site) or _filter(site) or _upscaling(site, site.shape("input"), size)


def _local(site: Site) -> str:
    if set(site.attribs["size"][:2]) - {1}:
        return "It has no windows over batch and channels: 'size' must begin with 1, 1."
    return _spatial(site)


# -- tensors --------------------------------------------------------------------------------------


def _reshape(site: Site) -> str:
    return "" if site.attribs["shape"] else "It refuses an empty shape."


def _slice(site: Site) -> str:
    return "Its slices have no stride." if set(site.attribs["stride"]) - {1} else ""


def _pad(site: Site) -> str:
    border, padding = site.attribs["border"], site.attribs["padding"]
    if border not in ("constant", "reflect"):
        return f"It has no border '{border}' for pad."
    extents = zip(padding, site.shape("input"), strict=True)
    if border == "reflect" and any(max(pair) >= extent for pair, extent in extents):
        return "It reflects once only: padding must be less than the extent."
    return _cropping(site)


def _tile(site: Site) -> str:
    return "" if site.attribs["repeats"] else "It refuses an empty list of repeats."


def _select(site: Site) -> str:
    literals = [value for value in site.op.inputs.values() if type(value) in (int, bool)]
    scalar = site.graph.tensors[site.op.output_names[0]].dtype == "scalar"
    if literals and (not scalar or isinstance(site.op.inputs["condition"], bool)):
        return "It has no literals among integers and logicals: write constants."
    return ""


def _elu(site: Site) -> str:
    return "" if site.attribs["alpha"] == 1.0 else "It ignores alpha, and takes 1."


_CONDITIONS: dict[str, Callable[[Site], str]] = {
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
"""Operation name -> what keeps one from running, or an empty string."""

_WRONG = {"softplus": "It gives infinity for inputs above 88."}
"""Operations that are there, but wrong whatever their attributes."""

CLAIMED = _ALWAYS | _CONDITIONS.keys()
"""Names of the operations that run, at least with some of their attributes."""


CONDITIONAL = frozenset(_CONDITIONS)
"""Names of those that run with some of their attributes only."""


def objection(graph: Graph, op: Operation) -> str:
    """Why tract cannot run an operation right, or an empty string if it can."""
    if op.name not in CLAIMED:
        return _WRONG.get(op.name, "It has no such operation.")
    if _is_wide(graph) and _has_scalars(graph, op):
        return "It computes in float32: graph.with_data(...) with float32 weights makes it fit."
    condition = _CONDITIONS.get(op.name)
    if condition is None:
        return ""
    graph = _with_shapes(graph)
    if any(graph.tensors[name].shape is None for name in op.input_names):
        return ""  # an error elsewhere, which is told elsewhere
    return condition(Site(graph, op))


@lru_cache(maxsize=4)
def _is_wide(graph: Graph) -> bool:
    return scalar_dtype(graph) == np.float64


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

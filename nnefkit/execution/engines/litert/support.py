"""What TFLite's operators cannot express."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nnefkit.execution.engines.litert.graph_lowering import COMPOUND
from nnefkit.execution.engines.litert.operations import LOWERINGS
from nnefkit.graph import Graph, Identifier, Operation
from nnefkit.operation_names import SOURCES

OPERATIONS = frozenset((*SOURCES, *LOWERINGS, *COMPOUND))
"""Names of the operations that can be expressed, at least for some attributes."""
_CONVOLVED_RANK = 5
"""Rank of the tensors that can be convolved, at most."""


def objection(graph: Graph, op: Operation) -> str:
    """Return why TFLite cannot express an operation, as a sentence; empty if it can."""
    if op.name not in OPERATIONS:
        return "No TFLite operators express it."
    tensors = [graph.tensors[name] for name in (*op.input_names, *op.output_names)]
    dtypes = {tensor.dtype for tensor in tensors}
    if "string" in dtypes:
        return "TFLite does not compute tensors of strings."
    if any(0 in (tensor.shape or ()) for tensor in tensors):
        return "LiteRT does not compute tensors without elements."
    if any(t.data is not None and t.data.dtype == np.float64 for t in tensors):
        return "LiteRT computes in float32 only, and a variable is float64."
    check = _CHECKS.get(op.name)
    return check(graph, op) if check is not None else ""


def _has_few_dimensions(graph: Graph, op: Operation) -> str:
    name = op.inputs["input"]
    shape = graph.tensors[name].shape if isinstance(name, Identifier) else ()
    if shape is not None and len(shape) > _CONVOLVED_RANK:
        return f"TFLite's convolutions have at most {_CONVOLVED_RANK - 2} spatial dimensions."
    return ""


def _is_reversible(graph: Graph, op: Operation) -> str:
    name = op.inputs["filter" if "filter" in op.inputs else "plane_filter"]
    if isinstance(name, Identifier) and graph.tensors[name].data is not None:
        return _has_few_dimensions(graph, op)
    return "Its filter is computed; TFLite reverses only constant filters."


def _has_known_range(graph: Graph, op: Operation) -> str:
    name = op.inputs["max"]
    if isinstance(name, Identifier) and graph.tensors[name].data is None:
        return "Its range is computed; float32 logarithms of powers of two may be rounded up."
    return ""


_CHECKS: Mapping[str, Callable[[Graph, Operation], str]] = {
    "conv": _has_few_dimensions,
    "separable_conv": _has_few_dimensions,
    "logarithmic_quantize": _has_known_range,
    "deconv": _is_reversible,
    "separable_deconv": _is_reversible,
}
"""Operation -> the function that finds out what TFLite lacks."""
CONDITIONAL = frozenset(_CHECKS)
"""Operations that TFLite can express for some attributes or data types only."""

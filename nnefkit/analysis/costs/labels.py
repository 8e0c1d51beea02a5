"""The label that each operation belongs to: that of its weights, or of the operation before it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nnefkit.graph import Graph

_SEPARATORS = re.compile(r"[/.:\\]+")


def operation_labels(graph: Graph, fixed: frozenset[str]) -> Mapping[str, str]:
    """Return the name of each tensor -> the label that its operation belongs to.

    It is the label of the first variable that the operation reads, directly or through operations
    on weights alone. Other operations belong to the same label as what they read.
    """
    labels: dict[str, str] = {}
    for op in graph.operations:
        if op.name == "variable":
            name = op.output_names[0]
            own = graph.tensors[name].label or ""
        else:
            reads = op.input_names
            weights = (labels[name] for name in reads if name in fixed and labels.get(name))
            others = (labels[name] for name in reads if labels.get(name))
            own = next(weights, "") or next(others, "")
        for name in op.output_names:
            labels[name] = own
    return labels


def label_parts(label: str) -> tuple[str, ...]:
    """Return the parts of a label, without that of the variable: ``("block1", "conv")``."""
    parts = tuple(part for part in _SEPARATORS.split(label) if part)
    return parts[:-1] or parts

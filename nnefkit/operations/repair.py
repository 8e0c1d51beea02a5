"""Repairs of what others write against the rules, where its meaning is certain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from nnefkit.errors import Diagnostic
from nnefkit.graph import FrozenDict, Graph, Operation, Tensor
from nnefkit.operations.located_problems import Locate, Reports
from nnefkit.operations.registry import Problems
from nnefkit.operations.tensor_introduction import allowed_label

_FILTERS = {
    "conv": "filter",
    "deconv": "filter",
    "separable_conv": "point_filter",
    "separable_deconv": "plane_filter",
}
"""The filter that determines the output channels, by operation with a bias."""


def repaired(graph: Graph, locate: Locate | None = None) -> tuple[Graph, list[Diagnostic]]:
    """Return a graph in which labels and biases follow the rules, and a warning for each change.

    Characters that a label cannot have become ``_`` (4.1.3). A variable or constant of
    rank 1 whose only use is as the bias of each output channel gets the shape ``[1, C]`` (4.3.1).

    Args:
        graph: As parsed or loaded; variables may have data.
        locate: Finds the span of an argument, to point at it instead of at its operation.
    """
    repair = _Repair(graph, Reports(graph, locate))
    repair.labels()
    repair.biases()
    return repair.graph(), repair.reports.in_order()


class _Repair:
    def __init__(self, graph: Graph, reports: Reports) -> None:
        self.original = graph
        self.reports = reports
        self.attribs: dict[str, dict[str, Any]] = {}
        """Changed attributes, by the name of a variable or constant."""
        self.variables = {
            op.output_names[0]: op for op in graph.operations if op.name == "variable"
        }
        self.weights = {op.output_names[0]: op for op in graph.operations if op.is_weight}

    def labels(self) -> None:
        """Repair labels: the same one in the same way, different ones in different ways."""
        labels = {str(op.attribs.get("label", "")) for op in self.variables.values()}
        used = {label.lower() for label in labels}
        chosen: dict[str, str] = {}
        for name, op in self.variables.items():
            label = str(op.attribs.get("label", ""))
            allowed = allowed_label(label)
            if allowed == label:
                continue
            if label.lower() not in chosen:
                chosen[label.lower()] = _unused(allowed, used)
            new = chosen[label.lower()]
            self.attribs.setdefault(name, {})["label"] = new
            message = f"the label '{label}' has characters that are not allowed; '{new}' is used"
            self._warn(op, "label", message, "invalid-argument", "4.1.3")

    def biases(self) -> None:
        """Repair variables and constants of rank 1 that are only used as biases."""
        biases: dict[str, list[Operation]] = {}
        other: set[str] = set(self.original.outputs)
        for op in self.original.operations:
            bias = op.inputs.get("bias") if op.name in _FILTERS else None
            if isinstance(bias, str) and self._is_bias(op, bias):
                biases.setdefault(bias, []).append(op)
            other.update(
                name
                for formal, argument in op.inputs.items()
                for name in _names(argument)
                if formal != "bias" or name not in biases
            )
        for name in biases.keys() - other:
            extent = self.weights[name].attribs["shape"][0]
            self.attribs.setdefault(name, {})["shape"] = [1, extent]
            for op in biases[name]:
                message = (
                    f"'bias' has the shape [{extent}], of which the only dimension is the batch; "
                    f"it is taken as [1, {extent}]"
                )
                self._warn(op, "bias", message, "shape-mismatch", "4.3.1")

    def _is_bias(self, op: Operation, bias: str) -> bool:
        """Return whether a tensor is a variable with one element for each output channel."""
        weights = self.original.tensors[str(op.inputs.get(_FILTERS[op.name]))].shape
        if bias not in self.weights or not weights or len(weights) < 2:
            return False
        channels = weights[0]
        if op.name == "deconv":
            channels = weights[1] * (op.attribs.get("groups", 1) or weights[0])
        elif op.name == "separable_deconv":
            channels = weights[1] * weights[0]
        shape = self.weights[bias].attribs.get("shape")
        return channels > 1 and [*(shape or ())] == [channels]

    def _warn(self, op: Operation, argument: str, message: str, code: str, section: str) -> None:
        problems = Problems(section)
        hint = "nnefkit.save writes it like this."
        problems.add(argument, message, hint, code=code, severity="warning")
        self.reports.collect(op, problems)

    def graph(self) -> Graph:
        """Return the graph with all changes."""
        if not self.attribs:
            return self.original
        operations = tuple(
            replace(op, attribs=FrozenDict(op.attribs, **self.attribs[op.output_names[0]]))
            if op.is_weight and op.output_names[0] in self.attribs
            else op
            for op in self.original.operations
        )
        changed = {name: self._tensor(name) for name in self.attribs}
        provenance = {**self.original.provenance}
        if "stored" in provenance:
            # The items as they were stored have the old shape.
            reshaped = {name for name, attribs in self.attribs.items() if "shape" in attribs}
            stored = provenance["stored"]
            provenance["stored"] = {n: o for n, o in stored.items() if n not in reshaped}
        return replace(
            self.original,
            operations=operations,
            tensors=FrozenDict({**self.original.tensors, **changed}),
            provenance=FrozenDict(provenance),
        )

    def _tensor(self, name: str) -> Tensor:
        tensor = self.original.tensors[name]
        attribs = self.attribs[name]
        shape = tuple(attribs["shape"]) if "shape" in attribs else tensor.shape
        data = tensor.data
        if data is not None and shape is not None:
            data = data.reshape(shape)
        return replace(tensor, shape=shape, label=attribs.get("label", tensor.label), data=data)


def _names(argument: Any) -> Iterable[str]:
    if isinstance(argument, str):
        return (argument,)
    return (
        [name for item in argument for name in _names(item)]
        if isinstance(argument, (list, tuple))
        else ()
    )


def _unused(label: str, used: set[str]) -> str:
    number, new = 1, label
    while new.lower() in used:
        number += 1
        new = f"{label}_{number}"
    used.add(new.lower())
    return new

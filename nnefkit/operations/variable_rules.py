"""The rules for labels and updates of variables, across operations (4.1.3, 4.8)."""

from __future__ import annotations

from collections.abc import Mapping

from nnefkit.arrays import Shape
from nnefkit.graph import Graph, Operation
from nnefkit.operations.located_problems import Reports
from nnefkit.operations.registry import Problems


def check_variables(graph: Graph, shapes: Mapping[str, Shape | None], reports: Reports) -> None:
    """Check that variables with the same label agree in shape, and are updated at most once."""
    check = _VariableCheck(graph, shapes, reports)
    for op in graph.operations:
        if op.name == "variable":
            check.label(op)
        elif op.name == "update":
            check.update(op)


class _VariableCheck:
    """Check of the variables and updates of one graph, in order."""

    def __init__(self, graph: Graph, shapes: Mapping[str, Shape | None], reports: Reports) -> None:
        self.graph = graph
        self.shapes = shapes
        self.reports = reports
        self.labels: dict[str, str] = {}
        """Label in lower case, by name of a variable."""
        self.first_of_label: dict[str, str] = {}
        """Name of the first variable, by label."""
        self.updates: dict[str, Operation] = {}
        """First update of a variable, by label."""
        self.updated: dict[str, str] = {}
        """Updated variable, by result of an update."""

    def label(self, op: Operation) -> None:
        """Check the shape of a variable against that of the first one with its label."""
        label = str(op.attribs.get("label", "")).lower()
        for name in op.output_names:
            self.labels[name] = label
            first = self.first_of_label.setdefault(label, name)
            shape, other = self.shapes.get(name), self.shapes.get(first)
            if label and shape is not None and other is not None and shape != other:
                problems = Problems("4.1.3")
                problems.add(
                    "shape",
                    f"variables '{first}' and '{name}' share the label '{op.attribs['label']}', "
                    f"but have shapes {[*other]} and {[*shape]}",
                    "Variables with the same label, whatever its case, share their data.",
                    code="shape-mismatch",
                )
                self.reports.collect(op, problems)

    def update(self, op: Operation) -> None:
        """Check that an update is the first one of a variable."""
        target = str(op.inputs.get("variable"))
        if target not in self.labels and target not in self.shapes and target in self.graph.tensors:
            return
        problems = Problems("4.8")
        if target not in self.labels:
            updated = self.updated.get(target)
            problems.add(
                "variable",
                f"'{target}' is not a variable",
                "Only results of 'variable' can be updated."
                if updated is None
                else f"It is the result of an update of '{updated}', which may be updated once.",
            )
            self.reports.collect(op, problems)
            return
        first = self.updates.setdefault(self.labels[target] or target, op)
        self.updated.update(dict.fromkeys(op.output_names, target))
        if first is not op:
            before = first.inputs["variable"]
            line = self.graph.line(first)
            shared = "" if before == target else f", which shares its data with '{before}',"
            problems.add(
                "variable",
                f"variable '{target}'{shared} is updated twice",
                f"The other update is on line {line}." if line else "Remove one of them.",
                code="repeated-update",
            )
            self.reports.collect(op, problems)

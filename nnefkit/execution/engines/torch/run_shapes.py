"""Shapes of the inputs of a module: those of its graph, and others that the graph is valid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from nnefkit.errors import DocumentError, ExecutionError, InputError
from nnefkit.graph import Graph
from nnefkit.graph.extents import EXTENTS, ConvertedExtents, described, input_shapes
from nnefkit.operations.shape_inference import infer_shapes

_REMEDY = "Convert the source with dynamic_shapes=..."


class RunShapes:
    """The shapes of inputs that a graph may be run on.

    Args:
        graph: The graph of a module.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._own = input_shapes(graph.operations)
        self._allowed = {tuple(self._own[name] for name in graph.inputs)}

    def check(self, given: Mapping[str, Sequence[Any]]) -> None:
        """Check that the graph is valid for the shapes of inputs.

        An extent may be a symbol of `torch.export`, if it is declared as dynamic there.

        Raises:
            InputError: The graph was converted, and is not valid for them.
            ExecutionError: The graph cannot be computed for them.
        """
        is_exporting = torch.compiler.is_exporting()
        if torch.compiler.is_compiling() and not is_exporting:
            return
        shapes = {name: tuple(given[name]) for name in self._graph.inputs}
        record = self._graph.provenance.get(EXTENTS)
        if is_exporting:
            shapes = self._without_symbols(shapes, record)
        key = tuple(shapes.values())
        if key in self._allowed:
            return
        if is_exporting and record is not None and not record.allows(shapes, self._own):
            raise InputError(
                f"the graph was converted for {described(record.shapes)}, and whether it is valid "
                f"for {described(shapes)} cannot be checked during an export",
                hint=f"Call the module with inputs of these shapes before the export. {_REMEDY} "
                "declares axes that may change.",
                section="4.1.1",
            )
        try:
            infer_shapes(self._graph, **shapes)
        except DocumentError as error:
            first = error.diagnostics[0]
            raise ExecutionError(
                f"the graph cannot be computed for {described(shapes)}: {first.message}",
                hint=f"It was made for {described(self._own)}.",
                section=first.section,
            ) from error
        self._allowed.add(key)

    def _without_symbols(
        self, shapes: Mapping[str, tuple[Any, ...]], record: ConvertedExtents | None
    ) -> dict[str, tuple[int, ...]]:
        """Return shapes with the graph's own extents for the symbols that `torch.export` uses."""
        plain = {}
        for name, shape in shapes.items():
            own = self._own[name]
            extents = []
            for axis, extent in enumerate(shape):
                if type(extent) is int:
                    extents.append(extent)
                    continue
                if record is not None:
                    _bound(record, name, axis, extent)
                extents.append(own[axis] if axis < len(own) else 1)
            plain[name] = tuple(extents)
        return plain


def _bound(record: ConvertedExtents, name: str, axis: int, extent: Any) -> None:
    """Bound a symbol by the extents that the axis of an input may have.

    Raises:
        InputError: They are not known.
    """
    allowed = record.ranges.get((name, axis))
    if allowed is None:
        raise InputError(
            f"the graph was converted for {described(record.shapes)}, and it is not recorded "
            f"which results depend on axis {axis} of '{name}'",
            hint=f"{_REMEDY} for the axes that may change, or export this axis with a fixed "
            "extent.",
            section="4.1.1",
        )
    check: Any = torch._check
    check(extent >= allowed.least)
    check(extent <= allowed.most)

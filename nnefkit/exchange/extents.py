"""Extents other than those of the example: convert again, and compare the two graphs.

Everything that depends only on extents is computed while a source is read. If two graphs of one
source differ only in the shapes of their inputs, they are one graph, which is valid for both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from nnefkit.errors import NnefError
from nnefkit.exchange.dynamic_shapes import checked_ranges
from nnefkit.exchange.proof import with_facts
from nnefkit.graph import Graph, Operation
from nnefkit.graph.extents import EXTENTS, ConvertedExtents, Shapes, input_shapes
from nnefkit.operations.shape_changes import RESHAPING, ShapeChange, general_form, makes

Convert = Callable[[Shapes], Graph]
"""Shapes of the inputs by their names in the graph -> the graph that is converted for them."""


class _Line(NamedTuple):
    """An operation, without the shapes of inputs."""

    call: Operation
    attribs: Mapping[str, Any]
    data: bytes
    """A digest of the data of a variable."""
    origin: str
    change: ShapeChange | None = None
    """The change of the shape, of an operation that changes nothing else."""


class RepeatableConversion:
    """A source that can be converted again for other shapes of its inputs."""

    def __init__(self, graph: Graph, convert: Convert) -> None:
        self.shapes: Mapping[str, tuple[int, ...]] = input_shapes(graph.operations)
        self._operations = graph.operations
        self._convert = convert
        self._first: list[_Line] | None = None
        self._changes: dict[int, list[ShapeChange]] = {}
        """The changes of the shape that an operation must make, by its position."""
        self.adapts = False
        """Whether operations that change the shape may be written in another form."""
        self._known: dict[tuple[tuple[int, ...], ...], str] = {}

    def difference(self, wanted: Shapes) -> str:
        """Return where the graph for other shapes differs, or why there is none; else nothing."""
        key = tuple(tuple(wanted[name]) for name in self.shapes)
        if key not in self._known:
            try:
                self._known[key] = self._compared(wanted)
            except NnefError as error:
                return error.diagnostics[0].message
        return self._known[key]

    def is_adaptable(self, wanted: Shapes) -> bool:
        """Return whether one graph is valid for these shapes, too, once their axes are declared."""
        try:
            other = self._convert({name: wanted[name] for name in self.shapes})
        except NnefError:
            return False
        lines, others = self._first or [], _lines(other, other)
        return bool(lines) and not _first_difference(self._general(lines, others), others)

    def _compared(self, wanted: Shapes) -> str:
        if self._first is None:
            again = self._convert(self.shapes)
            if _first_difference(_lines(again, None), _lines_of(self._operations)):
                return "the source has changed since it was converted"
            self._first = _lines(again, again)
        other = self._convert({name: wanted[name] for name in self.shapes})
        return self._difference(self._first, _lines(other, other))

    def _difference(self, lines: list[_Line], others: list[_Line]) -> str:
        if self.adapts:
            lines = self._general(lines, others)
        place = _first_difference(lines, others)
        if not place:
            self._first = lines
            for number, other in enumerate(others):
                if other.change:
                    self._changes.setdefault(number, []).append(other.change)
        return place

    def _general(self, lines: list[_Line], others: list[_Line]) -> list[_Line]:
        """Return lines that change shapes as the others do, too, where one form makes both."""
        general = [*lines]
        for number, (line, other) in enumerate(zip(lines, others, strict=False)):
            if line.change and other.change and not makes(line.call, other.change):
                changes = [line.change, *self._changes.get(number, ()), other.change]
                call = general_form(line.call, changes) or line.call
                general[number] = line._replace(call=call, attribs=call.attribs)
        return general

    def adapted(self, graph: Graph) -> Graph:
        """Return a graph with the forms of operations that are valid for all compared shapes."""
        if self._first is None:
            return graph
        operations = tuple(
            replace(op, name=line.call.name, attribs=line.call.attribs) if line.change else op
            for op, line in zip(graph.operations, self._first, strict=True)
        )
        return replace(graph, operations=operations)


def recorded(graph: Graph, convert: Convert, dynamic_shapes: Any = None) -> Graph:
    """Return a graph that checks for which extents it is valid.

    Args:
        graph: The graph as it was converted.
        convert: Converts its source again; raises an `NnefError` if that is not possible.
        dynamic_shapes: As in `nnefkit.from_torch`.

    Raises:
        InputError: A declared axis does not exist, or the graph is not valid for other extents.
    """
    source = RepeatableConversion(graph, convert)
    names = {graph.tensors[name].origin or name: name for name in graph.inputs}
    source.adapts = True
    ranges = checked_ranges(source, names, dynamic_shapes)
    source.adapts = False
    record = ConvertedExtents(source.shapes, ranges, source.difference, source.is_adaptable)
    return with_facts(source.adapted(graph), {EXTENTS: record})


def _lines_of(operations: Sequence[Operation]) -> list[_Line]:
    return [_Line(op, _attribs(op), b"", "") for op in operations]


def _lines(graph: Graph, data: Graph | None) -> list[_Line]:
    """Return the lines of a graph, with the data of its variables if they are to be compared."""
    lines = []
    for op in graph.operations:
        tensor = graph.tensors[op.output_names[0]] if op.output_names else None
        array = None if tensor is None or data is None or op.name != "variable" else tensor.data
        origin = (tensor.origin or "") if tensor is not None else ""
        change = _shape_change(graph, op) if op.name in RESHAPING and op.input_names else None
        lines.append(_Line(op, _attribs(op), _digest(array), origin, change))
    return lines


def _shape_change(graph: Graph, op: Operation) -> ShapeChange | None:
    before, after = (graph.tensors[name].shape for name in (op.input_names[0], op.output_names[0]))
    return None if before is None or after is None else ShapeChange(before, after)


def _attribs(op: Operation) -> Mapping[str, Any]:
    return {} if op.name == "external" else op.attribs


def _digest(array: Any) -> bytes:
    if array is None:
        return b""
    plain = np.ascontiguousarray(array).reshape(-1)
    return hashlib.blake2b(plain.view(np.uint8).data, digest_size=16).digest()


def _first_difference(lines: Sequence[_Line], others: Sequence[_Line]) -> str:
    """Describe the first operation in which two conversions differ; empty if there is none."""
    for line, other in zip(lines, others, strict=False):
        a, b = line.call, other.call
        where = _place(line)
        is_same = bool(other.change and line.change and makes(a, other.change))
        if a.dtype != b.dtype or (a.name != b.name and not is_same):
            return f"{where} would be computed by '{b.name}' instead of '{a.name}'"
        if a.outputs != b.outputs or a.inputs != b.inputs:
            return f"{where}, computed by '{a.name}', would have other arguments"
        if is_same:
            continue
        for name, value in line.attribs.items():
            if _text(value) != _text(other.attribs.get(name)):
                return (
                    f"{where}, computed by '{a.name}', has {name} = {_brief(value)} and would "
                    f"need {_brief(other.attribs.get(name))}"
                )
        if line.data != other.data:
            return f"the constant {where} depends on the shapes"
    if len(lines) != len(others):
        longer = max(lines, others, key=len)
        return f"{_place(longer[min(len(lines), len(others))])} is computed for only one of them"
    return ""


def _text(value: Any) -> str:
    # repr distinguishes 1, 1.0 and True.
    return repr([*value] if isinstance(value, list) else value)


def _brief(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= 40 else f"{text[:36]}..."


def _place(line: _Line) -> str:
    name = line.call.output_names[0] if line.call.output_names else line.call.name
    known = line.origin not in ("", name)
    return f"'{name}'" + (f" ('{line.origin}' in the source)" if known else "")

"""The changes between two graphs whose operations are aligned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnefkit.analysis.causes import settings
from nnefkit.analysis.differences.alignment import GraphAlignment
from nnefkit.analysis.differences.changes import OperationChange, PortChange, QuantizationChange
from nnefkit.analysis.differences.structure import Structure, canonical, form_of

_PORTS = ("external", "variable")
"""Operations whose changes are those of inputs and weights."""


def operation_changes(alignment: GraphAlignment) -> tuple[OperationChange, ...]:
    """Return the operations that were removed, changed and added, in the order of the graphs."""
    first, second = alignment.first, alignment.second
    rows: list[tuple[float, OperationChange]] = []
    place = -1.0
    for b, op in enumerate(second.operations):
        a = alignment.backward.get(b)
        if a is not None:
            place = float(a)
        if op.name in _PORTS:
            continue
        if a is None:
            rows.append((place + 0.5, _row("added", alignment, None, b, {})))
        elif changes := _changes(alignment, a, b):
            rows.append((place, _row("changed", alignment, a, b, changes)))
    for a, op in enumerate(first.operations):
        if a not in alignment.forward and op.name not in _PORTS:
            rows.append((float(a), _row("removed", alignment, a, None, {})))
    return tuple(row for _, row in sorted(rows, key=lambda pair: pair[0]))


def _row(
    kind: Any, alignment: GraphAlignment, a: int | None, b: int | None, changes: dict[str, Any]
) -> OperationChange:
    name, tensor, line = _place(alignment.first, a)
    other_name, other, other_line = _place(alignment.second, b)
    operation = other_name or name
    return OperationChange(kind, operation, tensor, other, a, b, line, other_line, changes)


def _place(structure: Structure, number: int | None) -> tuple[str, str, int | None]:
    """Return the name of an operation, its first result and its line."""
    if number is None:
        return "", "", None
    op = structure.operations[number]
    return op.name, op.output_names[0] if op.output_names else "", structure.graph.line(op)


def _changes(alignment: GraphAlignment, a: int, b: int) -> dict[str, tuple[Any, Any]]:
    one, other = alignment.first.operations[a], alignment.second.operations[b]
    changes: dict[str, tuple[Any, Any]] = {}
    if one.name != other.name:
        changes["operation"] = one.name, other.name
    if one.dtype != other.dtype:
        changes["type"] = one.dtype, other.dtype
    ours, theirs = settings(one), settings(other)
    read_a = dict(alignment.first.arguments[a])
    read_b = dict(alignment.second.arguments[b])
    if alignment.first.forms[a] != alignment.second.forms[b]:
        for key in dict.fromkeys((*ours, *theirs)):
            before, after = ours.get(key, read_a.get(key)), theirs.get(key, read_b.get(key))
            is_one_sided = one.name != other.name and not (key in ours and key in theirs)
            if form_of(key, before) != form_of(key, after) and not is_one_sided:
                changes[key] = before, after
    for place in dict.fromkeys((*read_a, *read_b)):
        if place in ours or place in theirs or place in changes:
            continue
        before, after = read_a.get(place), read_b.get(place)
        if not _is_same_source(alignment, before, after):
            changes[place] = before, after
    return changes


def _is_same_source(alignment: GraphAlignment, before: str | None, after: str | None) -> bool:
    """Return whether an argument is the same, or differs by added and removed operations only."""
    if before is None or after is None:
        return False
    if alignment.tensor(before) == after:
        return True
    ours = {alignment.tensor(t) for t in _origins(alignment.first, before, alignment.forward)}
    theirs = _origins(alignment.second, after, alignment.backward)
    return not ours.isdisjoint(theirs)


def _origins(structure: Structure, tensor: str, paired: dict[int, int]) -> set[str]:
    """Return the results of paired operations that a tensor is computed from, by others alone."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [tensor]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in structure.producers:
            continue
        seen.add(name)
        number = structure.producers[name][0]
        if number in paired:
            found.add(name)
        else:
            waiting += (argument.tensor for argument in structure.arguments[number])
    return found


# -- inputs and outputs ---------------------------------------------------------------------------


def paired_ports(ours: tuple[str, ...], theirs: tuple[str, ...]) -> dict[str, str]:
    """Pair inputs or outputs: by name, the others in their order."""
    pairs = {name: name for name in ours if name in theirs}
    left = [name for name in theirs if name not in pairs]
    pairs |= zip([name for name in ours if name not in pairs], left, strict=False)
    return {name: pairs[name] for name in ours if name in pairs}


def port_changes(
    alignment: GraphAlignment, inputs: dict[str, str], outputs: dict[str, str]
) -> tuple[PortChange, ...]:
    """Return the changes of inputs and outputs."""
    first, second = alignment.first.graph, alignment.second.graph
    rows = [
        *_ports("input", inputs, first.inputs, second.inputs),
        *_input_changes(alignment, inputs),
        *_ports("output", outputs, first.outputs, second.outputs),
    ]
    for name, other in outputs.items():
        if not _is_same_source(alignment, name, other):
            source = alignment.tensor(name) or "nothing"
            rows.append(PortChange("changed", "output", name, other, source, other))
    return tuple(rows)


def _ports(
    port: Any, pairs: dict[str, str], ours: tuple[str, ...], theirs: tuple[str, ...]
) -> Iterator[PortChange]:
    for name in ours:
        if name not in pairs:
            yield PortChange("removed", port, name, "")
    for other in theirs:
        if other not in pairs.values():
            yield PortChange("added", port, "", other)
    places = {name: place for place, name in enumerate(theirs)}
    order = sorted(pairs, key=lambda name: places[pairs[name]])
    for place, (name, moved) in enumerate(zip(pairs, order, strict=True)):
        if name != pairs[name]:
            yield PortChange("renamed", port, name, pairs[name])
        if name != moved:
            yield PortChange("moved", port, name, pairs[name], place, order.index(name))


def _input_changes(alignment: GraphAlignment, inputs: dict[str, str]) -> Iterator[PortChange]:
    for name, other in inputs.items():
        ours = alignment.first.graph.tensors[name]
        theirs = alignment.second.graph.tensors[other]
        if ours.shape != theirs.shape:
            shapes = [None if t.shape is None else list(t.shape) for t in (ours, theirs)]
            yield PortChange("changed", "input", name, other, *shapes)
        if ours.dtype != theirs.dtype:
            yield PortChange("changed", "input", name, other, ours.dtype, theirs.dtype)


# -- tensors --------------------------------------------------------------------------------------


def tensor_pairs(alignment: GraphAlignment) -> dict[str, str]:
    """Return the name of each tensor of the first graph -> its name in the second."""
    pairs = {}
    for names in alignment.first.results:
        for name in names:
            other = alignment.tensor(name)
            if other is not None:
                pairs[name] = other
    return pairs


def quantization_changes(
    alignment: GraphAlignment, pairs: dict[str, str]
) -> tuple[QuantizationChange, ...]:
    """Return the tensors whose quantization info differs."""
    first, second = alignment.first.graph.tensors, alignment.second.graph.tensors
    rows = []
    for name, other in pairs.items():
        before, after = first[name].quantization, second[other].quantization
        if canonical(before or {}) != canonical(after or {}):
            rows.append(QuantizationChange(name, other, before or None, after or None))
    return tuple(rows)

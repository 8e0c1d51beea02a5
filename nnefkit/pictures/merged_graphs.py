"""Two graphs in one picture: what both have once, and what only one of them has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnefkit.analysis import Diff, diff
from nnefkit.analysis.causes import weight_tensors
from nnefkit.display import numbers
from nnefkit.display.folding import PlainOperation
from nnefkit.display.graph_drawing import plain_operation
from nnefkit.graph import Graph
from nnefkit.pictures.viewed_graph import ADDED, ViewedChange, ViewedGraph, ViewedOperation

Place = tuple[int, int]
"""Where an operation is in the order of both graphs: after an operation of the first one."""


def merged(graph: Graph, other: Graph) -> ViewedGraph:
    """Return the view of two graphs, aligned by their structure as `nnefkit.diff` aligns them.

    Raises:
        InputError: One of the graphs is not complete.
    """
    found = diff(graph, other, progress=False)
    first, second = found.graphs
    shown_as = {b: a for a, b in found.pairs.items()}
    added = [
        number
        for number, operation in enumerate(second.operations)
        if operation.output_names and operation.output_names[0] not in shown_as
    ]
    shown_as |= {
        name: f"{ADDED}{name}" for n in added for name in second.operations[n].output_names
    }
    places = _places(first, second, added, shown_as)
    order = sorted(places, key=places.__getitem__)
    position = {which: i for i, which in enumerate(order)}
    originals = [
        ViewedOperation((first, second)[side].operations[n], (first, second)[side])
        for side, n in order
    ]
    counterparts = _counterparts(first, second, found.pairs, position)
    return ViewedGraph(
        _wired(order, originals, counterparts, shown_as),
        originals,
        first,
        tuple(dict.fromkeys([*first.inputs, *(shown_as.get(n, n) for n in second.inputs)])),
        tuple(dict.fromkeys([*first.outputs, *(shown_as.get(n, n) for n in second.outputs)])),
        second,
        {a: b for b, a in shown_as.items()},
        _changes(found, position),
        found.labels,
        counterparts,
        found,
    )


def _places(
    first: Graph, second: Graph, added: Sequence[int], shown_as: Mapping[str, str]
) -> dict[tuple[int, int], Place]:
    """Return the place of each operation: (0, number) of the first, (1, number) of the second."""
    places: dict[tuple[int, int], Place] = {(0, n): (n, 0) for n in range(len(first.operations))}
    made_at = {
        name: n for n, operation in enumerate(first.operations) for name in operation.output_names
    }
    for sequence, number in enumerate(added, 1):
        operation = second.operations[number]
        after = max(
            (made_at.get(shown_as.get(n, n), -1) for n in operation.input_names), default=-1
        )
        places[1, number] = (after, sequence)
        made_at.update((shown_as[name], after) for name in operation.output_names)
    return places


def _counterparts(
    first: Graph,
    second: Graph,
    pairs: Mapping[str, str],
    position: Mapping[tuple[int, int], int],
) -> dict[int, ViewedOperation]:
    """Return the operations of the second graph that those of the first are paired with."""
    found = {}
    for number, operation in enumerate(first.operations):
        for name in operation.output_names[:1]:
            if name in pairs and pairs[name] in second.producers:
                other = second.producers[pairs[name]]
                found[position[0, number]] = ViewedOperation(other, second)
    return found


def _wired(
    order: Sequence[tuple[int, int]],
    originals: Sequence[ViewedOperation],
    counterparts: Mapping[int, ViewedOperation],
    shown_as: Mapping[str, str],
) -> list[PlainOperation]:
    """Return the operations with the edges of both graphs.

    Where the graphs have operations in opposite orders, the edges of the second one are left out
    that would lead back.
    """
    made: set[str] = set()
    operations = []
    for i, (side, _) in enumerate(order):
        operation, graph = originals[i]
        plain = plain_operation(graph, operation)
        if side:
            outputs = [shown_as[name] for name in plain.outputs]
            reads = [shown_as.get(name, name) for name in plain.inputs]
            plain = plain._replace(outputs=outputs, inputs=[n for n in reads if n in made])
        elif i in counterparts:
            also = [shown_as.get(n, n) for n in counterparts[i].operation.input_names]
            reads = list(dict.fromkeys([*plain.inputs, *(n for n in also if n in made)]))
            plain = plain._replace(inputs=reads)
        made.update(plain.outputs)
        operations.append(plain)
    return operations


def _changes(found: Diff, position: Mapping[tuple[int, int], int]) -> dict[int, ViewedChange]:
    changes: dict[int, ViewedChange] = {}
    for each in found.operations:
        if each.number is not None:
            changes[position[0, each.number]] = ViewedChange(each.kind, each.words)
        elif each.other_number is not None and (1, each.other_number) in position:
            changes[position[1, each.other_number]] = ViewedChange(each.kind, each.words)
    first = found.graphs[0]
    words = _weight_words(found)
    weights = weight_tensors(first)
    for name, tensor in first.tensors.items():
        label = tensor.label or ""
        if label not in words:
            continue
        for reader in _readers(first, name, weights):
            number = position[0, reader]
            known = changes.get(number)
            if known is None or known.kind == "changed":
                both = "; ".join(filter(None, (known.words if known else "", words[label])))
                changes[number] = ViewedChange("changed", both)
    return changes


def _weight_words(found: Diff) -> dict[str, str]:
    """Return label -> how its values differ, of the weights that do."""
    words = {}
    for row in found.weights or ():
        if row.metrics is None:
            words[row.name] = f"weight {row.name} has another shape"
        else:
            words[row.name] = (
                f"weight {row.name} differs (SNR {numbers.number(row.metrics.snr)} dB)"
            )
    return words


def _readers(graph: Graph, name: str, weights: frozenset[str]) -> list[int]:
    """Return the operations that combine a weight, or what is made of it alone, with data."""
    numbers_of = {id(operation): n for n, operation in enumerate(graph.operations)}
    found, waiting, seen = [], [name], {name}
    for tensor in waiting:
        for operation in graph.consumers.get(tensor, ()):
            if weights.issuperset(operation.input_names):
                new = [n for n in operation.output_names if n not in seen]
                seen.update(new)
                waiting.extend(new)
            else:
                found.append(numbers_of[id(operation)])
    return found

"""Recurrent layers in graphs: steps that follow one another, as one operation each.

NNEF has no loops, so that a recurrent layer is a chain of equal steps there. The steps of a chain
share their weights, each reads the states that the one before it computes, and no input depends on
a result of the same layer, as in a decoder that reads what it predicted. Two chains that read the
same inputs in opposite order are one bidirectional layer. Everything else stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np

from nnefkit.exchange.onnx.recurrent_steps import RecurrentStep, StepForm, recognized_steps
from nnefkit.execution.dtypes import scalar_dtype
from nnefkit.graph import FrozenDict, FrozenList, Graph, Identifier, Operation

LAYER = "recurrent.layer"
"""Name of the operation for a whole layer; no operation of a document has a dot in its name."""


def with_recurrent_layers(graph: Graph) -> Graph:
    """Return `graph` with each recurrent layer as one operation called `LAYER`.

    Its inputs are lists: the inputs of the steps, and for each direction the states before the
    first step and the weights. Its results are the hidden states of each direction in the order in
    which they are computed, and the last cell states. The other tensors inside of layers are gone.

    Args:
        graph: Without calls of fragments; all its shapes are known.

    Returns:
        The graph; the same one if it has no recurrent layers, or computes in float64, in which
        ONNX Runtime has none.
    """
    if scalar_dtype(graph) != np.float32:
        return graph
    layers = _paired(graph, _chains(graph))
    while layers:
        order, tangled = _ordered(graph, layers)
        if not tangled:
            return replace(graph, operations=tuple(order))
        layers = [part for layer in layers for part in _untangled(layer, tangled)]
    return graph


def has_layers(graph: Graph) -> bool:
    """Return whether a graph has recurrent layers as operations."""
    return any(op.name == LAYER for op in graph.operations)


@dataclass(frozen=True, eq=False)
class _Direction:
    """The steps of one direction of a layer, in the order in which they are computed."""

    steps: tuple[RecurrentStep, ...]

    @property
    def form(self) -> StepForm:
        """The form of all steps."""
        return self.steps[0].form

    @cached_property
    def inputs(self) -> tuple[Identifier, ...]:
        """The inputs of the steps."""
        return tuple(step.input for step in self.steps)


_Layer = tuple[_Direction, ...]
"""The directions of a layer, one or two."""


# -- chains ----------------------------------------------------------------------------------------


def _chains(graph: Graph) -> list[_Direction]:
    """Return the chains of steps, in the order of their first steps."""
    steps = [*recognized_steps(graph)]
    readers: dict[str, list[RecurrentStep]] = {}
    for step in steps:
        readers.setdefault(str(step.arguments["hidden"]), []).append(step)
    following: dict[int, RecurrentStep] = {}
    followers: set[int] = set()
    for step in steps:
        candidates = [one for one in readers.get(step.hidden, ()) if _follows(graph, step, one)]
        if len(candidates) == 1:
            following[id(step)] = candidates[0]
            followers.add(id(candidates[0]))
    chains = []
    for step in steps:
        if id(step) not in followers:
            chain = [step]
            while (last := following.get(id(chain[-1]))) is not None:
                chain.append(last)
            chains.append(_Direction(tuple(chain)))
    return [chain for chain in chains if _is_recurrent(chain)]


def _follows(graph: Graph, step: RecurrentStep, other: RecurrentStep) -> bool:
    """Return whether another step continues a layer, and its cell state is read nowhere else."""
    if step.form is not other.form or not _same(step.weights, other.weights):
        return False
    if graph.tensors[step.input].shape != graph.tensors[other.input].shape:
        return False
    if not step.cell:
        return True
    if other.arguments["cell"] != step.cell or step.cell in graph.outputs:
        return False
    own = set(map(id, (*step.operations, *other.operations)))
    return all(id(reader) in own for reader in graph.consumers[step.cell])


def _same(weights: Sequence[Any], others: Sequence[Any]) -> bool:
    """Return whether two steps have the same weights: the same tensors, or no biases."""
    return all(
        isinstance(one, Identifier) == isinstance(other, Identifier) and one == other
        for one, other in zip(weights, others, strict=True)
    )


def _is_recurrent(chain: _Direction) -> bool:
    """Return whether a chain is a recurrent layer for certain.

    The sum of two linear layers, activated, may be anything; it is a step of a layer if another one
    follows, or if it was a call of the fragment.
    """
    if len(chain.steps) > 1 or not chain.form.is_plain:
        return True
    calls = {op.scope[-1].partition(":")[0] if op.scope else "" for op in chain.steps[0].operations}
    return calls == {chain.form.fragment}


# -- layers ----------------------------------------------------------------------------------------


def _paired(graph: Graph, chains: Sequence[_Direction]) -> list[_Layer]:
    """Return the layers: two chains that read the same inputs in opposite order are one."""
    layers: list[_Layer] = []
    waiting: dict[Any, list[int]] = {}
    for chain in chains:
        described = _description(graph, chain)
        places = waiting.get((described, chain.inputs[::-1]))
        if places:
            place = places.pop(0)
            layers[place] = (*layers[place], chain)
        else:
            waiting.setdefault((described, chain.inputs), []).append(len(layers))
            layers.append((chain,))
    return layers


def _description(graph: Graph, chain: _Direction) -> tuple[Any, ...]:
    """Return what two directions of a layer have in common."""
    return id(chain.form), graph.tensors[chain.steps[0].hidden].shape


def _untangled(layer: _Layer, tangled: Iterable[_Layer]) -> list[_Layer]:
    """Return what remains of a layer that may be on a circle: its directions, or nothing."""
    if not any(layer is other for other in tangled):
        return [layer]
    return [(chain,) for chain in layer] if len(layer) > 1 else []


def _ordered(graph: Graph, layers: Sequence[_Layer]) -> tuple[list[Operation], list[_Layer]]:
    """Return the operations in a valid order, and the layers that depend on their own results."""
    nodes, places = _with_layers(graph, layers)
    producers = {name: place for place, op in enumerate(nodes) for name in op.output_names}
    before = [{producers[name] for name in op.input_names if name in producers} for op in nodes]
    order, rest = _sorted(before)
    if not rest:
        return [nodes[place] for place in order], []
    circular = _circular(before, sorted(rest))
    return [], [layer for place, layer in places.items() if place in circular]


def _with_layers(
    graph: Graph, layers: Sequence[_Layer]
) -> tuple[list[Operation], dict[int, _Layer]]:
    """Return the operations with those of layers as one each, and the places of the layers."""
    inside = {
        id(op): layer
        for layer in layers
        for chain in layer
        for step in chain.steps
        for op in step.operations
    }
    nodes: list[Operation] = []
    places: dict[int, _Layer] = {}
    seen: set[int] = set()
    for op in graph.operations:
        layer = inside.get(id(op))
        if layer is None:
            nodes.append(op)
        elif id(layer) not in seen:
            seen.add(id(layer))
            places[len(nodes)] = layer
            nodes.append(_layer_operation(layer))
    return nodes, places


def _circular(before: Sequence[set[int]], rest: Sequence[int]) -> set[int]:
    """Return the places on circles and between them, of those on circles and behind them."""
    numbers = {place: number for number, place in enumerate(rest)}
    after: list[set[int]] = [set() for _ in rest]
    for place, number in numbers.items():
        for other in before[place]:
            if other in numbers:
                after[numbers[other]].add(number)
    return {rest[number] for number in _sorted(after)[1]}


def _sorted(before: Sequence[set[int]]) -> tuple[list[int], set[int]]:
    """Return places so that each comes after those before it, and those that have no order."""
    after: list[list[int]] = [[] for _ in before]
    missing = [len(places) for places in before]
    for place, places in enumerate(before):
        for other in places:
            after[other].append(place)
    ready = [place for place, count in enumerate(missing) if not count]
    heapify(ready)
    order = []
    while ready:
        place = heappop(ready)
        order.append(place)
        for other in after[place]:
            missing[other] -= 1
            if not missing[other]:
                heappush(ready, other)
    return order, set(range(len(before))).difference(order)


# -- operations ------------------------------------------------------------------------------------


def _layer_operation(layer: _Layer) -> Operation:
    """Return the operation that computes a layer."""
    form, first = layer[0].form, [chain.steps[0] for chain in layer]
    names = [name for name in first[0].arguments if name != "input"]
    inputs: dict[str, Any] = {"input": FrozenList(layer[0].inputs)}
    inputs |= {name: FrozenList([step.arguments[name] for step in first]) for name in names}
    hidden = [Identifier(step.hidden) for chain in layer for step in chain.steps]
    cells = [Identifier(chain.steps[-1].cell) for chain in layer if chain.steps[-1].cell]
    return Operation(
        LAYER,
        FrozenDict(inputs),
        FrozenDict({"hidden": FrozenList(hidden), "cell": FrozenList(cells)}),
        FrozenDict({"form": form}),
    )

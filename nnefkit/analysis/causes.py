"""Causes of differences: which operations introduce one, and which only pass it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from nnefkit.arrays import Array, check_mapped
from nnefkit.display.elements import code
from nnefkit.display.nnef_text import abbreviated
from nnefkit.display.visible_text import visible
from nnefkit.execution.trace.weight_digests import digest
from nnefkit.graph import Graph, Identifier, Operation

LONGEST_VALUE = 80
"""Maximum length of the value of an attribute in a sentence."""

_STEPS = ("stride", "dilation")
"""Attributes that are 1 along each axis where they are empty (4.3, 4.5.4)."""


class Agreement(IntEnum):
    """How a tensor compares in the two runs."""

    EQUAL = 0
    """Equal in every element."""
    WITHIN = 1
    """Not equal, but within the tolerance."""
    DIFFERS = 2
    """Out of tolerance, or of different shapes."""


@dataclass(frozen=True)
class Flow:
    """How differences flow through a graph."""

    introduces: frozenset[str]
    """Tensors that differ although no input of their operation does."""
    inherits: frozenset[str]
    """Tensors that differ, as an input of their operation does."""


def weight_tensors(graph: Graph) -> frozenset[str]:
    """Return the tensors that depend on no input: weights, and tensors computed from them alone."""
    fixed: set[str] = set()
    for op in graph.operations:
        if op.name != "external" and all(name in fixed for name in op.input_names):
            fixed.update(op.output_names)
    return frozenset(fixed)


def flow(graph: Graph, states: Mapping[str, Agreement], weights: frozenset[str]) -> Flow:
    """Find which of the tensors that differ introduce the difference, and which inherit it.

    A tensor that is not in `states` passes differences of its inputs on. So does one that is within
    the tolerance without being equal: after it the difference may grow out of tolerance again,
    which is still the same difference.
    """
    tainted: set[str] = set()
    introduces: set[str] = set()
    inherits: set[str] = set()
    for op in graph.operations:
        inherited = any(name in tainted for name in op.input_names if name not in weights)
        for name in op.output_names:
            state = states.get(name)
            if name in weights or state == Agreement.EQUAL:
                continue
            if state == Agreement.DIFFERS:
                (inherits if inherited else introduces).add(name)
                tainted.add(name)
            elif inherited:
                tainted.add(name)
    return Flow(frozenset(introduces), frozenset(inherits))


def unseen_before(
    graph: Graph, name: str, states: Mapping[str, Agreement], weights: frozenset[str]
) -> tuple[str, ...]:
    """Return the tensors before `name` that were not compared, up to those that were.

    They are in the order of the graph, without weights.
    """
    unseen: set[str] = set()
    waiting = [name]
    while waiting:
        for source in graph.producers[waiting.pop()].input_names:
            if source not in weights and source not in states and source not in unseen:
                unseen.add(source)
                waiting.append(source)
    return tuple(t for op in graph.operations for t in op.output_names if t in unseen)


class Weights:
    """The weights that differ between the two runs.

    They are looked up in `states` (by name) where both runs recorded them, else in the two graphs
    (by name, then by label), by their values or, for saved traces, by their digests.
    """

    def __init__(
        self,
        graph: Graph,
        other: Graph | None,
        states: Mapping[str, Agreement],
        digests: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
    ) -> None:
        self.names = weight_tensors(graph)
        self._graph, self._other, self._states = graph, other, states
        self._digests = digests
        variables = other.variables if other is not None else ()
        self._by_label = {(variable.label or "").lower(): variable.name for variable in variables}

    def differing(self, op: Operation) -> tuple[str, ...]:
        """Return the variables and constants with different values that the weights of `op` use.

        If these are unknown, return the weights themselves, as far as both runs recorded them.
        """
        sources = tuple(name for name in self._sources(op) if self._differs(name))
        direct = (name for name in dict.fromkeys(op.input_names) if name in self.names)
        return sources or tuple(name for name in direct if self._states.get(name, Agreement.EQUAL))

    def are_known(self, op: Operation) -> bool:
        """Return whether all weights of an operation were compared, and its attributes as well."""
        if self._other is None:
            return False
        return all(self._differs(name) is not None for name in self._sources(op))

    def _sources(self, op: Operation) -> tuple[str, ...]:
        """Return the variables and constants that the weights of `op` are computed from."""
        sources: dict[str, None] = {}
        seen: set[str] = set()
        waiting = [name for name in reversed(op.input_names) if name in self.names]
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            producer = self._graph.producers[name]
            if producer.input_names:
                waiting.extend(reversed(producer.input_names))
            else:
                sources[name] = None
        return tuple(sources)

    def _differs(self, name: str) -> bool | None:
        """Return whether a variable or constant differs; None if it cannot be compared."""
        if name in self._states:
            return self._states[name] != Agreement.EQUAL
        if self._other is None:
            return None
        tensor = self._graph.tensors[name]
        label = (tensor.label or "").lower()
        counterpart = name if name in self._other.tensors else self._by_label.get(label)
        if counterpart is None:
            return None
        ours, theirs = tensor.data, self._other.tensors[counterpart].data
        known = self._digests[0].get(name), self._digests[1].get(counterpart)
        if any(known):
            # A saved trace: its digests are those of the weights that were run.
            digests = _digest(ours, known[0]), _digest(theirs, known[1])
            return None if None in digests else digests[0] != digests[1]
        if ours is None or theirs is None:
            return None
        if ours is theirs:
            return False
        check_mapped(ours, theirs)
        return not np.array_equal(
            ours, theirs, equal_nan=ours.dtype.kind == theirs.dtype.kind == "f"
        )


def _digest(data: Array | None, known: str | None) -> str | None:
    return known if known or data is None else digest(data)


def altered(op: Operation, other: Operation | None) -> str:
    """Describe how an operation differs from its counterpart; empty if it does not."""
    if other is None:
        return ""
    if op.name != other.name:
        return f"it is {code(op.name)} in the first graph and {code(other.name)} in the second"
    ours, theirs = settings(op), settings(other)
    different = [
        f"its {code(key)} is {_shown(ours.get(key))} in the first graph and "
        f"{_shown(theirs.get(key))} in the second"
        for key in dict.fromkeys((*ours, *theirs))
        if meaning(key, ours.get(key)) != meaning(key, theirs.get(key)) and key != "label"
    ]
    return "; ".join(different)


def settings(op: Operation) -> dict[str, Any]:
    """Return the attributes, and the inputs that are literals."""
    literal = {
        key: value
        for key, value in op.inputs.items()
        if not isinstance(value, (Identifier, list, tuple))
    }
    return {**literal, **op.attribs}


def meaning(key: str, value: Any) -> Any:
    """Return an attribute so that two that mean the same are equal: strides of 1 are none."""
    if key in _STEPS and isinstance(value, (list, tuple)) and all(step == 1 for step in value):
        return []
    return value


def _shown(value: Any) -> str:
    return "a tensor" if value is None else visible(abbreviated(value), LONGEST_VALUE)

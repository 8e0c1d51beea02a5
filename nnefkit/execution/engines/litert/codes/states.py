"""Variables that live between runs (4.8): resources, which a file reads and assigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.litert.builder import BuiltOperator, TfliteValue
from nnefkit.execution.engines.litert.codes.grids import StoredGrid, codes_of
from nnefkit.execution.engines.litert.flat_file import RESOURCE, FileGraph
from nnefkit.graph import Graph

_START = "initialization"


@dataclass
class State:
    """A variable that a run updates."""

    label: str
    """Variables of one label are one resource."""
    data: Array
    """The numbers that it starts with."""
    value: TfliteValue
    """Its value in a run."""
    result: TfliteValue
    """Its value in the next run."""


def states_of(
    graph: Graph, changes: Mapping[str, str], values: Mapping[str, TfliteValue]
) -> list[State]:
    """Return the states of a graph.

    Args:
        graph: The graph.
        changes: Variable -> the tensor of its new value.
        values: The values of tensors.
    """
    states = []
    for name, result in changes.items():
        tensor = graph.tensors[name]
        value = values.get(name)
        if value is not None and tensor.data is not None:
            data = np.asarray(tensor.data, value.dtype)
            states.append(State((tensor.label or name).lower(), data, value, values[result]))
    return states


def with_states(
    graph: FileGraph, states: Sequence[State], results: Sequence[TfliteValue]
) -> list[FileGraph]:
    """Return a graph that reads and assigns its states, and one that sets them at first.

    Args:
        graph: The graph; the values of states are computed by none of its operators.
        states: Its states, with values as the file has them.
        results: The new value of each state, as the file has it.
    """
    if not states:
        return [graph]
    before = [BuiltOperator("CALL_ONCE", [], [], {"InitSubgraphIndex": 1})]
    first: list[BuiltOperator] = []
    after = []
    handles: dict[str, TfliteValue] = {}
    for state, result in zip(states, results, strict=True):
        if state.label not in handles:
            handles[state.label] = _handle(state, before)
            start = TfliteValue(state.value.shape, state.value.dtype, "", _elements(state))
            start.grid = state.value.grid
            start.name = f"{state.value.name}.start"
            first.append(BuiltOperator("ASSIGN_VARIABLE", [_handle(state, first), start], [], {}))
            after.append(BuiltOperator("ASSIGN_VARIABLE", [handles[state.label], result], [], {}))
        before.append(BuiltOperator("READ_VARIABLE", [handles[state.label]], [state.value], {}))
    main = graph._replace(operators=[*before, *graph.operators, *after])
    return [main, FileGraph(_START, first, [], [])]


def _handle(state: State, operators: list[BuiltOperator]) -> TfliteValue:
    """Add an operator that returns the handle of a state."""
    handle = TfliteValue((), RESOURCE, f"{state.value.name}.handle")
    options = {"Container": "", "SharedName": state.label}
    operators.append(BuiltOperator("VAR_HANDLE", [], [handle], options))
    return handle


def _elements(state: State) -> Array:
    """Return the elements with which a state starts: codes, if it has a grid."""
    grid = state.value.grid
    if grid is None:
        return state.data
    return codes_of(state.data, StoredGrid(grid, state.value.dtype))

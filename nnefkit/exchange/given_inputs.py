"""Inputs that a user gives for a run of a model, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnefkit.arguments import expected_mapping, refuse_masked
from nnefkit.arrays import Array, as_array
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.graph import Graph


def given_inputs(
    inputs: Mapping[str, Any], name_of: Callable[[str], str], argument: str = "inputs"
) -> dict[str, Array]:
    """Return the given inputs as arrays.

    Args:
        inputs: Name -> array-like.
        name_of: Returns the name to use for a given one.
        argument: The name of the argument, for messages.

    Raises:
        InputError: They are not a mapping, or one of them is not an array or has masked elements.
    """
    given = expected_mapping(inputs, argument, "names of inputs to arrays")
    return {name_of(name): _array(name, values) for name, values in given.items()}


def _array(name: str, values: Any) -> Array:
    refuse_masked(values, f"input '{name}'")
    try:
        return as_array(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"the values for input '{name}' are not an array: {error}") from None


def of_dtype(name: str, array: Array, dtype: np.dtype[Any] | None) -> Array:
    """Return an input in the dtype that a model declares; None for a type that NumPy lacks.

    Raises:
        InputError: Its elements are not numbers, or integers of the model cannot hold them.
    """
    if dtype is None or array.dtype == dtype:
        return array
    try:
        if array.dtype.kind != "c":
            with np.errstate(all="ignore"):
                converted = array.astype(dtype)
            if dtype.kind not in "iub" or np.all(converted == array):
                return converted
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(
        f"input '{name}' is {dtype} in the model, which cannot hold the given {array.dtype}",
        hint=f"Pass an array of dtype {dtype}.",
    )


def input_name(graph: Graph, name: str) -> str:
    """Return the name of an input in the graph, given its name there or in the model."""
    for graph_name in graph.inputs:
        if name in (graph_name, graph.tensors[graph_name].origin):
            return graph_name
    names = [graph.tensors[graph_name].origin or graph_name for graph_name in graph.inputs]
    raise UnknownNameError(
        f"the graph has no input '{name}'",
        hint=did_you_mean(name, names) or f"Its inputs are {', '.join(names)}.",
    )

"""Inputs on which a graph and its source are compared: random, and independent of each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Arrays
from nnefkit.graph import Graph


def independent(inputs: Arrays, seed: int = 0) -> dict[str, Array]:
    """Return inputs of which no two are equal, since a proof could not tell them apart.

    One that repeats an earlier one has its elements in another order; where all of them are the
    same number, small random numbers are added to real ones.
    """
    generator = np.random.default_rng(seed)
    distinct: dict[str, Array] = {}
    for name, given in inputs.items():
        array = np.asarray(given)
        repeats = any(
            array.shape == other.shape and array.dtype == other.dtype and _equal(array, other)
            for other in distinct.values()
        )
        distinct[name] = _reordered(array, generator) if repeats else array
    return distinct


def _equal(array: Array, other: Array) -> bool:
    return np.array_equal(array, other, equal_nan=array.dtype.kind == "f")


def _reordered(array: Array, generator: np.random.Generator) -> Array:
    """Return the elements in another order, or with noise if all of them are equal."""
    if array.size and array.dtype.kind == "f" and bool((array == array.flat[0]).all()):
        noise = 0.1 * generator.standard_normal(array.shape)
        return np.asarray(array + noise, array.dtype)
    return generator.permutation(array.reshape(-1)).reshape(array.shape)


def integer_inputs(dtypes: Mapping[str, np.dtype[Any]]) -> dict[str, dict[str, str]]:
    """Return a fact for the provenance: the integer inputs that are not int64 in the source."""
    narrow = {n: d.name for n, d in dtypes.items() if d.kind in "iu" and d.itemsize < 8}
    return {"integer_inputs": narrow} if narrow else {}


def unused_inputs(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return a fact for the provenance: the inputs that no operation reads, if there are any."""
    unused = tuple(name for name in graph.inputs if not graph.consumers[name])
    return {"unused_inputs": unused} if unused else {}

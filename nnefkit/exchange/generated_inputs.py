"""Inputs that are generated for a proof: random, and within the ranges that the graph implies."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.preparation.runnable_graph import expanded
from nnefkit.graph import Graph

_INTEGERS = 2
"""The upper bound of random integers whose range does not follow from the graph."""
_BLOCKING = frozenset(("lt", "gt", "le", "ge", "eq", "ne", "matmul", "linear", "conv", "gather"))
"""Operations whose results do not have the range of their inputs."""


def generated_inputs(graph: Graph) -> Iterator[dict[str, Array]]:
    """Yield inputs, the most informative ones first; later ones may work where earlier ones fail.

    Indices are drawn from all rows of the smallest table that they select from. The first inputs
    are normally distributed scalars, and integers from 0 on; then follow positive numbers, for
    divisors and logarithms; then ones and zeros.
    """
    rows = _rows(graph)
    for draw in (_normal, _positive, _ones, _zeros):
        generator = np.random.default_rng(0)
        yield {name: draw(generator, graph, name, rows.get(name)) for name in graph.inputs}


Draw = Callable[[np.random.Generator, Graph, str, int | None], Array]


def _normal(generator: np.random.Generator, graph: Graph, name: str, rows: int | None) -> Array:
    tensor = graph.tensors[name]
    shape = tensor.shape or ()
    if tensor.dtype == "logical":
        return generator.integers(0, 2, shape).astype(np.bool_)
    if tensor.dtype == "integer":
        return np.asarray(generator.integers(0, rows or _INTEGERS, shape))
    if rows is not None:
        return generator.integers(0, rows, shape).astype(np.float32)
    return generator.standard_normal(shape).astype(np.float32)


def _positive(generator: np.random.Generator, graph: Graph, name: str, rows: int | None) -> Array:
    tensor = graph.tensors[name]
    if rows is not None or tensor.dtype == "logical":
        return _normal(generator, graph, name, rows)
    shape = tensor.shape or ()
    if tensor.dtype == "integer":
        return np.asarray(generator.integers(1, 1 + _INTEGERS, shape))
    return generator.uniform(0.5, 1.5, shape).astype(np.float32)


def _ones(_: np.random.Generator, graph: Graph, name: str, rows: int | None) -> Array:
    return _filled(graph, name, 1 if rows is None else 0)


def _zeros(_: np.random.Generator, graph: Graph, name: str, __: int | None) -> Array:
    return _filled(graph, name, 0)


def _filled(graph: Graph, name: str, number: int) -> Array:
    tensor = graph.tensors[name]
    dtypes = {"integer": np.int64, "logical": np.bool_}
    return np.full(tensor.shape or (), number, dtypes.get(tensor.dtype, np.float32))


def _rows(graph: Graph) -> dict[str, int]:
    """Return the number of rows of the smallest table for each input of indices."""
    plain = expanded(graph)
    fewest: dict[str, int] = {}
    # From the last operation to the first: what a tensor is used for is known before its producer.
    for op in reversed(plain.operations):
        if op.name == "gather" and "indices" in op.inputs:
            shape = plain.tensors[op.inputs["input"]].shape if op.input_names else None
            extent = shape[op.attribs.get("axis", 0)] if shape else None
            _limit(fewest, [op.inputs["indices"]], extent)
        if op.name not in _BLOCKING:
            extents = [fewest[name] for name in op.output_names if name in fewest]
            _limit(fewest, op.input_names, min(extents, default=None))
    return {name: fewest[name] for name in plain.inputs if name in fewest}


def _limit(fewest: dict[str, int], names: object, extent: int | None) -> None:
    for name in names if isinstance(names, (list, tuple)) else ():
        if extent is not None and isinstance(name, str):
            fewest[name] = min(extent, fewest.get(name, extent))

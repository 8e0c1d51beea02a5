"""Proof that a graph computes what its source computes.

Both run on the same example inputs. The tolerance is relative to the largest element of a tensor,
since two orders of summation differ by a fraction of it, however small an element is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Arrays
from nnefkit.errors import Diagnostic, ExecutionError
from nnefkit.execution import run, trace
from nnefkit.graph import FrozenDict, Graph

TOLERANCE = 1e-4
_LEAST = 1e-7
"""Differences up to this size count as zero."""


@dataclass(frozen=True)
class SourceRun:
    """How to run the source of a graph."""

    outputs: Callable[[Arrays], Arrays]
    """Inputs of the source by name -> its outputs by name, in order."""
    everything: Callable[[Arrays], Arrays]
    """Inputs of the source by name -> all of its tensors by origin."""
    facts: Mapping[str, Any]
    """Facts for the provenance: source, versions."""
    again: Callable[[Arrays], Arrays] | None = None
    """The outputs computed in another order, for sources whose own rounding matters; a graph that
    agrees with either of the two is right."""


def verified(
    graph: Graph,
    source: SourceRun,
    inputs: Arrays,
    *,
    engine: str = "numpy",
    tolerance: float = TOLERANCE,
) -> Graph:
    """Compare a graph with its source, and return it with the result in its provenance.

    Args:
        graph: The graph as it was read.
        source: Runs the source.
        inputs: Inputs by the names of the graph.
        engine: The engine that runs the graph.
        tolerance: The largest allowed difference, relative to the largest element of a tensor.

    Raises:
        ExecutionError: The two differ; the error names the first tensor that differs.
    """
    source_inputs = {graph.tensors[name].origin or name: array for name, array in inputs.items()}
    outputs = [*run(graph, inputs, engine, progress=False).values()]
    differences = _differences(outputs, source.outputs(source_inputs))
    if source.again is not None and not max(differences, default=0.0) <= tolerance:
        again = _differences(outputs, source.again(source_inputs))
        differences = min(differences, again, key=max)
    for name, difference in zip(graph.outputs, differences, strict=True):
        if not difference <= tolerance:
            first = _first_difference(graph, source, inputs, tolerance, engine)
            raise _mismatch(graph, *(first or (name, difference, "")), tolerance)
    proof = {
        "verified": True,
        "engine": engine,
        "tolerance": tolerance,
        "largest_difference": max(differences, default=0.0),
    }
    return with_facts(graph, {**source.facts, **proof})


def with_facts(graph: Graph, facts: Mapping[str, Any]) -> Graph:
    """Return a graph with more facts in its provenance."""
    return replace(graph, provenance=FrozenDict({**graph.provenance, **facts}))


def _differences(outputs: Sequence[Array], expected: Arrays) -> list[float]:
    # The outputs of a graph are in the order of those of the source.
    return [relative_difference(a, b) for a, b in zip(outputs, expected.values(), strict=True)]


def relative_difference(array: Array, expected: Array) -> float:
    """Return the largest difference, relative to the largest element.

    It is infinite if the shapes differ, or if elements that are not finite do.
    """
    expected = np.asarray(expected)
    if array.shape != expected.shape:
        return np.inf
    a, b = array.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return np.inf
    if not finite.any():
        return 0.0
    with np.errstate(all="ignore"):
        difference = float(np.abs(a[finite] - b[finite]).max())
    if np.isnan(difference):
        return np.inf
    largest = float(np.abs(b[finite]).max())
    return difference / max(largest, _LEAST) if difference > _LEAST else 0.0


def _first_difference(
    graph: Graph, source: SourceRun, inputs: Arrays, tolerance: float, engine: str
) -> tuple[str, float, str] | None:
    """Return the first tensor that differs, by how much, and the operation that computes it."""
    source_inputs = {graph.tensors[name].origin or name: array for name, array in inputs.items()}
    try:
        expected = source.everything(source_inputs)
        recorded = trace(graph, inputs, engine, progress=False)
        for op in graph.operations:
            for name in op.output_names:
                array = expected.get(graph.tensors[name].origin or "")
                if array is None or name not in recorded or op.is_weight:
                    continue
                difference = relative_difference(recorded[name], array)
                if not difference <= tolerance:
                    return name, difference, op.name
    except Exception:  # noqa: BLE001 - the outputs differ in any case
        return None
    return None


def _mismatch(
    graph: Graph, name: str, difference: float, operation: str, tolerance: float
) -> ExecutionError:
    origin = graph.tensors[name].origin
    tensor = f"'{name}'" + (f" ('{origin}' in the source)" if origin not in (None, name) else "")
    by = f", computed by '{operation}'," if operation else ""
    how = (
        "in its shape or in elements that are not finite"
        if np.isinf(difference)
        else f"by {difference:.2g} of its largest element (tolerance {tolerance:.2g})"
    )
    return ExecutionError(
        Diagnostic(
            "wrong-export",
            "the graph does not compute what its source computes: "
            f"{tensor}{by} is the first tensor that differs, {how}",
            hint="Pass a larger tolerance=..., or verify=False to get the graph and compare it "
            "with nk.compare.",
        )
    )

"""Proof that a graph computes what the model does that it was read from.

Both run on the same example inputs. The tolerance is relative to the largest item of each tensor,
since two orders of summation differ by that, whatever the single item.
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


@dataclass(frozen=True)
class SourceRun:
    """How to run the model that a graph was read from."""

    outputs: Callable[[Arrays], Arrays]
    """Inputs of the source by name -> its outputs by name."""
    everything: Callable[[Arrays], Arrays]
    """The same with all that flows in the source."""
    facts: Mapping[str, Any]
    """What goes into the provenance: source, versions."""
    again: Callable[[Arrays], Arrays] | None = None
    """The outputs computed in another order, if the source's own rounding makes a difference: a
    graph that agrees with one of the two computes what the source does."""


def random_inputs(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Inputs of the right shapes: normally distributed scalars, small integers, coin tosses."""
    generator = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        shape = tensor.shape or ()
        if tensor.dtype == "integer":
            found[name] = generator.integers(0, 2, shape)
        elif tensor.dtype == "logical":
            found[name] = generator.integers(0, 2, shape).astype(np.bool_)
        else:
            found[name] = generator.standard_normal(shape).astype(np.float32)
    return found


def verified(
    graph: Graph,
    source: SourceRun,
    inputs: Arrays,
    *,
    engine: str = "numpy",
    tolerance: float = TOLERANCE,
) -> Graph:
    """`graph` with the proof in its provenance.

    Args:
        graph: As it was read.
        source: Runs what it was read from.
        inputs: By the names of the graph.
        engine: Runs the graph.
        tolerance: Largest difference allowed, relative to the largest item of a tensor.

    Raises:
        ExecutionError: the two differ; it names the first tensor that does.
    """
    origins = {name: graph.tensors[name].origin or name for name in graph.tensors}
    given = {origins[name]: array for name, array in inputs.items()}
    found = [*run(graph, inputs, engine, progress=False).values()]
    apart = _differences(found, source.outputs(given))
    if source.again is not None and not max(apart, default=0.0) <= tolerance:
        apart = min(apart, _differences(found, source.again(given)), key=max)
    for name, distance in zip(graph.outputs, apart, strict=True):
        if not distance <= tolerance:
            raise _mismatch(graph, source, inputs, (name, distance), tolerance, engine)
    proof = {
        "verified": True,
        "engine": engine,
        "tolerance": tolerance,
        "largest_difference": max(apart, default=0.0),
    }
    return with_facts(graph, {**source.facts, **proof})


def _differences(found: Sequence[Array], wanted: Arrays) -> list[float]:
    # The outputs of a graph stand in the order of those of the source.
    return [difference(a, b) for a, b in zip(found, wanted.values(), strict=True)]


def with_facts(graph: Graph, facts: Mapping[str, Any]) -> Graph:
    """`graph` with more in its provenance."""
    return replace(graph, provenance=FrozenDict({**graph.provenance, **facts}))


def difference(found: Array, wanted: Array) -> float:
    """The largest difference of two tensors, relative to the largest item; infinite if unlike."""
    wanted = np.asarray(wanted)
    if found.shape != wanted.shape:
        return np.inf
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return np.inf
    if not finite.any():
        return 0.0
    with np.errstate(all="ignore"):
        distance = float(np.abs(a[finite] - b[finite]).max())
    if np.isnan(distance):
        return np.inf
    scale = float(np.abs(b[finite]).max())
    return distance / max(scale, _LEAST) if distance > _LEAST else 0.0


def _mismatch(
    graph: Graph,
    source: SourceRun,
    inputs: Arrays,
    output: tuple[str, float],
    tolerance: float,
    engine: str,
) -> ExecutionError:
    """The error that names the first tensor that differs."""
    name, distance = output
    origin = graph.tensors[name].origin
    try:
        given = {graph.tensors[n].origin or n: array for n, array in inputs.items()}
        wanted = source.everything(given)
        found = trace(graph, inputs, engine, progress=False)
        for op in graph.operations:
            for tensor in op.output_names:
                known = wanted.get(graph.tensors[tensor].origin or "")
                if known is None or tensor not in found or op.is_weight:
                    continue
                apart = difference(found[tensor], known)
                if not apart <= tolerance:
                    return _error(tensor, graph.tensors[tensor].origin, apart, op.name, tolerance)
    except Exception:  # noqa: BLE001, S110 - the outputs differ all the same
        pass
    return _error(name, origin, distance, "", tolerance)


def _error(
    name: str, origin: str | None, distance: float, operation: str, tolerance: float
) -> ExecutionError:
    what = f"'{name}'" + (f" ('{origin}' in the source)" if origin not in (None, name) else "")
    by = f", computed by '{operation}'," if operation else ""
    apart = (
        "in shape or in items that are not finite" if np.isinf(distance) else f"by {distance:.2g}"
    )
    return ExecutionError(
        Diagnostic(
            "wrong-export",
            f"the graph does not compute what its source does: {what}{by} is the first tensor "
            f"that differs, {apart} of its largest item (at most {tolerance:.2g} is allowed)",
            hint="tolerance=... allows for more; verify=False gives the graph as it is, to look "
            "at it with nk.compare.",
        )
    )

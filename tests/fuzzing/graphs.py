"""Random graphs, run by every engine: all compute what the reference engine computes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np

import nnefkit as nk

from .drawn_graphs import MAX_ELEMENTS, draw_graph
from .mutation import without_parts
from .target import READ, REFUSED, Fault, Target, attempt, chosen, expect
from .texts import check_graph

ENGINES = ("litert", "onnxruntime", "torch", "tract")
TOLERANCE = 2e-5
"""Relative to the largest element of a tensor."""


def draw(chance: Random) -> bytes:
    """Draw a graph."""
    return draw_graph(chance).encode()


def values_of(graph: nk.Graph, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return values of the inputs and of the variables."""
    rng = np.random.default_rng(seed)

    def drawn(name: str) -> Any:
        tensor = graph.tensors[name]
        shape = tensor.shape or ()
        if tensor.dtype == "integer":
            return rng.integers(-5, 6, shape)
        if tensor.dtype == "logical":
            return rng.random(shape) < 0.5
        values = rng.uniform(-2, 2, shape)
        return np.float32(np.round(2 * values) / 2 if seed % 3 == 0 else values)

    return {n: drawn(n) for n in graph.inputs}, {v.name: drawn(v.name) for v in graph.variables}


def check(data: bytes, chance: Any) -> str:
    """Check that every engine computes what numpy does, within the rounding of the graph."""
    text = data.decode("utf-8", "replace")
    graph, _ = attempt(nk.parse, text)
    if graph is None or _large(graph):
        return REFUSED
    found = re.search(r"# values (\d{1,9})", text)
    feeds, data_ = values_of(graph, int(found[1]) if found else 0)
    weighted = graph.with_data(data_)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected, error = attempt(nk.trace, weighted, feeds)
        if expected is None:
            return "not run" if error else REFUSED
        doubles = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in data_.items()}
        wide = nk.trace(graph.with_data(doubles), _double(feeds))
        finite = all(np.isfinite(a).all() for a in expected.values() if a.dtype.kind == "f")
        engines = ENGINES if chance is None else (chance.choice(ENGINES),)
        for engine in engines:
            _check_engine(weighted, feeds, engine, expected, wide, finite=finite)
        if chosen(chance, 0.2):
            check_graph(graph, chance)
    return READ if finite else "not finite"


def _double(feeds: dict[str, Any]) -> dict[str, Any]:
    return {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in feeds.items()}


def _large(graph: nk.Graph) -> bool:
    shapes = [tensor.shape for tensor in graph.tensors.values()]
    if any(shape is None or np.prod(shape, dtype=float) > 4 * MAX_ELEMENTS for shape in shapes):
        return True
    return sum(op.macs or 0 for op in graph.operations) > 1e7


def _check_engine(
    graph: nk.Graph, feeds: Any, engine: str, expected: Any, wide: Any, *, finite: bool
) -> None:
    with nk.Session(graph, engine, fallback="numpy") as session:
        outputs, error = attempt(session.run, feeds)
        expect(error is None, f"{engine} fails", error)
        session.reset()
        traced, error = attempt(session.trace, feeds)
        expect(error is None, f"{engine} fails to trace", error)
    expect(list(traced) == list(expected), f"{engine} traces other tensors")
    if not finite:
        return
    for name, array in (*outputs.items(), *traced.items()):
        _compare(array, expected[name], wide[name], f"{engine} differs", _operation(graph, name))


def _operation(graph: nk.Graph, name: str) -> str:
    operation = graph.producers.get(name)
    return f"{name}, computed by {operation.name if operation else 'nothing'}"


def _compare(found: Any, expected: Any, wide: Any, kind: str, where: str) -> None:
    expect(found.shape == expected.shape, f"{kind} in shape", f"{where}: {found.shape}")
    expect(found.dtype == expected.dtype, f"{kind} in dtype", f"{where}: {found.dtype}")
    if found.dtype.kind != "f":
        if not np.array_equal(found, expected):
            raise Fault(kind, f"{where}\n{expected}\n{found}")
        return
    scale = float(np.abs(expected).max(initial=1e-3))
    rounding = np.abs(expected - wide)
    allowed = TOLERANCE * scale + 30 * float(rounding.max(initial=0))
    difference = float(np.abs(found.astype(np.float64) - expected).max(initial=0))
    if difference > allowed:
        raise Fault(kind, f"{where}: {difference} > {allowed}\n{expected}\n{found}")


def smaller_graph(data: bytes) -> Iterator[bytes]:
    """Return graphs with fewer statements, and with fewer results."""
    text = data.decode()
    head, _, rest = text.partition("{")
    parts = re.findall(r"[^;]+;\s*", rest.rpartition("}")[0])
    results = re.search(r"-> \((.*)\)", head)
    names = results[1].split(", ") if results else []
    for fewer in without_parts(names):
        shorter = head.replace(f"-> ({', '.join(names)})", f"-> ({', '.join(fewer)})")
        yield f"{shorter}{{{rest}".encode()
    for parts_left in without_parts(parts):
        body = "".join(parts_left)
        yield f"{head}{{{body}}}\n".encode()
        known = re.findall(r"(\w+) = |(\w+)[\],)]+ = ", body)
        last = next((name for pair in reversed(known) for name in pair if name), None)
        if last:
            shorter = re.sub(r"-> \(.*\)", f"-> ({last})", head)
            yield f"{shorter}{{{body}}}\n".encode()


TARGETS = [Target("graph", ".nnef", draw, check, smaller_graph, 5.0)]

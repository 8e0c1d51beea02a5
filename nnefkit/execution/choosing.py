"""Which engine runs a graph, where that is not said or where no single one can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnefkit.errors import MissingPackageError
from nnefkit.execution.engine import ENGINES, Engine, configured, find_engine
from nnefkit.execution.fallback import Fallback
from nnefkit.graph import Graph

AUTO = "auto"
"""In the place of an engine's name: the fastest one that is installed and can run the graph."""
FASTEST = ("onnxruntime", "torch", "numpy")
"""Names of engines, the fastest first. What runs in another process is chosen by name only."""


def chosen_engine(
    graph: Graph, name: str, fallback: str | None, options: Mapping[str, Any]
) -> Engine:
    """The engine for `graph`.

    Args:
        graph: What to run.
        name: Of the engine, or `AUTO`.
        fallback: Name of the engine for the operations that the other one cannot run.
        options: Of the engine.

    Raises:
        UnknownNameError: there is no such engine, or it has no such option.
        MissingPackageError: the package that it needs is not installed.
    """
    if name == AUTO:
        return _fastest(graph, options)
    engine = configured(find_engine(name), options)
    if fallback is None or fallback == name:
        return engine
    second = find_engine(fallback)
    return Fallback(engine, second) if engine.unsupported(graph) else engine


def _fastest(graph: Graph, options: Mapping[str, Any]) -> Engine:
    for name in FASTEST:
        if name not in ENGINES:
            continue
        try:
            engine = find_engine(name)
        except MissingPackageError:
            continue
        known = getattr(engine, "options", ())
        if all(option in known for option in options) and not engine.unsupported(graph):
            return configured(engine, options)
    # What no engine can run, or no engine has an option for, is refused in the reference's name.
    return configured(find_engine("numpy"), options)

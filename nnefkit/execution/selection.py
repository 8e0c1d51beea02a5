"""Selection of the engine that runs a graph: by name, the fastest, or two that share the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nnefkit.errors import MissingPackageError, UnknownNameError, did_you_mean
from nnefkit.execution.engine import Engine
from nnefkit.execution.engine_list import AUTO, find_engine
from nnefkit.execution.engines.fallback import Fallback
from nnefkit.graph import Graph

FASTEST = ("onnxruntime", "torch", "numpy")
"""The engines that `AUTO` selects from, the fastest first. An engine that runs in another process,
or of another distribution, is used by name only."""

PARAMETERS = (
    *("custom_operations", "engine", "fallback", "history", "inputs", "keep", "outputs"),
    *("progress", "quantized", "spill"),
)
"""Parameters of the functions that pass other keywords on as options, to detect misspelled ones."""


def selected_engine(
    graph: Graph, name: str, fallback: str | None, options: Mapping[str, Any]
) -> Engine:
    """Return the engine for `graph`.

    Args:
        graph: The graph to run.
        name: Name of the engine, or `AUTO`.
        fallback: Name of the engine for the operations that the other one cannot run.
        options: Options of the engine.

    Raises:
        UnknownNameError: There is no such engine, or it has no such option.
        MissingPackageError: The package that it needs is not installed, or broken.
    """
    second = None if fallback is None else _find(fallback)
    if name == AUTO:
        engine = _fastest(graph, second, options)
    else:
        engine = _with_options(_find(name), options)
        engine.load()
    if second is None or second.name == engine.name or not engine.unsupported(graph):
        return engine
    second.load()
    return Fallback(engine, second)


def reads_annotations(name: str) -> bool:
    """Return whether the engine called `name` computes with codes by quantization info."""
    return name != AUTO and _find(name).annotated


def _find(name: Any) -> Engine:
    return find_engine(name if isinstance(name, str) else repr(name))


def _with_options(engine: Engine, options: Mapping[str, Any]) -> Engine:
    """Return the engine with options set, such as the number of threads."""
    for name in options:
        if name not in engine.options:
            raise UnknownNameError(
                f"the engine '{engine.name}' has no option '{name}'",
                hint=did_you_mean(name, (*engine.options, *PARAMETERS))
                or (f"It has: {', '.join(engine.options)}." if engine.options else "It has none."),
            )
    return type(engine)(**options) if options else engine


def _fastest(graph: Graph, second: Engine | None, options: Mapping[str, Any]) -> Engine:
    """Return the fastest engine that can run the graph, if none alone, then with the second one."""
    installed = list(_installed())
    able = _able(installed, graph, second)
    fitting = [engine for engine in able if set(options) <= set(engine.options)]
    if not fitting and options:
        raise _no_such_options(options, able or installed, installed)
    for engine in fitting:
        try:
            selected = _with_options(engine, options)
            selected.load()
        except MissingPackageError:
            if engine is fitting[-1]:
                raise
            continue
        return selected
    # A graph that no engine can run is refused by the reference engine.
    return find_engine("numpy")


def _able(installed: Sequence[Engine], graph: Graph, second: Engine | None) -> Sequence[Engine]:
    """Return the engines that can run the graph, if none alone, then with the second one."""
    able = [engine for engine in installed if not engine.unsupported(graph)]
    if second is None:
        return able
    alone = [engine for engine in able if engine.name != second.name]
    return alone or [e for e in installed if not Fallback(e, second).unsupported(graph)]


def _installed() -> Iterator[Engine]:
    for name in FASTEST:
        try:
            yield find_engine(name)
        except MissingPackageError:
            continue


def _no_such_options(
    options: Mapping[str, Any], able: Sequence[Engine], installed: Sequence[Engine]
) -> UnknownNameError:
    hint = "; ".join(
        f"'{engine.name}' has {' and '.join(engine.options) or 'no options'}" for engine in able
    )
    known = {option for engine in installed for option in engine.options}
    for option in options:
        if option not in known:
            return UnknownNameError(
                f"no engine has an option '{option}'",
                hint=did_you_mean(option, (*known, *PARAMETERS)) or hint,
            )
    names = " and ".join(f"'{option}'" for option in options)
    return UnknownNameError(
        f"no engine that can run the graph has {'an option ' if len(options) == 1 else ''}{names}",
        hint=hint,
    )

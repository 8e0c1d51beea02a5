"""Which engine runs a graph, where that is not said or where no single one can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nnefkit.errors import MissingPackageError, UnknownNameError, did_you_mean
from nnefkit.execution.engine import (
    AUTO,
    PARAMETERS,
    Engine,
    configured,
    find_engine,
)
from nnefkit.execution.fallback import Fallback
from nnefkit.graph import Graph

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
        MissingPackageError: the package that it needs is not installed, or broken.
    """
    second = None if fallback is None else _find(fallback)
    if name == AUTO:
        engine = _fastest(graph, second, options)
    else:
        engine = configured(_find(name), options)
        _require(engine)
    if second is None or second.name == engine.name or not engine.unsupported(graph):
        return engine
    _require(second)
    return Fallback(engine, second)


def _find(name: Any) -> Engine:
    return find_engine(name if isinstance(name, str) else repr(name))


def _fastest(graph: Graph, second: Engine | None, options: Mapping[str, Any]) -> Engine:
    """The fastest engine that can run the graph, or else all but what the second one can."""
    found = list(_installed())
    able = [engine for engine in found if not engine.unsupported(graph)]
    if second is not None:
        alone = [engine for engine in able if engine.name != second.name]
        able = alone or [e for e in found if not Fallback(e, second).unsupported(graph)]
    for engine in able:
        if all(option in getattr(engine, "options", ()) for option in options):
            try:
                chosen = configured(engine, options)
                _require(chosen)
            except MissingPackageError:
                if engine is able[-1]:
                    raise
                continue
            return chosen
    # What no engine can run is refused in the reference's name.
    if options:
        raise _no_such_options(found, able or found, options)
    return find_engine("numpy")


def _installed() -> Iterator[Engine]:
    for name in FASTEST:
        try:
            yield find_engine(name)
        except MissingPackageError:
            continue


def _no_such_options(
    found: list[Engine], able: list[Engine], options: Mapping[str, Any]
) -> UnknownNameError:
    known = {engine.name: tuple(getattr(engine, "options", ())) for engine in able}
    everything = {option for e in found for option in getattr(e, "options", ())}
    for option in options:
        if option not in everything:
            return UnknownNameError(
                f"no engine has an option '{option}'",
                hint=did_you_mean(option, (*everything, *PARAMETERS)) or _list(known),
            )
    names = " and ".join(f"'{option}'" for option in options)
    return UnknownNameError(
        f"no engine that can run the graph has {'an option ' if len(options) == 1 else ''}{names}",
        hint=_list(known),
    )


def _list(known: Mapping[str, tuple[str, ...]]) -> str:
    return "; ".join(
        f"'{name}' has {' and '.join(each) or 'no options'}" for name, each in known.items()
    )


def _require(engine: Engine) -> None:
    """Imports what the engine needs, so that what is broken is told before anything runs."""
    require = getattr(engine, "require", None)
    if require is not None:
        require()

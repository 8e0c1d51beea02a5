"""The list of engines: those of nnefkit, and those of other distributions.

A distribution adds an engine by one entry point of the group ``nnefkit.engines``::

    [project.entry-points."nnefkit.engines"]
    fast = "fast_engine:FastEngine"

Users select the engine by the name of the entry point; its value is a subclass of
`nnefkit.execution.Engine`. An engine is imported on first use; a broken one is reported and does
not affect the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from nnefkit.display.cards.engines import engine_card, engines_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.errors import MissingPackageError, UnknownNameError, did_you_mean
from nnefkit.execution.engine import Engine

if TYPE_CHECKING:
    import pandas as pd

GROUP = "nnefkit.engines"
"""The entry point group of engines."""

AUTO = "auto"
"""Instead of an engine's name: the fastest one that is installed and can run the graph."""

BUILT_IN = {
    "numpy": "nnefkit.execution.engines.numpy:NumpyEngine",
    "integer": "nnefkit.execution.engines.integer:IntegerEngine",
    "litert": "nnefkit.execution.engines.litert:LitertEngine",
    "onnxruntime": "nnefkit.execution.engines.onnxruntime:OnnxRuntimeEngine",
    "torch": "nnefkit.execution.engines.torch:TorchEngine",
    "tract": "nnefkit.execution.engines.tract:TractEngine",
}
"""Engine name -> its class, as in ``pyproject.toml``. They are found without reading the metadata
of all installed distributions, the reference first."""

RESERVED = frozenset({AUTO, *BUILT_IN})
"""Names that other distributions cannot use."""


# -- finding one ----------------------------------------------------------------------------------


def find_engine(name: str) -> Engine:
    """Return the engine called `name`.

    Raises:
        UnknownNameError: No engine has this name.
        MissingPackageError: The package that it needs is not installed, or the engine is broken.
    """
    if name in BUILT_IN:
        return load_engine(EntryPoint(name, BUILT_IN[name], GROUP))
    others = _third_party()
    if name not in others:
        names = [*BUILT_IN, *others]
        raise UnknownNameError(
            f"there is no engine '{name}'",
            hint=did_you_mean(name, names)
            or f"There are: {', '.join(names)}; '{AUTO}' takes the fastest.",
        )
    candidates = others[name]
    if len(candidates) > 1:
        origins = " and ".join(sorted(map(_distribution, candidates)))
        raise BrokenEngineError(
            f"several distributions declare an engine '{name}': {origins}",
            hint="Uninstall all of them but one.",
        )
    return load_engine(candidates[0])


class BrokenEngineError(MissingPackageError):
    """An engine of another distribution is declared, but cannot be used."""


def _third_party() -> dict[str, list[EntryPoint]]:
    """Return the declared engines of other distributions, by name."""
    declared: dict[str, list[EntryPoint]] = {}
    for entry in _entry_points():
        if entry.name not in RESERVED:
            declared.setdefault(entry.name, []).append(entry)
    return declared


def _entry_points() -> list[EntryPoint]:
    """Return all entry points of the group, except for those of nnefkit itself."""
    # The metadata of nnefkit may be outdated (an editable install), the table above is not.
    return [
        entry
        for entry in entry_points(group=GROUP)
        if entry.dist is None or entry.dist.name != "nnefkit"
    ]


def _taken_over() -> Iterator[EntryPoint]:
    """Find entry points that claim a name of nnefkit itself, which are ignored."""
    return (entry for entry in _entry_points() if entry.name in RESERVED)


def _distribution(entry: EntryPoint) -> str:
    return f"'{entry.dist.name}' {entry.dist.version}" if entry.dist is not None else "unknown"


@cache
def load_engine(entry: EntryPoint) -> Engine:
    """Return the engine of an entry point; it is imported and created only once.

    Raises:
        MissingPackageError: The package that it needs is not installed.
        BrokenEngineError: The engine cannot be created.
    """
    try:
        engine_class = entry.load()
        if not (isinstance(engine_class, type) and issubclass(engine_class, Engine)):
            raise TypeError(f"{entry.value} is not a subclass of nnefkit.execution.Engine")
        engine = engine_class()
        if engine.name != entry.name:
            raise ValueError(f"its name is '{engine.name}'")
        if entry.name not in BUILT_IN:
            # Properties that every use reads must not raise later.
            _ = engine.version, engine.operations, engine.partly, engine.options
    except MissingPackageError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise BrokenEngineError(
            f"the engine '{entry.name}' of the distribution {_distribution(entry)} cannot be "
            f"loaded: {type(error).__name__}: {reason}",
            hint="Update or uninstall the distribution, or report the error to its authors.",
        ) from error
    return engine


# -- listing them all -----------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class EngineInfo(Displayed):
    """One engine: whether it is installed, its version, and what it can run."""

    name: str
    installed: bool
    version: str = ""
    """Version of the package that does the work; empty if it is not installed."""
    operations: frozenset[str] = frozenset()
    """Names of the operations that it can run, registered ones too; empty if it is not
    installed."""
    partly: frozenset[str] = frozenset()
    """The operations among these that it can run for some attributes or dtypes only."""
    options: tuple[str, ...] = ()
    """Names of its options: ``nk.run(graph, inputs, engine, threads=2)``."""
    hint: str = ""
    """How to install it, if it is not installed."""
    problem: str = ""
    """Why it cannot be used although it is installed."""

    def _card(self, *, brief: bool) -> Card:
        del brief
        return engine_card(self)


class Engines(Displayed, Mapping[str, EngineInfo]):
    """The engines by name, the reference first."""

    def __init__(self, infos: Mapping[str, EngineInfo], problems: tuple[str, ...] = ()) -> None:
        self._infos = dict(infos)
        self.problems = problems
        """Engines that other distributions declare but that cannot be used, and why."""

    def __getitem__(self, name: str) -> EngineInfo:
        try:
            return self._infos[name]
        except KeyError:
            hint = did_you_mean(str(name), self._infos)
            raise UnknownNameError(f"there is no engine '{name}'", hint=hint) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    @property
    def installed(self) -> tuple[str, ...]:
        """Names of the engines that can be used."""
        return tuple(name for name, info in self._infos.items() if info.installed)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each operation and one column for each engine.

        Its elements are ``"yes"``, ``"in part"`` (for some attributes or dtypes only) and ``"no"``.
        """
        import pandas as pd

        names = sorted(frozenset[str]().union(*(i.operations for i in self._infos.values())))
        columns = {
            engine: [
                "no" if n not in info.operations else "in part" if n in info.partly else "yes"
                for n in names
            ]
            for engine, info in self._infos.items()
        }
        return pd.DataFrame(columns, index=pd.Index(names, name="operation"))

    def _card(self, *, brief: bool) -> Card:
        del brief
        return engines_card(self)


def engines() -> Engines:
    """List the engines: which are installed, and which operations each can run.

    Engines of other distributions (entry point group ``nnefkit.engines``) come after those of
    nnefkit. One that is broken, or that claims a name of nnefkit, is reported in ``problems``.

    Example:
        >>> nk.engines()["numpy"].installed
        True
        >>> nk.engines().to_frame().loc["conv", "numpy"]
        'yes'
    """
    infos = {name: _info(name) for name in [*BUILT_IN, *_third_party()]}
    problems = [info.problem for info in infos.values() if info.problem]
    problems += [
        f"the distribution {_distribution(entry)} declares an engine '{entry.name}', which is a "
        "name reserved by nnefkit; it is ignored"
        for entry in _taken_over()
    ]
    return Engines(infos, tuple(problems))


def _info(name: str) -> EngineInfo:
    try:
        engine = find_engine(name)
    except BrokenEngineError as error:
        diagnostic = error.diagnostics[0]
        return EngineInfo(name, False, hint=diagnostic.hint, problem=diagnostic.message)
    except MissingPackageError as error:
        return EngineInfo(name, False, hint=error.diagnostics[0].hint)
    return EngineInfo(
        name, True, engine.version, engine.operations, engine.partly, tuple(engine.options)
    )

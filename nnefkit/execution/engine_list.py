"""Which engines there are, and what each can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnefkit.display import html, text
from nnefkit.display.summary import EngineRow, EnginesSummary
from nnefkit.errors import MissingPackageError, UnknownNameError, did_you_mean
from nnefkit.execution.engine import ENGINES, find_engine

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class EngineInfo:
    """What is known of an engine."""

    name: str
    installed: bool
    version: str = ""
    """Of the package that does the work; empty if it is not installed."""
    operations: frozenset[str] = frozenset()
    """Names of the operations that it can run, registered ones too; empty if it is not
    installed."""
    partly: frozenset[str] = frozenset()
    """Those of them that it runs with some of their attributes or dtypes only."""
    options: tuple[str, ...] = ()
    """What it lets one choose: ``nk.run(graph, inputs, engine, threads=2)``."""
    hint: str = ""
    """What installs it, if it is not."""

    def summary(self) -> EngineRow:
        """What the displays show."""
        return EngineRow(
            self.name, self.version, self.operations, self.partly, self.options, self.hint
        )

    def __repr__(self) -> str:
        return text.engine(self.summary())

    def _repr_html_(self) -> str:
        return html.engine(self.summary())


class Engines(Mapping[str, EngineInfo]):
    """The engines by name, the reference first."""

    def __init__(self, infos: Mapping[str, EngineInfo]) -> None:
        self._infos = dict(infos)

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
        """Names of those that can be used."""
        return tuple(name for name, info in self._infos.items() if info.installed)

    def to_frame(self) -> pd.DataFrame:
        """A table with one row for each operation and one column for each engine.

        Its items are ``"yes"``, ``"in part"`` (with some attributes or dtypes only) and ``"no"``.
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

    def summary(self) -> EnginesSummary:
        """What the displays show."""
        return EnginesSummary(tuple(info.summary() for info in self._infos.values()))

    def __repr__(self) -> str:
        return text.engines(self.summary())

    def _repr_html_(self) -> str:
        return html.engines(self.summary())


def engines() -> Engines:
    """The engines, which of them are installed, and which operations each can run."""
    return Engines({name: _info(name) for name in ENGINES})


def _info(name: str) -> EngineInfo:
    try:
        engine = find_engine(name)
    except MissingPackageError as error:
        return EngineInfo(name, False, hint=error.diagnostics[0].hint)
    return EngineInfo(
        name,
        True,
        engine.version,
        engine.operations,
        getattr(engine, "partly", frozenset()),
        tuple(getattr(engine, "options", ())),
    )

"""Which engines there are, and what each can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from nnefkit.errors import MissingPackageError, UnknownNameError, did_you_mean
from nnefkit.execution.engine import ENGINES, find_engine

if TYPE_CHECKING:
    import pandas as pd


class EngineInfo(NamedTuple):
    """What is known of an engine."""

    name: str
    installed: bool
    version: str
    """Of the package that does the work; empty if it is not installed."""
    operations: frozenset[str]
    """Names of the operations that it can run; empty if it is not installed."""
    hint: str = ""
    """What installs it, if it is not."""


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

    def to_frame(self) -> pd.DataFrame:
        """A table with one row for each engine."""
        import pandas as pd

        rows = [
            (info.name, info.installed, info.version, len(info.operations), info.hint)
            for info in self._infos.values()
        ]
        columns = ["engine", "installed", "version", "operations", "hint"]
        return pd.DataFrame(rows, columns=columns).set_index("engine")

    def __repr__(self) -> str:
        width = max(map(len, self._infos), default=0)
        return "\n".join(f"{name:{width}}  {_words(info)}" for name, info in self._infos.items())

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        return str(frame.to_html(border=0, justify="left"))


def _words(info: EngineInfo) -> str:
    if not info.installed:
        return f"not installed: {info.hint}"
    return f"{info.version}, runs {len(info.operations)} operations"


def engines() -> Engines:
    """The engines, which of them are installed, and which operations each can run."""
    return Engines({name: _info(name) for name in ENGINES})


def _info(name: str) -> EngineInfo:
    try:
        engine = find_engine(name)
    except MissingPackageError as error:
        return EngineInfo(name, False, "", frozenset(), error.diagnostics[0].hint)
    return EngineInfo(name, True, engine.version, engine.operations)

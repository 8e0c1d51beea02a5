"""The cards of the engines: which are installed, and what each can run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

from nnefkit.display import numbers
from nnefkit.display.colors import GRAY, VIOLET
from nnefkit.display.elements import (
    Block,
    Card,
    Cell,
    Column,
    Fold,
    Paragraph,
    Phrase,
    Table,
    code_in,
    left_out,
)

CONTESTED = 200
"""Maximum number of operations whose support is compared."""
LISTED = 6_000
"""Maximum length of a list of operations: two or three times as many as NNEF has."""
_IN_PART = (
    "in part: only for some attributes or dtypes. Operations that an engine cannot run are "
    'reported before anything runs; with `fallback="numpy"`, numpy runs just those.'
)


class EngineLike(Protocol):
    """An engine, whether it is installed or not."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def installed(self) -> bool:
        """True if it can be used."""

    @property
    def version(self) -> str:
        """The version of the package that runs the operations."""

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it runs."""

    @property
    def partly(self) -> frozenset[str]:
        """Names of the operations that it runs only for some attributes or dtypes."""

    @property
    def options(self) -> tuple[str, ...]:
        """Names of its options."""

    @property
    def hint(self) -> str:
        """How to install it."""

    @property
    def problem(self) -> str:
        """The reason why it cannot be used although it is installed."""


class EnginesLike(Protocol):
    """All engines."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Engines that are declared but cannot be used, with the reasons."""

    def values(self) -> Iterable[EngineLike]:
        """Return the engines, the reference first."""


def engines_card(engines: EnginesLike) -> Card:
    """Return the card of all engines: versions, options, and where they differ."""
    every = list(engines.values())
    installed = [engine for engine in every if engine.installed]
    facts = (
        f"{len(installed)} of {len(every)} installed",
        'engine="auto" selects the fastest one that can run the graph',
    )
    blocks: list[Block] = [_table(every)]
    blocks += [Paragraph((Phrase(problem, "warning", limit=0),)) for problem in engines.problems]
    if contested := _contested(installed):
        count = numbers.plural(len(contested), "operation")
        title = Phrase(f"{count} that some installed engines cannot run, or only in part", limit=0)
        inner = (_differences(contested, installed), Paragraph(code_in(_IN_PART, "muted")))
        blocks.append(Fold((title,), inner, html_only=True))
    return Card("engines", VIOLET, facts, tuple(blocks))


def _contested(installed: Sequence[EngineLike]) -> list[str]:
    """Names of the operations that not every installed engine runs in every case."""
    names = frozenset[str]().union(*(engine.operations for engine in installed))
    everywhere = names.intersection(*(engine.operations - engine.partly for engine in installed))
    return sorted(names - everywhere)


def _table(engines: Sequence[EngineLike]) -> Table:
    columns = (
        Column("engine", least=11),
        Column("version", least=9),
        Column("operations", "right"),
        Column("in part", "right"),
        Column("options"),
    )
    return Table(columns, tuple(map(_row, engines)))


def _row(engine: EngineLike) -> tuple[Cell, ...]:
    name = Cell(engine.name, "strong" if engine.installed else "muted", code=True)
    if not engine.installed:
        hint = Cell(engine.hint, code=True, limit=80)
        return (name, Cell(_state(engine), "muted"), Cell(), Cell(), hint)
    return (
        name,
        Cell(engine.version),
        Cell(f"{len(engine.operations)}"),
        Cell(f"{len(engine.partly)}" if engine.partly else ""),
        Cell(", ".join(engine.options), code=True, limit=60),
    )


def _state(engine: EngineLike) -> str:
    return "broken" if engine.problem else "not installed"


def _differences(contested: Sequence[str], installed: Sequence[EngineLike]) -> Table:
    columns = (Column("operation"), *(Column(engine.name) for engine in installed))
    rows = tuple(
        (Cell(name, code=True), *(_mark(name, engine) for engine in installed))
        for name in contested[:CONTESTED]
    )
    note = left_out(rows, len(contested), "operations", "nk.engines().to_frame()")
    return Table(columns, rows, note if len(rows) < len(contested) else ())


def _mark(name: str, engine: EngineLike) -> Cell:
    if name not in engine.operations:
        return Cell("no", "muted")
    return Cell("in part", "warning") if name in engine.partly else Cell("yes", "equal")


def engine_card(engine: EngineLike) -> Card:
    """Return the card of one engine."""
    if not engine.installed:
        hint = Paragraph((Phrase(engine.hint, code=True, limit=80),))
        return Card(engine.name, GRAY, (_state(engine),), (hint,), "muted")
    return Card(engine.name, VIOLET, tuple(_facts(engine)), tuple(_lists(engine)))


def _facts(engine: EngineLike) -> Iterator[str]:
    yield engine.version
    yield f"runs {numbers.plural(len(engine.operations), 'operation')}"
    if engine.options:
        yield f"options {', '.join(engine.options)}"


def _lists(engine: EngineLike) -> Iterator[Block]:
    yield from _named("runs", engine.operations - engine.partly)
    yield from _named("in part", engine.partly)


def _named(title: str, names: Collection[str]) -> Iterator[Block]:
    if names:
        words = Phrase(", ".join(sorted(names)), code=True, limit=LISTED)
        yield Paragraph((Phrase(f"{title}: ", "muted"), words))

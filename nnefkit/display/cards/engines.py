"""What there is to run graphs with, and what each engine can run."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from nnefkit.display import numbers
from nnefkit.display.colors import GREY, VIOLET
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
)
from nnefkit.display.summary import EngineRow, EnginesSummary

_IN_PART = (
    "in part: with some attributes or dtypes only. What does not fit is refused by name before "
    'anything runs, and `fallback="numpy"` runs just that in numpy.'
)


def engines(summary: EnginesSummary) -> Card:
    """The card of all engines: versions, options, and where they differ."""
    facts = (
        f"{len(summary.installed)} of {len(summary.rows)} installed",
        'engine="auto" takes the fastest that can run a graph',
    )
    blocks: list[Block] = [_table(summary)]
    blocks += [Paragraph((Phrase(problem, "warning", limit=0),)) for problem in summary.problems]
    if summary.contested:
        count = numbers.plural(len(summary.contested), "operation")
        title = Phrase(f"{count} that not every installed engine runs in every case", limit=0)
        inner = (_differences(summary), Paragraph(code_in(_IN_PART, "muted")))
        blocks.append(Fold((title,), inner, html_only=True))
    return Card("engines", VIOLET, facts, tuple(blocks))


def _table(summary: EnginesSummary) -> Table:
    columns = (
        Column("engine", least=11),
        Column("version", least=9),
        Column("operations", "right"),
        Column("in part", "right"),
        Column("options"),
    )
    return Table(columns, tuple(_row(row) for row in summary.rows))


def _row(row: EngineRow) -> tuple[Cell, ...]:
    name = Cell(row.name, "strong" if row.version else "muted", code=True)
    if not row.version:
        remedy = Cell(row.remedy, code=True, limit=80)
        return (name, Cell(row.state, "muted"), Cell(), Cell(), remedy)
    return (
        name,
        Cell(row.version),
        Cell(f"{len(row.operations)}"),
        Cell(f"{len(row.partly)}" if row.partly else ""),
        Cell(", ".join(row.options), code=True, limit=60),
    )


def _differences(summary: EnginesSummary) -> Table:
    columns = (Column("operation"), *(Column(row.name) for row in summary.installed))
    rows = tuple(
        (Cell(name, code=True), *(_mark(name, row) for row in summary.installed))
        for name in summary.contested
    )
    return Table(columns, rows)


def _mark(name: str, row: EngineRow) -> Cell:
    if name not in row.operations:
        return Cell("no", "muted")
    return Cell("in part", "warning") if name in row.partly else Cell("yes", "equal")


def engine(row: EngineRow) -> Card:
    """The card of one engine: what it runs."""
    if not row.version:
        line = (Phrase(row.remedy, code=True, limit=80),)
        return Card(row.name, GREY, (row.state,), (Paragraph(line),), "muted")
    return Card(row.name, VIOLET, tuple(_facts(row)), tuple(_lists(row)))


def _facts(row: EngineRow) -> Iterator[str]:
    yield row.version
    yield f"runs {numbers.plural(len(row.operations), 'operation')}"
    if row.options:
        yield f"options {', '.join(row.options)}"


def _lists(row: EngineRow) -> Iterator[Block]:
    yield from _named("runs", row.whole)
    yield from _named("in part", row.partly)


def _named(title: str, names: Collection[str]) -> Iterator[Block]:
    if names:
        words = Phrase(", ".join(sorted(names)), code=True, limit=0)
        yield Paragraph((Phrase(f"{title}: ", "muted"), words))

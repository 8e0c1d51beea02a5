"""The card of a blame: who is guilty, a chart along the depth, a table of the worst."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from nnefkit.display import charts, numbers
from nnefkit.display.blame_chart import blame_chart
from nnefkit.display.cards import operation_cells
from nnefkit.display.colors import GREEN, RED
from nnefkit.display.elements import (
    Block,
    Card,
    Cell,
    Column,
    Figure,
    Fold,
    Phrase,
    Table,
    Tone,
    answer,
    left_out,
    selection,
)

Verdict = Literal["guilty", "passes it on", "clean"]
TONES: dict[Verdict, Tone] = {"guilty": "wrong", "passes it on": "muted", "clean": "equal"}
COLUMNS = (
    *operation_cells.COLUMNS,
    Column("verdict", least=12),
    operation_cells.LINE,
    Column("own dB", "right"),
    Column("inherited dB", "right"),
    Column("of output error", "right"),
    Column("cause", least=20),
)
_FIRST = 12
"""Number of operations that a display shows."""


class BlameRow(NamedTuple):
    """One operation of a blame."""

    number: int
    """Index of the operation in the graph, from 0."""
    operation: str
    tensor: str
    line: int | None
    verdict: Verdict
    own: float
    """Signal-to-noise ratio of the error that it introduces, in dB."""
    inherited: float
    """The same of the error that it inherits; NaN if it was not measured."""
    share: float | None
    """Share of the error of the outputs."""
    cause: str
    """What differs, with names in `backticks`."""
    output: bool


@dataclass(frozen=True)
class BlameSummary:
    """Which operations of a suspect introduce its error."""

    title: str
    """The two sides: "float weights against 8-bit weights"."""
    graph: str
    ok: bool
    """True if no operation is guilty."""
    headline: str
    """The answer in a few words. Words in `backticks` are code."""
    sentence: str
    examined: int
    """Number of operations that were examined."""
    unchecked: int
    """Number of operations that were not."""
    rows: tuple[BlameRow, ...] = field(default=(), repr=False)
    """All operations, the guiltiest first."""
    picture: Callable[[], str] | None = field(default=None, repr=False)
    """Draws the graph with the guilty operations outlined, as an SVG document."""
    fed: Literal["reference", "suspect"] = "reference"
    """The side whose values the operations were run on."""


def blame_card(summary: BlameSummary, *, brief: bool = False) -> Card:
    """Return the card of a blame."""
    tone: Tone = "right" if summary.ok else "wrong"
    blocks: list[Block] = [answer(summary.headline, summary.sentence, tone)]
    depth = sorted(summary.rows, key=lambda row: row.number)
    if not brief and any(row.verdict != "clean" for row in depth):
        bars = [(row.tensor, row.own, row.inherited, row.verdict == "guilty") for row in depth]
        blocks.append(Figure(blame_chart(bars)))
    if summary.rows:
        blocks.append(_table(summary, brief=brief))
    color, facts = GREEN if summary.ok else RED, tuple(_facts(summary))
    if brief or summary.ok or summary.picture is None:
        return Card(summary.title, color, facts, tuple(blocks))
    without = Card(summary.title, color, facts, tuple(blocks))
    blocks.append(_graph(summary, summary.picture()))
    return Card(summary.title, color, facts, tuple(blocks), smaller=lambda: without)


def _graph(summary: BlameSummary, svg: str) -> Fold:
    """Return the picture of the graph, to be opened."""
    image = charts.svg_image(svg, f"the operations of {numbers.shorten(summary.graph)}")
    title = Phrase("the graph, guilty operations outlined", "muted", limit=0)
    return Fold((title,), (Figure(image),), html_only=True)


def _facts(summary: BlameSummary) -> Iterator[str]:
    yield numbers.shorten(summary.graph, 60)
    yield "blame"
    checked = numbers.plural(summary.examined, "operation")
    yield f"{checked} examined, each on the {summary.fed}'s inputs"
    yield f"{summary.unchecked:,} not examined"


def _table(summary: BlameSummary, *, brief: bool) -> Table:
    few = 5 if brief else _FIRST
    rows = summary.rows
    outputs = [i for i, row in enumerate(rows) if row.output][:4]
    guilty = sum(row.verdict == "guilty" for row in rows)
    chosen = selection(rows, min(len(rows), max(few, min(guilty, 2 * few))), 0, keep=outputs)
    cells = tuple(None if row is None else tuple(_cells(row)) for row in chosen)
    note = left_out(chosen, len(rows), "operations", "blame.to_frame()")
    return Table(COLUMNS, cells, note)


def _cells(row: BlameRow) -> Iterator[Cell]:
    yield from operation_cells.operation_cells(row.number, row.operation, row.tensor)
    verdict = f"output, {row.verdict}" if row.output else row.verdict
    yield Cell(verdict, TONES[row.verdict])
    yield operation_cells.line_cell(row.line)
    yield Cell(numbers.number(row.own))
    yield Cell("" if math.isnan(row.inherited) else numbers.number(row.inherited))
    yield Cell("" if row.share is None else numbers.percent(max(row.share, 0.0)))
    yield Cell(row.cause.replace("`", ""), limit=64)

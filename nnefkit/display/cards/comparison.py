"""The card of a comparison: the answer in words, then a chart, then the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from nnefkit.arrays import Shape
from nnefkit.display import charts, numbers
from nnefkit.display.cards import operation_cells
from nnefkit.display.colors import GREEN, RED
from nnefkit.display.elements import (
    Block,
    Card,
    Cell,
    Column,
    Figure,
    Image,
    Phrase,
    Table,
    Tone,
    answer,
    left_out,
    selection,
)

Verdict = Literal["equal", "within", "introduces", "inherits", "differs", "missing"]
"""For one tensor: equal in every bit; within the tolerance; different although the inputs of its
operation agree; different as its inputs are; different (inputs are not known); only on one side."""
WORDS: dict[Verdict, tuple[str, Tone]] = {
    "equal": ("equal", "equal"),
    "within": ("within tolerance", "equal"),
    "introduces": ("introduces", "wrong"),
    "inherits": ("inherits", "muted"),
    "differs": ("differs", "wrong"),
    "missing": ("missing", "warning"),
}
"""Name in tables and tone of each verdict."""
COLUMNS = (
    *operation_cells.COLUMNS,
    Column("verdict", least=10),
    Column("max |a−b|", "right"),
    Column("relative", "right", 8),
    Column("SNR dB", "right"),
    Column("cosine", "right", 8),
    Column("difference", html_only=True),
    Column("note"),
)


class ComparisonRow(NamedTuple):
    """One tensor of a comparison."""

    number: int
    """Position of the operation in the graph, from 0; negative if no graph is known."""
    operation: str
    """Empty if no graph is known."""
    tensor: str
    verdict: Verdict
    max_abs: float | None = None
    """Largest absolute difference."""
    relative: float | None = None
    """The same, relative to the largest absolute value of the first tensor."""
    snr: float | None = None
    """Signal-to-noise ratio in dB; infinite for equal tensors."""
    cosine: float | None = None
    line: int | None = None
    shape: Shape | None = None
    output: bool = False
    """True if it is an output of the graph; outputs are always shown."""
    note: str = ""
    """Other findings: "shapes differ", "2 NaN"."""
    outside: float | None = None
    """Share of the elements out of tolerance."""


@dataclass(frozen=True)
class ComparisonSummary:
    """Two runs side by side, tensor by tensor."""

    title: str
    """The two sides: "float weights against 8-bit weights"."""
    agree: bool
    """True if all tensors are within the tolerance."""
    headline: str
    """The answer in a few words: "The runs diverge at conv8", "The runs agree"."""
    sentence: str = ""
    """The rest of the answer. Words in `backticks` are code, also in the headline."""
    graph: str = ""
    labels: tuple[str, str] = ("a", "b")
    """Names of the two sides: engines, or "float" and "8 bit"."""
    rows: tuple[ComparisonRow, ...] = field(default=(), repr=False)
    """All tensors, in the order of the graph, including missing ones."""
    tolerance: str = ""
    """As words: "1e-5 relative, 1e-6 absolute"."""
    non_finite: int = 0
    """Number of tensors with NaN or Inf on either side."""

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Number of tensors for each verdict."""
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[row.verdict] = counts.get(row.verdict, 0) + 1
        return counts

    @cached_property
    def first(self) -> ComparisonRow | None:
        """The first tensor out of tolerance, or None."""
        differing = ("introduces", "inherits", "differs")
        return next((row for row in self.rows if row.verdict in differing), None)


def comparison_card(summary: ComparisonSummary, *, brief: bool = False) -> Card:
    """Return the card of a comparison."""
    opening = answer(summary.headline, summary.sentence, "right" if summary.agree else "wrong")
    blocks: list[Block] = [opening]
    ratios = [row.snr for row in summary.rows]
    if not brief and any(ratio is not None and ratio < charts.SNR_TOP for ratio in ratios):
        blocks.append(Figure(_chart(summary, ratios)))
    if summary.rows:
        blocks.append(_table(summary, brief=brief))
    color = GREEN if summary.agree else RED
    return Card(summary.title, color, tuple(_facts(summary)), tuple(blocks))


def compared_tensors_card(rows: Sequence[ComparisonRow | None], total: int, *, agree: bool) -> Card:
    """Return the card of some tensors of a comparison, of `total` that there are.

    `agree` says whether all of them are within the tolerance.
    """
    columns = (
        Column("tensor"),
        Column("operation"),
        operation_cells.LINE,
        *COLUMNS[3:8],
        Column("outside", "right"),
        COLUMNS[-1],
    )
    cells = tuple(None if row is None else tuple(_listed(row)) for row in rows)
    table = Table(columns, cells, left_out(rows, total, "tensors", ".to_frame()"))
    title = numbers.plural(total, "tensor")
    return Card(title, GREEN if agree else RED, (), (table,) if cells else ())


def _listed(row: ComparisonRow) -> Iterator[Cell]:
    _, operation, tensor, *measured = _row(row)
    yield tensor
    yield operation
    yield operation_cells.line_cell(row.line)
    yield from measured[:5]
    yield Cell(numbers.percent(row.outside))
    yield measured[-1]


def _facts(summary: ComparisonSummary) -> Iterator[str]:
    if summary.graph:
        yield numbers.shorten(summary.graph, 60)
    if summary.labels != ("a", "b"):
        a, b = map(numbers.shorten, summary.labels)
        yield f"a = {a}, b = {b}"
    missing = summary.counts.get("missing", 0)
    yield f"{numbers.plural(len(summary.rows) - missing, 'tensor')} compared"
    differ = sum(summary.counts.get(key, 0) for key in ("introduces", "inherits", "differs"))
    yield f"{differ:,} differ"
    yield f"{missing:,} missing"
    yield f"{summary.non_finite:,} with NaN or Inf"
    if summary.tolerance:
        yield f"tolerance {summary.tolerance}"


def _chart(summary: ComparisonSummary, ratios: Sequence[float | None]) -> Image:
    first = summary.first
    if first is None:
        return charts.snr_chart(ratios, None, "")
    place = next(i for i, row in enumerate(summary.rows) if row is first)
    return charts.snr_chart(ratios, place, first.tensor)


def _table(summary: ComparisonSummary, *, brief: bool) -> Table:
    keep = _interesting(summary, 4 if brief else 8)
    if summary.first is None:
        chosen = selection(summary.rows, *((4, 2) if brief else (8, 4)), keep=keep)
    else:
        chosen = selection(summary.rows, 0, 0, keep=keep)
    rows = tuple(None if row is None else tuple(_row(row)) for row in chosen)
    note = left_out(chosen, len(summary.rows), "tensors", "comparison.to_frame()")
    if not summary.agree:
        worst = Phrase("comparison.worst(20)", "muted", code=True)
        note = (*note, Phrase(" · ", "muted"), worst)
    return Table(COLUMNS, rows, note)


def _interesting(summary: ComparisonSummary, few: int) -> list[int]:
    """Positions of the rows that matter: outputs, origins, missing ones, the first difference."""
    rows = summary.rows
    keep = [i for i, row in enumerate(rows) if row.output][:few]
    keep += [i for i, row in enumerate(rows) if row.verdict == "introduces"][:few]
    keep += [i for i, row in enumerate(rows) if row.verdict == "missing"][:few]
    if summary.first is not None:
        place = next(i for i, row in enumerate(rows) if row is summary.first)
        keep += range(max(0, place - 1), min(len(rows), place + few - 1))
    else:
        known = [i for i, row in enumerate(rows) if row.max_abs is not None]
        keep += sorted(known, key=lambda i: -(rows[i].max_abs or 0.0))[: few // 2]
    return keep


def _row(row: ComparisonRow) -> Iterator[Cell]:
    word, tone = WORDS[row.verdict]
    yield from operation_cells.operation_cells(row.number, row.operation, row.tensor)
    yield Cell(word, tone)
    yield Cell(numbers.number(row.max_abs))
    yield Cell(numbers.number(row.relative))
    yield Cell(numbers.number(row.snr))
    yield Cell("" if row.cosine is None else f"{row.cosine:.5f}")
    yield Cell(bar=_share(row))
    yield Cell(row.note, limit=64)


def _share(row: ComparisonRow) -> float | None:
    """Return the drop of the signal-to-noise ratio, as a share of the range of the chart."""
    if row.snr is None or row.verdict in ("equal", "within") or row.snr != row.snr:
        return None
    return 1 - min(max(row.snr, 0.0), charts.SNR_TOP) / charts.SNR_TOP

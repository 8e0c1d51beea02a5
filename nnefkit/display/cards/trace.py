"""The card of a trace: every tensor of the run, with its statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from nnefkit.arrays import Shape
from nnefkit.display import numbers
from nnefkit.display.cards import operation_cells, statistics_cells
from nnefkit.display.colors import RED, VIOLET
from nnefkit.display.elements import (
    Block,
    Card,
    Cell,
    Column,
    Line,
    Paragraph,
    Phrase,
    Table,
    code_in,
    left_out,
    selection,
)
from nnefkit.display.statistics import Statistics
from nnefkit.display.vocabulary import PRODUCTS, family

_OTHERS, _LAST_OTHERS = 4, 1
"""Number of tensors without values that are shown after those with values."""
NAMED = 4
"""Maximum number of tensors with NaN or Inf that are named."""


class TraceRow(NamedTuple):
    """One tensor of a run; an operation with two results has two rows."""

    number: int
    """Position of the operation in the graph, from 0."""
    operation: str
    tensor: str
    shape: Shape | None
    finite: bool | None
    """True if it holds neither NaN nor Inf; None where it was not checked."""
    seconds: float | None = None
    """Time of the operation; only in its first row, so that sums are right."""
    bytes: int | None = None
    line: int | None = None
    stored: bool = True
    """True if the trace holds the values."""
    computed: bool = True
    """False if the run stopped before."""


@dataclass(frozen=True)
class TraceSummary:
    """The tensors of one run of a graph."""

    graph: str
    engine: str
    rows: tuple[TraceRow, ...] = field(default=(), repr=False)
    """All tensors of the run, in the order of the graph; variables and constants left out."""
    seconds: float | None = None
    """Time of the whole run."""
    statistics: Mapping[str, Statistics] = field(default_factory=dict, repr=False)
    """Statistics of tensors, by name; only those that are shown are read."""
    hidden_nan: tuple[str, ...] = ()
    """Names of the tensors whose operations replaced NaN by numbers."""
    stopped: str = ""
    """Why the run ended early, as a sentence; empty if it did not."""

    @cached_property
    def stored(self) -> int:
        """Number of tensors whose values the trace holds."""
        return sum(row.stored for row in self.rows)

    @cached_property
    def bytes(self) -> int:
        """Size of the stored values in memory."""
        return sum(row.bytes or 0 for row in self.rows if row.stored)

    @cached_property
    def checked(self) -> int:
        """Number of tensors that were checked for NaN and Inf."""
        return sum(row.finite is not None for row in self.rows)

    @cached_property
    def non_finite(self) -> tuple[str, ...]:
        """Names of the tensors that hold a NaN or an Inf, in the order of the graph."""
        return tuple(row.tensor for row in self.rows if row.finite is False)


def trace_card(summary: TraceSummary, *, brief: bool = False) -> Card:
    """Return the card of a trace: first NaN and Inf, then the tensors in order."""
    blocks: list[Block] = []
    if summary.rows and (missing := _missing(summary)):
        blocks.append(Paragraph(code_in(missing, "wrong" if summary.stopped else "plain")))
    if summary.non_finite:
        blocks.append(Paragraph(tuple(_named("NaN or Inf, first in: ", summary.non_finite))))
    if summary.hidden_nan:
        blocks.append(Paragraph(tuple(_named("NaN replaced by numbers in: ", summary.hidden_nan))))
    if summary.rows:
        blocks.append(_table(summary, brief=brief))
    color = RED if summary.non_finite else VIOLET
    return Card("trace", color, tuple(_facts(summary)), tuple(blocks))


def _missing(summary: TraceSummary) -> str:
    """Say which tensors the trace does not have, and why; empty if it has all."""
    total, sentences = len(summary.rows), []
    if summary.stopped:
        done = sum(row.computed for row in summary.rows)
        sentences = [summary.stopped.replace("`", "'")]
        sentences.append(f"{done:,} of {numbers.plural(total, 'tensor')} were computed.")
        if summary.stored not in (0, done):
            sentences.append(f"The values of {summary.stored:,} were recorded.")
    elif not summary.stored:
        known = "Only statistics were recorded, no values."
        sentences = [known if summary.statistics else "No values were recorded."]
    elif summary.stored < total:
        count = f"{summary.stored:,} of {numbers.plural(total, 'tensor')}"
        sentences = [f'The values of {count} were recorded. `keep="all"` records all.']
    return " ".join(sentences)


def _facts(summary: TraceSummary) -> Iterator[str]:
    yield numbers.shorten(summary.graph, 60)
    yield summary.engine
    yield f"{summary.stored:,} of {numbers.plural(len(summary.rows), 'tensor')} stored"
    if summary.stored:
        yield numbers.size(summary.bytes)
    if summary.seconds is not None:
        yield numbers.duration(summary.seconds)
    yield f"{summary.checked:,} checked"
    yield f"{len(summary.non_finite):,} with NaN or Inf"


def _named(what: str, names: Sequence[str]) -> Iterator[Phrase]:
    yield Phrase(what, "wrong")
    for position, name in enumerate(names[:NAMED]):
        if position:
            yield Phrase(", ")
        yield Phrase(name, code=True)
    if len(names) > NAMED:
        yield Phrase(f" and {len(names) - NAMED:,} more")


def _table(summary: TraceSummary, *, brief: bool) -> Table:
    chosen = _chosen(summary, *((12, 4) if brief else (24, 8)))
    timed = any(row.seconds is not None for row in summary.rows)
    columns = [
        *operation_cells.COLUMNS,
        Column("shape", least=12),
        *statistics_cells.COLUMNS,
    ]
    if timed:
        columns.append(Column("ms", "right", 6))
    columns.append(Column("size", "right", 8))
    rows = tuple(None if row is None else tuple(_row(row, summary, timed=timed)) for row in chosen)
    return Table(tuple(columns), rows, _note(summary, chosen))


def _chosen(summary: TraceSummary, head: int, tail: int) -> list[TraceRow | None]:
    """Return the rows to show: those with values first, if only some have them."""
    stored = [row for row in summary.rows if row.stored]
    if not stored or len(stored) == len(summary.rows):
        return selection(summary.rows, head, tail, keep=_bad(summary.rows))
    others = [row for row in summary.rows if not row.stored]
    first = selection(stored, head, tail, keep=_bad(stored))
    return [*first, *selection(others, _OTHERS, _LAST_OTHERS, keep=_bad(others))]


def _bad(rows: Sequence[TraceRow]) -> list[int]:
    return [i for i, row in enumerate(rows) if row.finite is False][:8]


def _row(row: TraceRow, summary: TraceSummary, *, timed: bool) -> Iterator[Cell]:
    color = family(row.operation).color
    yield from operation_cells.operation_cells(row.number, row.operation, row.tensor)
    yield Cell(numbers.shape(row.shape))
    yield from statistics_cells.cells(summary.statistics.get(row.tensor), color)
    if timed:
        yield Cell("" if row.seconds is None else numbers.number(row.seconds * 1e3))
    if row.stored:
        yield Cell(numbers.size(row.bytes))
    else:
        yield Cell("not stored" if row.computed else "not computed", "muted")


def _note(summary: TraceSummary, chosen: list[TraceRow | None]) -> Line:
    note = left_out(chosen, len(summary.rows), "tensors", "trace.to_frame()")
    stored = [row for row in chosen if row is not None and row.stored]
    if not stored:
        return note
    # The result of a convolution is a better example than an input.
    example = next((row for row in stored if family(row.operation) is PRODUCTS), stored[0]).tensor
    more = Phrase(f'trace["{numbers.shorten(example)}"]', "muted", code=True)
    return (*note, Phrase(" · ", "muted"), more)

"""What a validation says: every diagnostic with its line, its caret and its mend."""

from __future__ import annotations

from collections.abc import Iterator

from nnefkit.display import numbers
from nnefkit.display.cards.marked_source import TONES, source
from nnefkit.display.colors import AMBER, GREEN, RED
from nnefkit.display.elements import Block, Card, Line, Listing, Paragraph, Phrase
from nnefkit.display.excerpt import marked_excerpt
from nnefkit.display.summary import DiagnosticRow, ReportSummary

SHOWN = 40
"""How many diagnostics are shown."""


def report(summary: ReportSummary, *, brief: bool = False) -> Card:
    """The card of a report; of many diagnostics the first are shown."""
    most = SHOWN // 2 if brief else SHOWN
    blocks: list[Block] = []
    for row in summary.diagnostics[:most]:
        blocks += _diagnostic(row, summary.file)
    left = len(summary.diagnostics) - most
    if left > 0:
        note = f"{most:,} of {len(summary.diagnostics):,} diagnostics · "
        code = "report.errors, report.warnings, report.notes"
        blocks.append(
            Paragraph((Phrase(note, "muted", limit=0), Phrase(code, "muted", code=True, limit=0)))
        )
    # In plain text, the excerpts are the marked source.
    if summary.text and not brief and (marked := source(summary)) is not None:
        blocks.append(marked)
    if not summary.ok:
        title, tone, color = "not valid", TONES["error"], RED
    else:
        title, tone = "valid", "right"
        color = AMBER if summary.number("warning") else GREEN
    return Card(title, color, tuple(_facts(summary)), tuple(blocks), tone)


def _facts(summary: ReportSummary) -> Iterator[str]:
    yield numbers.shorten_path(summary.file or "graph.nnef")
    if summary.graph:
        yield f"graph {numbers.shorten(summary.graph)}"
    if summary.operations is not None:
        yield numbers.plural(summary.operations, "operation")
    counts = [
        numbers.plural(summary.number(severity), severity) for severity in ("error", "warning")
    ]
    if notes := summary.number("note"):
        counts.append(numbers.plural(notes, "note"))
    yield ", ".join(counts)


def _diagnostic(row: DiagnosticRow, file: str) -> Iterator[Block]:
    yield Paragraph(tuple(_head(row, file)), apart=True)
    if row.line is not None and row.excerpt.strip():
        yield Listing(tuple(_marked(row)), ruled=True)
    if row.hint:
        yield Paragraph((Phrase(row.hint, limit=600),))


def _head(row: DiagnosticRow, file: str) -> Iterator[Phrase]:
    tone = TONES.get(row.severity, "plain")
    yield Phrase(row.code, tone)
    place = []
    if row.file and row.file != file:
        place.append(numbers.shorten_path(row.file))
    if row.line is not None:
        place.append(f"line {row.line:,}")
        if row.column is not None:
            place.append(f"column {row.column:,}")
    # The colour of the code is not the only thing that says how severe it is.
    yield Phrase(f" {row.severity}{': ' if place else ''}{', '.join(place)}  ", "muted", limit=0)
    yield Phrase(row.message, limit=600)
    if row.section:
        yield Phrase(f" (section {row.section})", "muted")


def _marked(row: DiagnosticRow) -> Iterator[Line]:
    marked = marked_excerpt(row.excerpt, row.column or 1, row.length)
    number = f"{row.line}"
    tone = TONES.get(row.severity, "plain")
    yield (
        Phrase(f"{number:>5} │ ", "muted", limit=0),
        Phrase(marked.before, limit=0),
        Phrase(marked.marked, limit=0),
        Phrase(marked.after, limit=0),
    )
    yield (
        Phrase(f"{'':>{max(5, len(number))}} │ ", "muted", limit=0),
        Phrase(" " * marked.indent, limit=0),
        Phrase("^" * marked.length, tone, limit=0),
    )

"""A document with the diagnostics in their places: below the lines that they are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from nnefkit.display import numbers
from nnefkit.display.elements import Fold, Line, Listing, Phrase, Tone
from nnefkit.display.excerpt import marked_excerpt, printable
from nnefkit.display.summary import DiagnosticRow, ReportSummary

AROUND = 3
"""How many lines are shown before and behind one that is marked."""
WHOLE = 60
"""Documents of so many lines are shown whole."""
MARKS, LINES, WIDTH = 60, 400, 120
"""How many diagnostics and how many lines are shown, and how wide a line may be."""
TONES: dict[str, Tone] = {"error": "wrong", "warning": "warning", "note": "muted"}


def source(summary: ReportSummary) -> Fold | None:
    """The document behind a report, folded; None if nothing points into it."""
    lines = summary.lines
    marked = [
        row
        for row in summary.diagnostics
        if row.file == summary.text_name and row.line is not None and row.line <= len(lines)
    ]
    if not marked:
        return None
    chosen = sorted(marked[:MARKS], key=_place)
    by_line = {line: list(rows) for line, rows in groupby(chosen, lambda row: row.line or 1)}
    shown = _shown(list(by_line), len(lines))
    listing = Listing(tuple(_listing(lines, shown, by_line)))
    return Fold(tuple(_title(summary, len(shown), len(chosen), len(marked))), (listing,))


def _place(row: DiagnosticRow) -> tuple[int, int]:
    return row.line or 1, row.column or 1


def _title(summary: ReportSummary, shown: int, told: int, marked: int) -> Iterator[Phrase]:
    yield Phrase("Source ")
    total = len(summary.lines)
    count = (
        f"{numbers.plural(total, 'line')}" if shown == total else f"{shown:,} of {total:,} lines"
    )
    marks = f"{told:,} of {marked:,} marks" if told < marked else numbers.plural(marked, "mark")
    name = numbers.shorten_path(summary.text_name)
    yield Phrase(f"{name}, {count}, {marks}", "muted", limit=0)


def _shown(marked: Sequence[int], total: int) -> list[int]:
    """Numbers of the lines to show: all of a short document, else those around the marks."""
    if total <= WHOLE:
        return list(range(1, total + 1))
    wanted = {
        line
        for mark in marked
        for line in range(max(1, mark - AROUND), min(total, mark + AROUND) + 1)
    }
    # A gap of one line is no longer than what says that it is one.
    wanted |= {line + 1 for line in wanted if line + 2 in wanted}
    return sorted(wanted)[:LINES]


def _listing(
    lines: Sequence[str], shown: Sequence[int], marked: dict[int, list[DiagnosticRow]]
) -> Iterator[Line]:
    digits = len(str(shown[-1]))
    before = 0
    for number in shown:
        if number > before + 1:
            yield _left_out(number - before - 1, digits)
        before = number
        rows = marked.get(number)
        if rows is None:
            yield _gutter(f"{number}", digits), Phrase(_cut(lines[number - 1]), limit=0)
        elif len(lines[number - 1]) <= WIDTH:
            yield from _marked(number, lines[number - 1], rows, digits)
        else:
            # Of a long line, each mark has a part of its own.
            for row in rows:
                yield from _marked(number, lines[number - 1], [row], digits)
    if before < len(lines):
        yield _left_out(len(lines) - before, digits)


def _left_out(count: int, digits: int) -> Line:
    return (
        Phrase(f"{'⋮':>{digits}}   {numbers.plural(count, 'line')} left out", "muted", limit=0),
    )


def _gutter(number: str, digits: int, tone: Tone = "muted") -> Phrase:
    return Phrase(f"{number:>{digits}} │ ", tone, limit=0)


def _cut(line: str) -> str:
    return printable(line[:WIDTH]) + ("…" if len(line) > WIDTH else "")


def _marked(number: int, line: str, rows: Sequence[DiagnosticRow], digits: int) -> Iterator[Line]:
    """A line and what is said of it below."""
    tone = TONES.get(rows[0].severity, "plain")
    excerpts = [marked_excerpt(line, row.column or 1, row.length, WIDTH) for row in rows]
    if len(rows) == 1:
        only = excerpts[0]
        parts: Iterable[Phrase] = (
            Phrase(only.before, limit=0),
            Phrase(only.marked, tone, limit=0),
            Phrase(only.after, limit=0),
        )
    else:
        parts = _parts(line, rows)
    yield (_gutter(f"{number}", digits, tone), *(part for part in parts if part.text))
    for row, excerpt in zip(rows, excerpts, strict=True):
        said = f"{'^' * excerpt.length} {row.severity}: {numbers.shorten(row.message, 300)}"
        yield (
            _gutter("", digits),
            Phrase(" " * excerpt.indent, limit=0),
            Phrase(said, TONES.get(row.severity, "plain"), limit=0),
        )


def _parts(line: str, rows: Sequence[DiagnosticRow]) -> Iterator[Phrase]:
    """A line with several marks; where they overlap, the first one has it."""
    end = 0
    for row in rows:
        start = min(max((row.column or 1) - 1, end), len(line))
        stop = min(max((row.column or 1) - 1 + row.length, start), len(line))
        yield Phrase(printable(line[end:start]), limit=0)
        yield Phrase(printable(line[start:stop]), TONES.get(row.severity, "plain"), limit=0)
        end = stop
    yield Phrase(printable(line[end:]), limit=0)

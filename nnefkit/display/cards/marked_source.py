"""A document with each diagnostic below the line that it refers to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from nnefkit.display import numbers
from nnefkit.display.elements import Fold, Line, Listing, Phrase, Tone
from nnefkit.display.excerpt import marked_excerpt
from nnefkit.display.protocols import DiagnosticLike, TextLike, marked_length
from nnefkit.display.visible_text import printable

AROUND = 3
"""Number of lines shown before and after a marked one."""
WHOLE = 60
"""Number of lines up to which a document is shown in full."""
MARKS, LINES, WIDTH = 60, 400, 120
"""Maximum number of diagnostics, of lines, and of characters of a line."""
TONES: dict[str, Tone] = {"error": "wrong", "warning": "warning", "note": "muted"}


def marked_source(source: TextLike, diagnostics: Sequence[DiagnosticLike]) -> Fold | None:
    """Return a document with its diagnostics, folded; None if none of them points into it."""
    lines = [line.rstrip("\r") for line in source.text.removesuffix("\n").split("\n")]
    placed = [
        diagnostic
        for diagnostic in diagnostics
        if diagnostic.file == source.name
        and diagnostic.line is not None
        and diagnostic.line <= len(lines)
    ]
    if not placed:
        return None
    chosen = sorted(placed[:MARKS], key=_place)
    by_line = {line: list(group) for line, group in groupby(chosen, lambda one: one.line or 1)}
    shown = _shown(list(by_line), len(lines))
    listing = Listing(tuple(_listing(lines, shown, by_line)))
    total = len(lines)
    count = numbers.plural(total, "line")
    if len(shown) < total:
        count = f"{len(shown):,} of {total:,} lines"
    marks = numbers.plural(len(placed), "mark")
    if len(chosen) < len(placed):
        marks = f"{len(chosen):,} of {len(placed):,} marks"
    title = f"{numbers.shorten_path(source.name)}, {count}, {marks}"
    return Fold((Phrase("Source "), Phrase(title, "muted", limit=0)), (listing,))


def _place(diagnostic: DiagnosticLike) -> tuple[int, int]:
    return diagnostic.line or 1, diagnostic.column or 1


def _shown(marked: Sequence[int], total: int) -> list[int]:
    """Numbers of the lines to show: all of a short document, otherwise those around the marks."""
    if total <= WHOLE:
        return list(range(1, total + 1))
    wanted = {
        line
        for mark in marked
        for line in range(max(1, mark - AROUND), min(total, mark + AROUND) + 1)
    }
    # A gap of one line would take as much space as the line itself.
    wanted |= {line + 1 for line in wanted if line + 2 in wanted}
    return sorted(wanted)[:LINES]


def _listing(
    lines: Sequence[str], shown: Sequence[int], marked: dict[int, list[DiagnosticLike]]
) -> Iterator[Line]:
    digits = len(str(shown[-1]))
    before = 0
    for number in shown:
        if number > before + 1:
            yield _left_out(number - before - 1, digits)
        before = number
        diagnostics = marked.get(number)
        if diagnostics is None:
            yield _gutter(f"{number}", digits), Phrase(_cut(lines[number - 1]), limit=0)
        elif len(lines[number - 1]) <= WIDTH:
            yield from _marked(number, lines[number - 1], diagnostics, digits)
        else:
            # A long line is shown once for each mark, cut to the part around it.
            for diagnostic in diagnostics:
                yield from _marked(number, lines[number - 1], [diagnostic], digits)
    if before < len(lines):
        yield _left_out(len(lines) - before, digits)


def _left_out(count: int, digits: int) -> Line:
    return (
        Phrase(f"{'⋮':>{digits}}   {numbers.plural(count, 'line')} not shown", "muted", limit=0),
    )


def _gutter(number: str, digits: int, tone: Tone = "muted") -> Phrase:
    return Phrase(f"{number:>{digits}} │ ", tone, limit=0)


def _cut(line: str) -> str:
    return printable(line[:WIDTH]) + ("…" if len(line) > WIDTH else "")


def _marked(
    number: int, line: str, diagnostics: Sequence[DiagnosticLike], digits: int
) -> Iterator[Line]:
    """Yield a line, and below it its diagnostics."""
    tone = TONES.get(diagnostics[0].severity, "plain")
    excerpts = [
        marked_excerpt(line, diagnostic.column or 1, marked_length(diagnostic), WIDTH)
        for diagnostic in diagnostics
    ]
    if len(diagnostics) == 1:
        only = excerpts[0]
        parts: Iterable[Phrase] = (
            Phrase(only.before, limit=0),
            Phrase(only.marked, tone, limit=0),
            Phrase(only.after, limit=0),
        )
    else:
        parts = _parts(line, diagnostics)
    yield (_gutter(f"{number}", digits, tone), *(part for part in parts if part.text))
    for diagnostic, excerpt in zip(diagnostics, excerpts, strict=True):
        message = numbers.shorten(diagnostic.message, 300)
        marks = f"{'^' * excerpt.length} {diagnostic.severity}: {message}"
        yield (
            _gutter("", digits),
            Phrase(" " * excerpt.indent, limit=0),
            Phrase(marks, TONES.get(diagnostic.severity, "plain"), limit=0),
        )


def _parts(line: str, diagnostics: Sequence[DiagnosticLike]) -> Iterator[Phrase]:
    """Yield the parts of a line with several marks; overlaps belong to the first mark."""
    end = 0
    for diagnostic in diagnostics:
        start = min(max((diagnostic.column or 1) - 1, end), len(line))
        stop = min(max((diagnostic.column or 1) - 1 + marked_length(diagnostic), start), len(line))
        yield Phrase(printable(line[end:start]), limit=0)
        yield Phrase(printable(line[start:stop]), TONES.get(diagnostic.severity, "plain"), limit=0)
        end = stop
    yield Phrase(printable(line[end:]), limit=0)

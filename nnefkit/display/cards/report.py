"""The card of a validation report: every diagnostic with its line, a caret and a hint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Sized
from functools import partial
from typing import Protocol

from nnefkit.display import numbers
from nnefkit.display.cards.marked_source import TONES, marked_source
from nnefkit.display.colors import AMBER, GREEN, RED
from nnefkit.display.elements import Block, Card, Line, Listing, Paragraph, Phrase
from nnefkit.display.excerpt import marked_excerpt
from nnefkit.display.protocols import DiagnosticLike, TextLike, marked_length

SHOWN = 40
"""Maximum number of diagnostics shown."""


class CheckedGraph(Protocol):
    """The graph of a validated document."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def computations(self) -> Sized:
        """The operations that were checked."""


class ReportLike(Protocol):
    """The result of a validation."""

    @property
    def name(self) -> str:
        """The file or folder, or the name of the text."""

    @property
    def diagnostics(self) -> Sequence[DiagnosticLike]:
        """All of them, in the order of the text."""

    @property
    def graph(self) -> CheckedGraph | None:
        """The graph, if it could be read."""

    @property
    def source(self) -> TextLike | None:
        """The text that was validated, if it is available."""


def report_card(report: ReportLike, *, brief: bool = False) -> Card:
    """Return the card of a report; of many diagnostics only the first are shown."""
    # Plain text has the excerpts instead of the marked source.
    return _card(report, brief=brief, marked=not brief)


def _card(report: ReportLike, *, brief: bool, marked: bool) -> Card:
    """Return the card, with or without the source in which the diagnostics are marked."""
    diagnostics = report.diagnostics
    most = SHOWN // 2 if brief else SHOWN
    blocks: list[Block] = []
    for diagnostic in diagnostics[:most]:
        blocks += _diagnostic(diagnostic, report.name)
    if len(diagnostics) > most:
        note = f"{most:,} of {len(diagnostics):,} diagnostics · "
        code = "report.errors, report.warnings, report.notes"
        blocks.append(
            Paragraph((Phrase(note, "muted", limit=0), Phrase(code, "muted", code=True, limit=0)))
        )
    if diagnostics:
        command = f"nnefkit explain {diagnostics[0].code}"
        more = Phrase("more about a code: ", "muted", limit=0)
        explain = Phrase(command, "muted", code=True, limit=0)
        blocks.append(Paragraph((more, explain), apart=True))
    if marked and report.source is not None and report.source.text:
        source = marked_source(report.source, diagnostics)
        blocks += [source] if source is not None else []
    counts = Counter(diagnostic.severity for diagnostic in diagnostics)
    if counts["error"]:
        title, tone, color = "not valid", TONES["error"], RED
    else:
        title, tone = "valid", "right"
        color = AMBER if counts["warning"] else GREEN
    smaller = None
    if not brief:
        smaller = partial(_card, report, brief=not marked, marked=False)
    facts = tuple(_facts(report, counts))
    return Card(title, color, facts, tuple(blocks), tone, smaller=smaller)


def _facts(report: ReportLike, counts: Mapping[str, int]) -> Iterator[str]:
    yield numbers.shorten_path(report.name or "graph.nnef")
    if report.graph is not None:
        if report.graph.name:
            yield f"graph {numbers.shorten(report.graph.name)}"
        yield numbers.plural(len(report.graph.computations), "operation")
    shown = ["error", "warning", *(["note"] if counts["note"] else [])]
    yield ", ".join(numbers.plural(counts[severity], severity) for severity in shown)


def _diagnostic(diagnostic: DiagnosticLike, file: str) -> Iterator[Block]:
    yield Paragraph(tuple(_head(diagnostic, file)), apart=True)
    if diagnostic.line is not None and diagnostic.excerpt.strip():
        yield Listing(tuple(_marked(diagnostic)), ruled=True)
    if diagnostic.hint:
        yield Paragraph((Phrase(diagnostic.hint, limit=600),))


def _head(diagnostic: DiagnosticLike, file: str) -> Iterator[Phrase]:
    tone = TONES.get(diagnostic.severity, "plain")
    page = diagnostic.documentation
    yield Phrase(diagnostic.code, tone, link=page if page.startswith("https://") else "")
    place = []
    if diagnostic.file and diagnostic.file != file:
        place.append(numbers.shorten_path(diagnostic.file))
    if diagnostic.line is not None:
        place.append(f"line {diagnostic.line:,}")
        if diagnostic.column is not None:
            place.append(f"column {diagnostic.column:,}")
    # Color must not be the only sign of the severity.
    yield Phrase(
        f" {diagnostic.severity}{': ' if place else ''}{', '.join(place)}  ", "muted", limit=0
    )
    yield Phrase(diagnostic.message, limit=600)
    if diagnostic.section:
        yield Phrase(f" (section {diagnostic.section})", "muted")


def _marked(diagnostic: DiagnosticLike) -> Iterator[Line]:
    marked = marked_excerpt(diagnostic.excerpt, diagnostic.column or 1, marked_length(diagnostic))
    number = f"{diagnostic.line}"
    tone = TONES.get(diagnostic.severity, "plain")
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

"""The card of a validation report: every diagnostic with its line, a caret and a hint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Sized
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, Protocol

from nnefkit.display import numbers
from nnefkit.display.cards.explanation import CodeLike, explanation
from nnefkit.display.cards.marked_source import TONES, marked_source
from nnefkit.display.colors import AMBER, GREEN, RED
from nnefkit.display.diagnostic_text import MORE, explaining_command
from nnefkit.display.elements import Block, Card, Fold, Line, Listing, Paragraph, Phrase
from nnefkit.display.excerpt import marked_excerpt
from nnefkit.display.protocols import DiagnosticLike, TextLike, marked_length
from nnefkit.display.repetition import repetitions

SHOWN = 40
"""Maximum number of diagnostics shown, repeated ones counted once."""
NO_CODES: Mapping[str, CodeLike] = MappingProxyType({})


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


class _Detail(NamedTuple):
    """How much of a report a card shows."""

    shown: int
    """Maximum number of diagnostics."""
    marked: bool = False
    """Whether the source is shown, with the diagnostics marked in it."""
    examples: bool = False
    """Whether the explanation of a code has an example, where the code occurs first."""


_DETAILS = (
    _Detail(SHOWN, marked=True, examples=True),
    _Detail(SHOWN, marked=True),
    _Detail(SHOWN),
    _Detail(SHOWN // 2),
)
"""From the card of a notebook to smaller ones, for use if the one before exceeds the budget."""


def report_card(
    report: ReportLike, codes: Mapping[str, CodeLike] = NO_CODES, *, brief: bool = False
) -> Card:
    """Return the card of a report; of many diagnostics only the first are shown.

    In HTML, the heading of a diagnostic opens the explanation of its code.

    Args:
        report: The report.
        codes: The documentation of codes; codes without any are shown as they are.
        brief: Whether to return the card for plain text, which has excerpts but no source.
    """
    return _card(report, codes, _DETAILS[-1:] if brief else _DETAILS)


def _card(report: ReportLike, codes: Mapping[str, CodeLike], details: Sequence[_Detail]) -> Card:
    """Return the card with the first of `details`; the others are those of smaller cards."""
    detail, *less = details
    diagnostics = report.diagnostics
    most, marked = detail.shown, detail.marked
    blocks: list[Block] = []
    explained: set[str] = set()
    groups = repetitions(diagnostics)
    for group in groups[:most]:
        diagnostic = group.first
        first = diagnostic.code not in explained
        explained.add(diagnostic.code)
        code = codes.get(diagnostic.code)
        blocks += _diagnostic(diagnostic, report.name, code, example=detail.examples and first)
        if group.others:
            blocks.append(Paragraph((Phrase(group.note, "strong", limit=0),)))
    if len(groups) > most or len(groups) < len(diagnostics):
        note = f"{min(most, len(groups)):,} of {len(diagnostics):,} diagnostics in full · all: "
        access = "report.errors, report.warnings, report.notes"
        blocks.append(
            Paragraph((Phrase(note, "muted", limit=0), Phrase(access, "muted", code=True, limit=0)))
        )
    if diagnostics:
        more = Phrase(MORE, "muted", limit=0)
        explain = Phrase(
            explaining_command([group.first for group in groups[:most]]),
            "muted",
            code=True,
            limit=0,
        )
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
    smaller = partial(_card, report, codes, less) if less else None
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


def _diagnostic(
    diagnostic: DiagnosticLike, file: str, code: CodeLike | None, *, example: bool
) -> Iterator[Block]:
    head = tuple(_head(diagnostic, file))
    if code is None:
        yield Paragraph(head, apart=True)
    else:
        blocks = tuple(explanation(code, diagnostic.documentation, example=example))
        yield Fold(head, blocks, html_only=True, apart=True)
    if diagnostic.line is not None and diagnostic.excerpt.strip():
        yield Listing(tuple(_marked(diagnostic)), ruled=True)
    if diagnostic.hint:
        yield Paragraph((Phrase(diagnostic.hint, limit=600),))


def _head(diagnostic: DiagnosticLike, file: str) -> Iterator[Phrase]:
    tone = TONES.get(diagnostic.severity, "plain")
    yield Phrase(diagnostic.code, tone)
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

"""The card of one tensor of a comparison: the verdict, and every metric."""

from __future__ import annotations

from dataclasses import dataclass

from nnefkit.display import numbers
from nnefkit.display.cards.comparison import WORDS, Verdict
from nnefkit.display.colors import GREEN, RED
from nnefkit.display.elements import Block, Card, Cell, Column, Paragraph, Phrase, Table


@dataclass(frozen=True)
class ComparedSummary:
    """One tensor of a comparison."""

    name: str
    verdict: Verdict
    facts: tuple[str, ...] = ()
    """Its operation, its shape, and the two dtypes."""
    answer: str = ""
    """The size of the difference, in words."""
    metrics: tuple[tuple[str, str, str], ...] = ()
    """Name, value, and explanation of each metric."""


def compared_tensor_card(summary: ComparedSummary) -> Card:
    """Return the card of a compared tensor."""
    word, tone = WORDS[summary.verdict]
    if summary.verdict in ("introduces", "inherits"):
        word = f"{summary.verdict} a difference"
    answer = f": {summary.answer}" if summary.answer else ""
    blocks: list[Block] = [
        Paragraph((Phrase(word, "plain" if tone == "muted" else tone), Phrase(answer, limit=0)))
    ]
    if summary.metrics:
        rows = tuple(
            (Cell(name), Cell(value), Cell(meaning, "muted", limit=80))
            for name, value, meaning in summary.metrics
        )
        heads = (Column("metric", least=12), Column("value", "right", 10), Column("meaning"))
        blocks.append(Table(heads, rows))
    facts = tuple(numbers.shorten(fact, 60) for fact in summary.facts)
    agrees = summary.verdict in ("equal", "within")
    return Card(summary.name, GREEN if agrees else RED, facts, tuple(blocks))

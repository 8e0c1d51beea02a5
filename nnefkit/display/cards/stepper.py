"""The card of a run that is computed one operation at a time."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.display.cards.operation import LINE
from nnefkit.display.colors import VIOLET
from nnefkit.display.elements import LONGEST_NAME, Block, Card, Paragraph, Phrase
from nnefkit.display.protocols import OperationLike
from nnefkit.display.visible_text import visible

_BREAKPOINTS = 8


def stepper_card(
    graph: str,
    engine: str,
    progress: tuple[int, int],
    stopped: str,
    breakpoints: Sequence[str],
    next_operation: OperationLike | None,
) -> Card:
    """Return the card.

    Args:
        graph: Name of the graph.
        engine: Name of the engine.
        progress: Number of operations that were computed, and of all.
        stopped: Why it stopped last, in words; may be empty.
        breakpoints: The breakpoints in words.
        next_operation: The operation that is computed next; None at the end.
    """
    done, total = progress
    name = visible(graph, LONGEST_NAME)
    state = f"{done:,} of {total:,} operations computed"
    coming = "" if next_operation is None else visible(str(next_operation), LINE)
    facts = (state, f"engine {engine}")
    blocks: list[Block] = []
    if stopped:
        blocks.append(Paragraph((Phrase(f"Stopped: {stopped}", "strong", limit=0),)))
    if coming:
        blocks.append(Paragraph((Phrase("Next: ", "muted"), Phrase(coming, code=True, limit=LINE))))
    if breakpoints:
        rest = len(breakpoints) - _BREAKPOINTS
        words = ", ".join(breakpoints[:_BREAKPOINTS]) + (f" and {rest} more" if rest > 0 else "")
        blocks.append(Paragraph((Phrase(f"Breakpoints: {words}", "muted", limit=0),)))
    parts = [f"Stepper of '{name}'", state, f"stopped: {visible(stopped, LINE)}" * bool(stopped)]
    line = f"<{' · '.join(filter(None, parts))}>"
    return Card(name, VIOLET, facts, tuple(blocks), line=line)

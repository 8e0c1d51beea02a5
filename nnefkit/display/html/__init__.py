"""HTML displays for notebooks: the same trusted and untrusted, light and dark, on line and off."""

from dataclasses import replace

from nnefkit.display import cards, summary
from nnefkit.display.html.write import write

__all__ = ["comparison", "engine", "engines", "graph", "operation", "report", "tensor", "trace"]

BUDGET = 100 * 1024
"""Bytes that a display may take, whatever it shows."""


def graph(of: summary.GraphSummary) -> str:
    """The HTML of a graph; to stay within the budget it loses rows first, then its picture."""
    text = write(cards.graph(of))
    if _too_large(text):
        text = write(cards.graph(of, brief=True))
    if _too_large(text):
        reason = "The picture would be too large for a notebook."
        text = write(cards.graph(replace(of, picture=None, picture_caption=reason)))
    return text


def _too_large(text: str) -> bool:
    return len(text) > BUDGET or len(text.encode()) > BUDGET


def operation(of: summary.OperationSummary) -> str:
    """The HTML of an operation."""
    return write(cards.operation(of))


def tensor(of: summary.TensorSummary) -> str:
    """The HTML of a tensor; to stay within the budget its picture loses detail."""
    text = write(cards.tensor(of))
    for detail in (0.75, 0.5):
        if not _too_large(text):
            break
        text = write(cards.tensor(of, detail=detail))
    return text


def trace(of: summary.TraceSummary) -> str:
    """The HTML of a trace."""
    return write(cards.trace(of))


def compared(of: summary.ComparedSummary) -> str:
    """The HTML of one tensor of a comparison."""
    return write(cards.compared(of))


def comparison(of: summary.ComparisonSummary) -> str:
    """The HTML of a comparison."""
    return write(cards.comparison(of))


def report(of: summary.ReportSummary) -> str:
    """The HTML of a validation report; to stay within the budget it loses the source first."""
    text = write(cards.report(of))
    if _too_large(text):
        text = write(cards.report(replace(of, text="")))
    if _too_large(text):
        text = write(cards.report(of, brief=True))
    return text


def engines(of: summary.EnginesSummary) -> str:
    """The HTML of the engines that there are."""
    return write(cards.engines(of))


def engine(of: summary.EngineRow) -> str:
    """The HTML of one engine."""
    return write(cards.engine(of))

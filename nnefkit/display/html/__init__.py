"""HTML displays for notebooks: the same trusted and untrusted, light and dark, on line and off."""

from nnefkit.display import cards, summary
from nnefkit.display.html.write import write

__all__ = ["comparison", "graph", "operation", "report", "tensor", "trace"]


def graph(of: summary.GraphSummary) -> str:
    """The HTML of a graph."""
    return write(cards.graph(of))


def operation(of: summary.OperationSummary) -> str:
    """The HTML of an operation."""
    return write(cards.operation(of))


def tensor(of: summary.TensorSummary) -> str:
    """The HTML of a tensor."""
    return write(cards.tensor(of))


def trace(of: summary.TraceSummary) -> str:
    """The HTML of a trace."""
    return write(cards.trace(of))


def comparison(of: summary.ComparisonSummary) -> str:
    """The HTML of a comparison."""
    return write(cards.comparison(of))


def report(of: summary.ReportSummary) -> str:
    """The HTML of a validation report."""
    return write(cards.report(of))

"""Plain-text displays: good in a terminal and in a diff, without colours or control codes."""

from nnefkit.display import cards, summary
from nnefkit.display.text.diagnostics import diagnostic
from nnefkit.display.text.lines import operation_line, tensor_line
from nnefkit.display.text.write import write

__all__ = [
    "compared",
    "comparison",
    "diagnostic",
    "engine",
    "engines",
    "graph",
    "operation",
    "operation_line",
    "report",
    "tensor",
    "tensor_line",
    "trace",
]


def graph(of: summary.GraphSummary) -> str:
    """The text of a graph."""
    return write(cards.graph(of, brief=True))


def operation(of: summary.OperationSummary) -> str:
    """The text of an operation."""
    return write(cards.operation(of, brief=True))


def tensor(of: summary.TensorSummary) -> str:
    """The text of a tensor."""
    return write(cards.tensor(of, brief=True))


def trace(of: summary.TraceSummary) -> str:
    """The text of a trace."""
    return write(cards.trace(of, brief=True))


def compared(of: summary.ComparedSummary) -> str:
    """The text of one tensor of a comparison."""
    return write(cards.compared(of))


def comparison(of: summary.ComparisonSummary) -> str:
    """The text of a comparison."""
    return write(cards.comparison(of, brief=True))


def report(of: summary.ReportSummary) -> str:
    """The text of a validation report."""
    return write(cards.report(of, brief=True))


def engines(of: summary.EnginesSummary) -> str:
    """The text of the engines that there are."""
    return write(cards.engines(of))


def engine(of: summary.EngineRow) -> str:
    """The text of one engine."""
    return write(cards.engine(of))

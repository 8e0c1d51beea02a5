"""What each display says: one module an object, from its summary to a card.

With `brief` a card has fewer rows, for plain text.
"""

from nnefkit.display.cards.compared_tensor import compared
from nnefkit.display.cards.comparison import comparison
from nnefkit.display.cards.engines import engine, engines
from nnefkit.display.cards.graph import graph
from nnefkit.display.cards.operation import operation
from nnefkit.display.cards.report import report
from nnefkit.display.cards.tensor import tensor
from nnefkit.display.cards.trace import trace

__all__ = [
    "compared",
    "comparison",
    "engine",
    "engines",
    "graph",
    "operation",
    "report",
    "tensor",
    "trace",
]

"""The cells that a row about one operation begins with, in every table."""

from __future__ import annotations

from collections.abc import Iterator

from nnefkit.display import numbers
from nnefkit.display.elements import Cell, Column
from nnefkit.display.vocabulary import family

COLUMNS = (Column("#", "right", 4), Column("operation", least=12), Column("tensor", least=16))
"""Heads of `operation_cells`."""
LINE = Column("line", "right")
"""Head of `line_cell`."""


def operation_cells(number: int, operation: str, tensor: str, more: str = "") -> Iterator[Cell]:
    """Yield the cells of an operation.

    Args:
        number: Index of the operation in the graph; negative if it is not an operation.
        operation: Its name; empty if it is not known.
        tensor: Its first result.
        more: What follows its name.
    """
    yield Cell(f"{number}" if number >= 0 else "", "muted")
    yield Cell(operation + more, marker=family(operation).color if operation else "")
    yield Cell(tensor, code=True)


def line_cell(line: int | None) -> Cell:
    """Return the cell of a line of the text; empty if it is not known."""
    return Cell(numbers.count(line), "muted")

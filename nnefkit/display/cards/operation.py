"""What an operation says of itself."""

from __future__ import annotations

from collections.abc import Iterator

from nnefkit.display import numbers
from nnefkit.display.elements import Block, Card, Cell, Column, Table
from nnefkit.display.summary import OperationSummary
from nnefkit.display.vocabulary import family

VALUE = 100
"""How much of a long argument is shown."""


def operation(summary: OperationSummary, *, brief: bool = False) -> Card:
    """The card of an operation: where it stands, what it reads, gives and is told."""
    del brief
    kinds = (
        ("result", summary.outputs),
        ("input", summary.inputs),
        ("attribute", summary.attributes),
    )
    rows = tuple(
        (Cell(kind, "muted"), Cell(name), Cell(value, code=True, limit=VALUE))
        for kind, arguments in kinds
        for name, value in arguments.items()
    )
    columns = (Column("", least=9), Column("parameter", least=12), Column("argument"))
    blocks: tuple[Block, ...] = (Table(columns, rows),) if rows else ()
    color = family(summary.operation).color
    return Card(summary.operation, color, tuple(_facts(summary)), blocks)


def _facts(summary: OperationSummary) -> Iterator[str]:
    if summary.dtype:
        yield f"of {summary.dtype}"
    yield family(summary.operation).name
    if summary.macs:
        yield f"{numbers.quantity(summary.macs)} MACs"
    if summary.line is not None:
        yield f"line {summary.line:,}"
    if summary.scope:
        yield "from " + numbers.shorten("/".join(summary.scope), 60)

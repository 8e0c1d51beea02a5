"""The card of an operation: its arguments, family and cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from nnefkit.display import numbers
from nnefkit.display.elements import Block, Card, Cell, Column, Line, Phrase, Table
from nnefkit.display.nnef_text import abbreviated
from nnefkit.display.protocols import OperationLike
from nnefkit.display.visible_text import visible
from nnefkit.display.vocabulary import family

VALUE = 100
"""Maximum length of an argument in the table."""
NAME = 60
"""Maximum length of the names of the operation and of its fragments in one line."""
LINE_ARGUMENT, LINE = 40, 240
"""Maximum length of an argument, and of the list of arguments, in one line."""
ARGUMENTS, LINE_ARGUMENTS = 20, 12
"""Maximum number of inputs, of results and of attributes in the table, and in one line."""


def operation_card(operation: OperationLike, *, brief: bool = False) -> Card:
    """Return the card of an operation."""
    most = LINE_ARGUMENTS if brief else ARGUMENTS
    every = (operation.outputs, operation.inputs, operation.attribs)
    outputs, inputs, attributes = (_written(arguments, most) for arguments in every)
    groups = (("result", outputs), ("input", inputs), ("attribute", attributes))
    rows = tuple(
        (Cell(kind, "muted"), Cell(name), Cell(value, code=True, limit=VALUE))
        for kind, arguments in groups
        for name, value in arguments.items()
    )
    columns = (Column("role", least=9), Column("parameter", least=12), Column("argument"))
    total = sum(map(len, every))
    note: Line = ()
    if len(rows) < total:
        access = "operation.outputs, operation.inputs, operation.attribs"
        shown = Phrase(f"{len(rows):,} of {total:,} arguments · all: ", "muted")
        note = (shown, Phrase(access, "muted", code=True, limit=0))
    blocks: tuple[Block, ...] = (Table(columns, rows, note),) if rows else ()
    left_out = total - len(rows)
    line = _line(operation, outputs, {**inputs, **attributes}, left_out) if brief else ""
    color = family(operation.name).color
    return Card(operation.name, color, tuple(_facts(operation)), blocks, line=line)


def _facts(operation: OperationLike) -> Iterator[str]:
    if operation.dtype:
        yield f"type {operation.dtype}"
    yield family(operation.name).name
    if operation.macs:
        yield f"{numbers.quantity(operation.macs)} MACs"
    if operation.scope:
        yield "from " + numbers.shorten("/".join(operation.scope), 60)


def _line(
    operation: OperationLike,
    outputs: Mapping[str, str],
    arguments: Mapping[str, str],
    left_out: int,
) -> str:
    """``<Operation conv1 = conv(input = external1, filter = ..., groups = 1) · 7.37 M MACs>``."""
    results = ", ".join(_short(result) for result in outputs.values())
    listed = ", ".join(f"{_short(name)} = {_short(value)}" for name, value in arguments.items())
    generic = f"<{_short(operation.dtype)}>" if operation.dtype else ""
    name = visible(operation.name, NAME)
    call = f"{visible(results, LINE)} = {name}{generic}({visible(listed, LINE)})"
    parts = [call]
    if left_out:
        parts.append(f"{numbers.plural(left_out, 'more argument')}")
    if operation.macs is not None:
        parts.append(f"{numbers.quantity(operation.macs)} MACs")
    if operation.scope:
        parts.append(f"from {visible('/'.join(operation.scope), NAME)}")
    return f"<Operation {' · '.join(parts)}>"


def _short(value: str) -> str:
    return visible(value, LINE_ARGUMENT)


def _written(arguments: Mapping[str, Any], most: int) -> dict[str, str]:
    return {name: abbreviated(value) for name, value in islice(arguments.items(), most)}

"""The card of an operation: its arguments, family and cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from nnefkit.display import numbers
from nnefkit.display.elements import Block, Card, Cell, Column, Table
from nnefkit.display.excerpt import printable
from nnefkit.display.protocols import OperationLike
from nnefkit.display.vocabulary import family

VALUE = 100
"""Maximum length of an argument in the table."""
LINE_ARGUMENT, LINE = 40, 240
"""Maximum length of an argument, and of the list of arguments, in one line."""
ELEMENTS = 24
"""Elements of a list that are written; displays shorten longer texts anyway."""


def operation_card(operation: OperationLike, *, brief: bool = False) -> Card:
    """Return the card of an operation."""
    inputs, outputs = _written(operation.inputs), _written(operation.outputs)
    attributes = _written(operation.attribs)
    groups = (("result", outputs), ("input", inputs), ("attribute", attributes))
    rows = tuple(
        (Cell(kind, "muted"), Cell(name), Cell(value, code=True, limit=VALUE))
        for kind, arguments in groups
        for name, value in arguments.items()
    )
    columns = (Column("", least=9), Column("parameter", least=12), Column("argument"))
    blocks: tuple[Block, ...] = (Table(columns, rows),) if rows else ()
    line = _line(operation, outputs, {**inputs, **attributes}) if brief else ""
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
    operation: OperationLike, outputs: Mapping[str, str], arguments: Mapping[str, str]
) -> str:
    """``<Operation conv1 = conv(input = external1, filter = ..., groups = 1) · 7.37 M MACs>``."""
    results = ", ".join(_short(result) for result in outputs.values())
    listed = ", ".join(f"{name} = {_short(value)}" for name, value in arguments.items())
    generic = f"<{operation.dtype}>" if operation.dtype else ""
    parts = [f"{results} = {operation.name}{generic}({numbers.shorten(listed, LINE)})"]
    if operation.macs is not None:
        parts.append(f"{numbers.quantity(operation.macs)} MACs")
    if operation.scope:
        parts.append(f"from {numbers.shorten('/'.join(operation.scope), 60)}")
    return f"<Operation {printable(' · '.join(parts))}>"


def _short(value: str) -> str:
    return numbers.shorten(value, LINE_ARGUMENT)


def _written(arguments: Mapping[str, Any]) -> dict[str, str]:
    return {name: _argument(value) for name, value in arguments.items()}


def _argument(value: Any) -> str:
    """Return a value as NNEF text, long lists cut."""
    if isinstance(value, (list, tuple)):
        listed = ", ".join(_argument(element) for element in islice(value, ELEMENTS))
        if len(value) > ELEMENTS:
            listed += f", … {len(value) - ELEMENTS:,} more"
        return f"[{listed}]" if isinstance(value, list) else f"({listed})"
    if isinstance(value, bool):
        return "true" if value else "false"
    # Names of tensors are instances of a subclass of str.
    if type(value) is str:
        return f"'{value}'"
    return str(value)

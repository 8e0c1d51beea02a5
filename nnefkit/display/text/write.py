"""Writes a card as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnefkit.display import numbers
from nnefkit.display.elements import (
    Block,
    Card,
    Cell,
    Figure,
    Fold,
    Line,
    Listing,
    Paragraph,
    Picture,
    Table,
)
from nnefkit.display.excerpt import printable, width

INDENT = "  "
BAR = 12


def write(card: Card) -> str:
    """The lines of `card`, with no blanks at their ends and no control characters."""
    lines = ["  ".join(part for part in (_name(card), " · ".join(_facts(card))) if part)]
    for block in card.blocks:
        lines += (f"{INDENT}{line}".rstrip() for line in _block(block))
    return "\n".join(lines)


def _name(card: Card) -> str:
    return printable(numbers.shorten(card.title, 80))


def _facts(card: Card) -> Iterator[str]:
    return (printable(fact) for fact in card.facts)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph():
            if block.apart:
                yield ""
            yield phrases(block.line)
        case Listing():
            yield from (phrases(line) for line in block.lines)
        case Table():
            yield from _table(block)
        case Fold():
            yield phrases(block.title)
            if not block.html_only:
                for inner in block.blocks:
                    yield from (INDENT + line for line in _block(inner))
        case Figure():
            # What a figure shows is told by the other blocks.
            pass


def phrases(line: Line) -> str:
    """The words of `line`, and what says the same as its pictures."""
    return "".join(
        part.twin
        if isinstance(part, Picture)
        else printable(numbers.shorten(part.text, part.limit) if part.limit else part.text)
        for part in line
    )


def _table(table: Table) -> Iterator[str]:
    shown = [i for i, column in enumerate(table.columns) if not column.html_only]
    columns = [table.columns[i] for i in shown]
    texts = [None if row is None else [_cell(row[i]) for i in shown] for row in table.rows]
    widths = [
        max(column.least, width(column.head), *(width(row[i]) for row in texts if row), 0)
        for i, column in enumerate(columns)
    ]
    rights = [column.align == "right" for column in columns]
    yield _aligned([column.head for column in columns], widths, rights)
    for row in texts:
        yield "⋮".rjust(widths[0]) if row is None else _aligned(row, widths, rights)
    if table.note:
        yield phrases(table.note)


def _cell(cell: Cell) -> str:
    if cell.bar is not None:
        return "█" * round(cell.bar * BAR)
    return printable(numbers.shorten(cell.text, cell.limit))


def _aligned(texts: Sequence[str], widths: Sequence[int], rights: Sequence[bool]) -> str:
    parts = []
    for text, wide, right in zip(texts, widths, rights, strict=True):
        fill = " " * (wide - width(text))
        parts.append(fill + text if right else text + fill)
    return "  ".join(parts).rstrip()

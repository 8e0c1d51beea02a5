"""Cards as plain text: readable in a terminal and in a diff, without colors or control codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from nnefkit.display import numbers
from nnefkit.display.elements import (
    Block,
    Card,
    Cell,
    Column,
    Figure,
    Fold,
    Image,
    Line,
    Listing,
    Paragraph,
    Table,
)
from nnefkit.display.visible_text import LONGEST, printable, visible, width

INDENT = "  "
NAMES = 20
"""Number of elements that `brief_repr` writes of a tuple."""
BAR = 12
"""Characters of a full bar."""


def write(card: Card) -> str:
    """Return the lines of `card`, without trailing blanks or control characters."""
    title = visible(card.title, 80)
    lines = ["  ".join(part for part in (title, card.fact_line) if part)]
    for block in card.blocks:
        lines += (f"{INDENT}{line}".rstrip() for line in _block(block))
    return "\n".join(lines)


def brief_repr(value: object) -> str:
    """Return `repr` of a value, or of the beginning and the end of a long string or sequence."""
    if isinstance(value, str):
        return printable(repr(numbers.shorten(value, LONGEST)))
    if isinstance(value, tuple) and len(value) > NAMES:
        names = ", ".join(map(brief_repr, value[:NAMES]))
        return f"({names}, … {len(value) - NAMES:,} more)"
    return visible(repr(value), LONGEST)


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
            if block.apart:
                yield ""
            yield phrases(block.title)
            if not block.html_only:
                for inner in block.blocks:
                    yield from (INDENT + line for line in _block(inner))
        case Figure():
            # The other blocks state the facts that a figure shows.
            pass


def phrases(line: Line) -> str:
    """Return the words of `line`, with replacements for its pictures."""
    return "".join(
        part.twin if isinstance(part, Image) else visible(part.text, part.limit or LONGEST)
        for part in line
    )


def _table(table: Table) -> Iterator[str]:
    shown = [i for i, column in enumerate(table.columns) if not column.html_only]
    columns = [table.columns[i] for i in shown]
    rows = [None if row is None else [_cell(row[i]) for i in shown] for row in table.rows]
    widths = [_width(column, (row[i] for row in rows if row)) for i, column in enumerate(columns)]
    rights = [column.align == "right" for column in columns]
    yield _aligned([column.head for column in columns], widths, rights)
    for row in rows:
        yield "⋮".rjust(widths[0]) if row is None else _aligned(row, widths, rights)
    if table.note:
        yield phrases(table.note)


def _width(column: Column, texts: Iterable[str]) -> int:
    return max(column.least, width(column.head), max(map(width, texts), default=0))


def _cell(cell: Cell) -> str:
    if cell.bar is not None:
        return "█" * round(cell.bar * BAR)
    return visible(cell.text, cell.limit or LONGEST)


def _aligned(texts: Sequence[str], widths: Sequence[int], rights: Sequence[bool]) -> str:
    parts = []
    for text, wide, right in zip(texts, widths, rights, strict=True):
        fill = " " * (wide - width(text))
        parts.append(fill + text if right else text + fill)
    return "  ".join(parts).rstrip()

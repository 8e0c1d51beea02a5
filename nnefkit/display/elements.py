"""A display as a small document: what is said, apart from how text and HTML say it.

A `Card` is a title, a line of facts and blocks below. The builders in `nnefkit.display.cards` make
one of a summary; `nnefkit.display.text` and `nnefkit.display.html` write it down. So both tell the
same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

Tone = Literal["plain", "muted", "strong", "wrong", "right", "warning", "equal"]
Align = Literal["left", "right"]


class Phrase(NamedTuple):
    """Some words in one tone."""

    text: str
    tone: Tone = "plain"
    code: bool = False
    """Written in the type of code: names, code to copy."""
    limit: int = 40
    """Longer texts are shortened in their middle; 0 leaves them whole."""


class Picture(NamedTuple):
    """A picture that is made only where it is shown."""

    alt: str
    """What it shows, in words."""
    make: Callable[[], str]
    """Gives the ``data:`` URI."""
    width: int
    """In pixels of the page; it shrinks where there is less room."""
    height: int
    twin: str = ""
    """What stands for it in plain text."""
    legible: float = 0.0
    """The share of its width that it needs; on a narrower page it scrolls."""


Line = tuple[Phrase | Picture, ...]


class Cell(NamedTuple):
    """One cell of a table."""

    text: str = ""
    tone: Tone = "plain"
    code: bool = False
    marker: str = ""
    """Colour of a small square before the text."""
    picture: Picture | None = None
    """Shown instead of the text, which is its twin."""
    bar: float | None = None
    """Share of a bar (0 to 1) shown instead of the text."""
    limit: int = 32


class Column(NamedTuple):
    """Head of a column of a table."""

    head: str
    align: Align = "left"
    least: int = 0
    """Least width in plain text, so that near-equal tables have equal columns."""
    html_only: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; None stands for rows left out there."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...] | None, ...]
    note: Line = ()
    """What was left out, and the code that gives all."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A line of text that may wrap."""

    line: Line
    apart: bool = False
    """With some room above, since something new begins."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Lines of code, as they are."""

    lines: tuple[Line, ...]
    ruled: bool = False
    """With a thin rule at the left, as excerpts have."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with words below; HTML only, since its text twin says the facts otherwise."""

    picture: Picture
    caption: Line = ()


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that open at a click; plain text has them below their title."""

    title: Line
    blocks: tuple[Block, ...]
    open: bool = False
    html_only: bool = False
    """Plain text has the title only."""


Block = Table | Paragraph | Listing | Figure | Fold


@dataclass(frozen=True, slots=True)
class Card:
    """One result."""

    title: str
    color: str
    """Of the rule at the left."""
    facts: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    tone: Tone = "strong"
    """Of the title."""
    line: str = ""
    """The object in one line, for the plain text of objects that are mostly printed in lists."""
    smaller: Callable[[], Card] | None = None
    """Makes a card that says less, for where this one exceeds the budget."""


Row = TypeVar("Row")


def selection(
    rows: Sequence[Row], head: int, tail: int, keep: Iterable[int] = ()
) -> list[Row | None]:
    """The first `head` and the last `tail` rows and those at `keep`; None where some are left out.

    A single row is never replaced by a gap of one.
    """
    total = len(rows)
    if total <= head + tail + 1:
        return list(rows)
    wanted = sorted({*range(head), *range(total - tail, total), *keep})
    chosen: list[Row | None] = []
    last = -1
    for position in wanted:
        if position - last == 2:
            chosen.append(rows[last + 1])
        elif position - last > 2:
            chosen.append(None)
        chosen.append(rows[position])
        last = position
    if last < total - 1:
        chosen.append(rows[-1] if last == total - 2 else None)
    return chosen


def left_out(chosen: Sequence[object | None], total: int, noun: str, code: str) -> Line:
    """The note below a table: how many rows of how many, and the code that gives all."""
    shown = sum(row is not None for row in chosen)
    if shown == total:
        return (Phrase(code, "muted", code=True, limit=0),)
    return (
        Phrase(f"{shown:,} of {total:,} {noun} · ", "muted", limit=0),
        Phrase(code, "muted", code=True, limit=0),
        Phrase(" has all", "muted"),
    )


def code_in(sentence: str, tone: Tone = "plain") -> Line:
    """`sentence` as a line, words in `backticks` as code."""
    parts = sentence.split("`")
    return tuple(
        Phrase(part, tone, code=bool(position % 2), limit=60 if position % 2 else 0)
        for position, part in enumerate(parts)
        if part
    )

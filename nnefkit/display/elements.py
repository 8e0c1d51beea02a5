"""The elements of a display, independent of how text and HTML write them.

A `Card` has a title, a line of facts, and blocks below. The modules of `nnefkit.display.cards` make
cards; `nnefkit.display.text` and `nnefkit.display.html` write them, so both state the same facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from nnefkit.display.visible_text import visible

ALL = " · all: "
"""Last words of a note before the code that returns what is not shown."""
LONGEST_FACT = 160
LONGEST_NAME = 40

Tone = Literal["plain", "muted", "strong", "wrong", "right", "warning", "equal"]
Align = Literal["left", "right"]


class Phrase(NamedTuple):
    """Some words in one tone."""

    text: str
    tone: Tone = "plain"
    code: bool = False
    """Set in monospaced type: names, code to copy."""
    limit: int = 40
    """Longer texts are shortened in their middle; 0 means `visible_text.LONGEST`."""
    link: str = ""
    """The address that it leads to, in HTML; may be empty."""


class Image(NamedTuple):
    """A picture, made only when it is shown."""

    alt: str
    """A description of what it shows."""
    make: Callable[[], str]
    """Returns the ``data:`` URI."""
    width: int
    """In pixels of the page; the picture shrinks if there is less room."""
    height: int
    twin: str = ""
    """Its replacement in plain text."""
    legible: float = 0.0
    """The share of its width that it needs to be legible; on a narrower page it scrolls."""


Line = tuple[Phrase | Image, ...]


class Cell(NamedTuple):
    """One cell of a table."""

    text: str = ""
    tone: Tone = "plain"
    code: bool = False
    marker: str = ""
    """Color of a small square before the text."""
    picture: Image | None = None
    """Shown instead of the text, which replaces it in plain text."""
    bar: float | None = None
    """Length (0 to 1) of a bar that is shown instead of the text."""
    limit: int = 32


class Column(NamedTuple):
    """Head of a column of a table."""

    head: str
    align: Align = "left"
    least: int = 0
    """Least width in plain text, so that similar tables have equal columns."""
    html_only: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; None represents rows that are not shown."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...] | None, ...]
    note: Line = ()
    """The number of rows that are not shown, and the code that returns all."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A line of text that may wrap."""

    line: Line
    apart: bool = False
    """With some space above, as a new topic begins."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Lines of code."""

    lines: tuple[Line, ...]
    ruled: bool = False
    """With a thin rule at the left, for excerpts."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with a caption, in HTML only; other blocks state its facts."""

    picture: Image
    caption: Line = ()


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that open with a click; plain text has them below their title."""

    title: Line
    blocks: tuple[Block, ...]
    open: bool = False
    html_only: bool = False
    """Plain text has only the title."""
    apart: bool = False
    """With some space above, as a new topic begins."""


Block = Table | Paragraph | Listing | Figure | Fold


@dataclass(frozen=True, slots=True)
class Card:
    """The display of one object."""

    title: str
    color: str
    """Color of the rule at the left."""
    facts: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    tone: Tone = "strong"
    """Tone of the title."""
    line: str = ""
    """The object in one line, for the plain text of objects that are mostly printed in lists."""
    smaller: Callable[[], Card] | None = None
    """Function that returns a smaller card, for use if this one exceeds the budget."""

    @property
    def fact_line(self) -> str:
        """The facts in one line, long ones shortened."""
        return " · ".join(visible(fact, LONGEST_FACT) for fact in self.facts)


Row = TypeVar("Row")


def selection(
    rows: Sequence[Row], head: int, tail: int, keep: Iterable[int] = ()
) -> list[Row | None]:
    """Return the first `head` and last `tail` rows and those at `keep`, with None for each gap.

    A gap represents at least two rows.
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
    """Return the note below a table: how many rows are shown, and the code that returns all."""
    shown = sum(row is not None for row in chosen)
    if shown == total:
        return (Phrase(code, "muted", code=True, limit=0),)
    return (
        Phrase(f"{shown:,} of {total:,} {noun}{ALL}", "muted", limit=0),
        Phrase(code, "muted", code=True, limit=0),
    )


def code(name: str) -> str:
    """Return a name as code of a sentence for `code_in`: in backticks, shortened, visible."""
    return f"`{visible(name, LONGEST_NAME).replace('`', chr(39))}`"


def answer(headline: str, sentence: str, tone: Tone = "strong") -> Paragraph:
    """Return the paragraph that opens a card: the answer in a few words, then a sentence."""
    return Paragraph((*code_in(headline, tone), Phrase(" "), *code_in(sentence)))


def code_in(sentence: str, tone: Tone = "plain") -> Line:
    """`sentence` as a line, with words in `backticks` as code."""
    parts = sentence.split("`")
    return tuple(
        Phrase(part, tone, code=bool(position % 2), limit=60 if position % 2 else 0)
        for position, part in enumerate(parts)
        if part
    )

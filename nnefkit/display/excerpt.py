"""Excerpts of source lines, cut and marked so that carets can be written below them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from nnefkit.display.numbers import shorten

TAB = "    "
ELLIPSIS = "…"
MARKS = 4
"""Maximum number of accents on one character; towers of them would cover other lines."""
# Letters and marks that nothing is drawn for; names that differ in them look alike.
_HIDDEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0").union(
    map(chr, [*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
)
_EMOJI_STYLE = "\ufe0f"
_MARKS = ("Mn", "Me")
# Latin letters, punctuation, arrows, formula signs, boxes and shapes: all but these is looked at.
_PLAIN = re.compile("[ -~¡-¬®-\u02ff\u2010-\u2027\u2030-\u205e\u2190-\u27ff\u2900-\u2bff]*")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A printable line in three parts; carets mark the middle one."""

    before: str
    marked: str
    after: str

    @property
    def line(self) -> str:
        """The line to print."""
        return self.before + self.marked + self.after

    @property
    def indent(self) -> int:
        """Width of the part before the mark, in columns of a terminal."""
        return width(self.before)

    @property
    def length(self) -> int:
        """Width of the mark, at least 1: a mark past the end of a line is shown too."""
        return max(1, width(self.marked))


def marked_excerpt(text: str, column: int, length: int, limit: int = 96) -> Excerpt:
    """Return the part of the line `text` around a mark, printable and about `limit` wide at most.

    `column` counts from 1. A mark that extends beyond the line (a span of several lines) ends with
    the line. The time depends on `limit`, not on the length of the line.
    """
    start = min(max(column - 1, 0), len(text))
    end = min(start + max(length, 0), len(text))
    first, last = _window(len(text), start, end, limit)
    end = min(end, last)
    before = printable(text[first:start])
    after = printable(text[end:last])
    if first > 0:
        before = ELLIPSIS + before
    if last < len(text):
        after += ELLIPSIS
    return Excerpt(before, printable(text[start:end]), after.rstrip())


def _window(size: int, start: int, end: int, limit: int) -> tuple[int, int]:
    """Return the range to show: all of a short line, otherwise `limit` characters with the mark."""
    if size <= limit:
        return 0, size
    room = limit - min(end - start, limit // 2)
    first = max(0, min(start - room // 2, size - limit))
    return first, min(size, first + limit)


def printable(text: str) -> str:
    """`text` with tabs as blanks, and characters made visible that are not, or that move others.

    These are control characters, characters that change the direction of text, that have no width
    or nothing to draw, halves of surrogate pairs, and more than a few accents on one character.
    """
    if text.isprintable() and _PLAIN.fullmatch(text):
        return text
    shown = []
    marks = 0
    before = ""
    for c in text:
        marks = marks + 1 if unicodedata.category(c) in _MARKS else 0
        hidden = c in _HIDDEN and not (c == _EMOJI_STYLE and _is_symbol(before))
        shown.append(_escaped(c) if hidden or marks > MARKS else _visible(c))
        before = c
    return "".join(shown)


def _is_symbol(character: str) -> bool:
    return character != "" and unicodedata.category(character) == "So"


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if character == "\t":
        return TAB
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if unicodedata.category(character) == "Zs":
        return " "
    return _escaped(character)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str, limit: int) -> str:
    """`text` as `printable` shows it, without its middle if that is longer than `limit`."""
    return shorten(printable(shorten(text, limit)), limit)


def width(text: str) -> int:
    """Number of terminal columns that `text` occupies; East Asian wide characters occupy two."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in _MARKS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

"""Excerpts of source lines, cut and marked so that carets can be written below them."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

TAB = "    "
ELLIPSIS = "…"


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
    """`text` with tabs as blanks, and unprintable characters made visible."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _visible(c) for c in text)


def _visible(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return TAB
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if unicodedata.category(character) == "Zs":
        return " "
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width(text: str) -> int:
    """Number of terminal columns that `text` occupies; East Asian wide characters occupy two."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

"""Excerpts of source lines, cut and marked so that carets can be written below them."""

from __future__ import annotations

from dataclasses import dataclass

from nnefkit.display.visible_text import printable, width

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

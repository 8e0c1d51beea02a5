"""Line breaks in a statement.

A statement that fits on one line is one line. Otherwise brackets are opened from the outside in:
each element begins on a new line, indented; short elements without a name share lines. Operators
outside of brackets move to the next line if their operand does not fit. Takes linear time.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

from nnefkit.language.printing.statement import GLUED, ITEM, Statement


@dataclass(slots=True)
class _Frame:
    """A bracket whose elements are on separate lines."""

    closing: int
    items: int
    """The indentation of its elements."""
    outside: int
    """The indentation of the line with the opening bracket."""
    hugging: bool = False
    """True if it shares its lines with its only element, as in ``f(g(``."""
    filling: bool = False
    """True if a short element may follow on the same line."""


def lay_out(statement: Statement, base: int, width: int, indent: int) -> list[str]:
    """Return the lines of a statement, the first of which is indented by `base`.

    The indentation does not exceed half of the width.
    """
    if not statement.comments and base + sum(map(len, statement.spaced)) <= width:
        return [" " * base + "".join(statement.spaced)]
    layout = _StatementLayout(statement, base, width, indent)
    layout.fill()
    return layout.lines


class _StatementLayout:
    def __init__(self, statement: Statement, base: int, width: int, indent: int) -> None:
        self.statement = statement
        self.width = width
        self.indent = indent
        self.deepest = max(base + indent, width // 2)
        self.offsets = list(accumulate(map(len, statement.spaced), initial=0))
        self.commented = sorted(statement.comments)
        self.frames = [_Frame(-1, base, base)]
        self.lines: list[str] = []
        self.line: list[str] = []
        self.indented = base
        self.column = base
        self.fresh = True

    def fill(self) -> None:
        """Place all pieces."""
        statement = self.statement
        index, count = 0, len(statement.spaced)
        while index < count:
            self.begin(index)
            closing = statement.matches.get(index)
            if closing is None:
                self.write(index, index + 1)
                index += 1
            elif self.closes_in_line(index, closing):
                self.write(index, closing + 1)
                index = closing + 1
            else:
                self.write(index, index + 1)
                self.open(index, closing)
                index += 1
        self.newline(0)

    # -- lines --------------------------------------------------------------------------------

    def newline(self, indented: int) -> None:
        """End the line."""
        if self.line:
            self.lines.append(" " * self.indented + "".join(self.line))
            self.line = []
        self.indented = self.column = indented
        self.fresh = True

    def write(self, first: int, end: int) -> None:
        """Add pieces to the line."""
        spaced = self.statement.spaced
        text = "".join(spaced[first:end]) if end - first > 1 else spaced[first]
        if self.fresh:
            text = text.lstrip(" ")
            self.fresh = False
        self.line.append(text)
        self.column += len(text)

    def length(self, first: int, end: int) -> int:
        """Return the width of consecutive pieces."""
        return self.offsets[end] - self.offsets[first]

    def deeper(self, indented: int) -> int:
        """Return the next deeper indentation."""
        return min(indented + self.indent, self.deepest)

    # -- where lines begin --------------------------------------------------------------------

    def begin(self, index: int) -> None:
        """Begin a new line before a piece if it needs one, and write the comments before it."""
        statement, frame = self.statement, self.frames[-1]
        line_break = statement.breaks[index]
        closes = index == frame.closing
        commented = index in statement.comments
        if commented:
            self.comment(
                index, frame.items if closes or line_break == ITEM else self.deeper(frame.items)
            )
        if closes:
            self.frames.pop()
            if not frame.hugging:
                self.newline(frame.outside)
        elif line_break == ITEM:
            if not frame.hugging:
                self.item(index, frame, commented=commented)
        elif commented or (line_break != GLUED and self.moves(index, self.deeper(frame.items))):
            self.newline(self.deeper(frame.items))

    def comment(self, index: int, indented: int) -> None:
        """Write the comments before a piece; the last one ends the line."""
        for position, comment in enumerate(self.statement.comments[index]):
            if comment.trailing and position == 0:
                self.line.append(f"  {comment.text}")
            else:
                self.newline(indented)
                self.line.append(comment.text)

    def item(self, index: int, frame: _Frame, *, commented: bool) -> None:
        """Begin an element, on the same line if it and the one before are short."""
        end = self.statement.ends[index]
        short = self.is_short(index, end)
        fits = self.column + self.length(index, end) <= self.width
        if commented or not (short and frame.filling and fits):
            self.newline(frame.items)
        frame.filling = short

    def is_short(self, index: int, end: int) -> bool:
        """Return whether an element is one piece, or consists of literals."""
        words = self.statement.words
        if end - index == 1 or (end - index == 2 and self.statement.spaced[index + 1] == ","):
            return True
        at = bisect_left(words, index)
        return at == len(words) or words[at] >= end

    def moves(self, index: int, indented: int) -> bool:
        """Return whether an operator begins a new line because its operand does not fit."""
        end = self.statement.ends[index]
        wide = self.length(index, end)
        if self.column + wide <= self.width or self.column <= indented:
            return False
        if indented + wide - 1 <= self.width:
            return True
        # It does not fit on any line. It may begin on this one if it has brackets to open.
        openings = self.statement.openings
        at = bisect_left(openings, index)
        if at == len(openings) or openings[at] >= min(end, index + 4):
            return True
        return self.column + self.length(index, openings[at] + 1) > self.width

    # -- brackets -----------------------------------------------------------------------------

    def closes_in_line(self, opening: int, closing: int) -> bool:
        """Return whether a bracket fits on the line and need not be opened."""
        statement = self.statement
        if self.has_comment(opening, closing):
            return False
        if closing == opening + 1:
            return True
        if self.frames[-1].hugging or (statement.padded and opening == statement.padded[0]):
            return False
        following = statement.spaced[closing + 1 : closing + 2]
        tail = 1 if following and following[0] in (",", ";", ":", "[", "(") else 0
        return self.column + self.length(opening, closing + 1) + tail <= self.width

    def open(self, opening: int, closing: int) -> None:
        """Open a bracket: its elements begin on new lines."""
        items = self.deeper(self.indented)
        hugging = self.hugs(opening, closing)
        self.frames.append(_Frame(closing, items, self.indented, hugging))

    def hugs(self, opening: int, closing: int) -> bool:
        """Return whether the only element is in brackets, perhaps with a name before them."""
        statement = self.statement
        inner = opening + 1
        if inner not in statement.matches:
            inner += 1
            if statement.spaced[inner][0] not in "([":
                return False
        match = statement.matches.get(inner, 0)
        if match + 1 != closing or match == inner + 1 or self.has_comment(opening, closing):
            return False
        return self.column + self.length(opening + 1, inner + 1) <= self.width

    def has_comment(self, opening: int, closing: int) -> bool:
        """Return whether a bracket contains a comment."""
        at = bisect_left(self.commented, opening + 1)
        return at < len(self.commented) and self.commented[at] <= closing

"""Breaking a statement into lines.

What fits into a line is one. Else brackets are opened from the outside: their items begin in lines
of their own, indented; short items without a name fill lines together. Operators outside of
brackets move to the next line where their operand does not fit. Each piece is looked at once.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

from nnefkit.language.printing.statement import GLUED, ITEM, Statement


@dataclass(slots=True)
class _Frame:
    """A bracket whose items stand in lines of their own."""

    closing: int
    items: int
    """How far its items are indented."""
    outside: int
    """How far the line is indented that it opens in."""
    hugging: bool = False
    """Whether its only item has the lines of its own, as ``f(g(`` shows."""
    filling: bool = False
    """Whether a short item may follow in the same line."""


def lay_out(statement: Statement, base: int, width: int, indent: int) -> list[str]:
    """The lines of `statement`, the first of which is indented by `base`.

    What is nested deeper than half of the width is not indented further.
    """
    if not statement.comments and base + sum(map(len, statement.spaced)) <= width:
        return [" " * base + "".join(statement.spaced)]
    layout = _Layout(statement, base, width, indent)
    layout.fill()
    return layout.lines


class _Layout:
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
        """Sets all the pieces."""
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
        """Ends the line."""
        if self.line:
            self.lines.append(" " * self.indented + "".join(self.line))
            self.line = []
        self.indented = self.column = indented
        self.fresh = True

    def write(self, first: int, end: int) -> None:
        """Sets pieces behind each other."""
        spaced = self.statement.spaced
        text = "".join(spaced[first:end]) if end - first > 1 else spaced[first]
        if self.fresh:
            text = text.lstrip(" ")
            self.fresh = False
        self.line.append(text)
        self.column += len(text)

    def length(self, first: int, end: int) -> int:
        """The width of pieces behind each other."""
        return self.offsets[end] - self.offsets[first]

    def deeper(self, indented: int) -> int:
        """One step further in."""
        return min(indented + self.indent, self.deepest)

    # -- where lines begin --------------------------------------------------------------------

    def begin(self, index: int) -> None:
        """Begins a new line before a piece if there has to be one, behind its comments."""
        statement, frame = self.statement, self.frames[-1]
        kind = statement.breaks[index]
        closes = index == frame.closing
        commented = index in statement.comments
        if commented:
            self.comment(index, frame.items if closes or kind == ITEM else self.deeper(frame.items))
        if closes:
            self.frames.pop()
            if not frame.hugging:
                self.newline(frame.outside)
        elif kind == ITEM:
            if not frame.hugging:
                self.item(index, frame, commented=commented)
        elif commented or (kind != GLUED and self.moves(index, self.deeper(frame.items))):
            self.newline(self.deeper(frame.items))

    def comment(self, index: int, indented: int) -> None:
        """Sets the comments before a piece; the line ends with the last of them."""
        for position, comment in enumerate(self.statement.comments[index]):
            if comment.trailing and position == 0:
                self.line.append(f"  {comment.text}")
            else:
                self.newline(indented)
                self.line.append(comment.text)

    def item(self, index: int, frame: _Frame, *, commented: bool) -> None:
        """Begins an item: in the same line if both it and the one before are short."""
        end = self.statement.ends[index]
        short = self.is_short(index, end)
        fits = self.column + self.length(index, end) <= self.width
        if commented or not (short and frame.filling and fits):
            self.newline(frame.items)
        frame.filling = short

    def is_short(self, index: int, end: int) -> bool:
        """Whether an item is one piece, or consists of literals."""
        words = self.statement.words
        if end - index == 1 or (end - index == 2 and self.statement.spaced[index + 1] == ","):
            return True
        at = bisect_left(words, index)
        return at == len(words) or words[at] >= end

    def moves(self, index: int, indented: int) -> bool:
        """Whether an operator begins a new line, since its operand does not fit into this one."""
        end = self.statement.ends[index]
        wide = self.length(index, end)
        if self.column + wide <= self.width or self.column <= indented:
            return False
        if indented + wide - 1 <= self.width:
            return True
        # No line holds all of it. It may begin in this one if it has brackets to open.
        openings = self.statement.openings
        at = bisect_left(openings, index)
        if at == len(openings) or openings[at] >= min(end, index + 4):
            return True
        return self.column + self.length(index, openings[at] + 1) > self.width

    # -- brackets -----------------------------------------------------------------------------

    def closes_in_line(self, opening: int, closing: int) -> bool:
        """Whether a bracket need not be opened."""
        statement = self.statement
        if self.has_comment(opening, closing):
            return False
        if closing == opening + 1:
            return True
        if self.frames[-1].hugging or (statement.padded and opening == statement.padded[0]):
            return False
        behind = statement.spaced[closing + 1 : closing + 2]
        tail = 1 if behind and behind[0] in (",", ";", ":", "[", "(") else 0
        return self.column + self.length(opening, closing + 1) + tail <= self.width

    def open(self, opening: int, closing: int) -> None:
        """Opens a bracket: its items begin in lines of their own."""
        items = self.deeper(self.indented)
        hugging = self.hugs(opening, closing)
        self.frames.append(_Frame(closing, items, self.indented, hugging))

    def hugs(self, opening: int, closing: int) -> bool:
        """Whether the only item of a bracket is in brackets, maybe with a name before them."""
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
        """Whether there is a comment in a bracket."""
        at = bisect_left(self.commented, opening + 1)
        return at < len(self.commented) and self.commented[at] <= closing

"""A statement as pieces: tokens with the space before them, and the possible line breaks.

A piece is never broken: it is a token, or a minus sign with its number. Pieces do not depend on the
white space of the text, so formatting a formatted text does not change it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from nnefkit.language.printing.comments import Comment
from nnefkit.language.syntax.precedence import PRECEDENCE, UNARY_OPERATORS
from nnefkit.language.types import PRIMITIVES

GLUED = -1
"""No line break before the piece."""
ITEM = -2
"""The piece begins an element of a bracket, which is on a new line if the bracket is open."""
SOFT = 0
"""A line break if the operand does not fit; the higher, the tighter the operator binds."""

_QUOTED = re.compile(r'"[^"\'\\]*"')
_DIGITS = frozenset("0123456789")
_LITERAL_STARTS = _DIGITS | frozenset("'\"")
# The kinds of pieces that determine the space before the next one.
_NOTHING, _OPERAND, _OPERATOR, _PREFIX = range(4)
_UNSPACED = (_NOTHING, _PREFIX)


@dataclass(slots=True)
class _Bracket:
    """A bracket that is not yet closed."""

    opening: int
    padded: bool = False
    """True if it has spaces inside, like the parameters of graphs and fragments."""
    item: int = -1
    """Index of the first piece of the current element, or -1."""
    loop: bool = False
    """True if it is a comprehension before its ``if`` or ``yield``."""
    operators: list[int] = field(default_factory=list)
    """Operators whose operand is not complete, the loosest first."""


class Statement:
    """The pieces of a header or of an assignment, and its comments."""

    def __init__(self, kind: str = "") -> None:
        self.kind = kind
        """Its keyword, such as ``"graph"``; empty for an assignment."""
        self.spaced: list[str] = []
        """The pieces, with the space that they have before them inside of a line."""
        self.breaks: list[int] = []
        """For each piece: `GLUED`, `ITEM`, or `SOFT` and above."""
        self.ends: list[int] = []
        """For each piece: the end of the element or operand that it begins, with its comma."""
        self.matches: dict[int, int] = {}
        """Opening bracket to closing bracket."""
        self.openings: list[int] = []
        self.padded: list[int] = []
        """Opening brackets of the parameters and the results of a header."""
        self.words: list[int] = []
        """Pieces other than literals, signs and brackets."""
        self.comments: dict[int, list[Comment]] = {}
        """Index of a piece to the comments before it."""
        self._brackets = [_Bracket(-1)]
        self._previous = _NOTHING
        self._break = GLUED
        self._generic = False

    @property
    def inside(self) -> bool:
        """True if a bracket is open."""
        return len(self._brackets) > 1

    def add(self, text: str, following: str, second: str) -> None:
        """Add a token; its meaning can depend on the two tokens after it."""
        first = text[0]
        if text == ",":
            self._separator()
        elif text in "([":
            self._open(text)
        elif text in ")]":
            self._close(text)
        elif first in _LITERAL_STARTS or (first == "-" and text[1:2] in _DIGITS):
            self._literal(text)
        elif text in UNARY_OPERATORS and (self._previous != _OPERAND or text == "!"):
            self._put(text, _PREFIX)
        elif text == "=":
            self._put("=", _OPERATOR)
            self._end_operands(len(self.spaced))
        elif text in ("<", ">", ">="):
            self._angle(text, following, second)
        elif text in _SPECIAL:
            _SPECIAL[text](self, text)
        elif text in PRECEDENCE:
            self._operator(text, PRECEDENCE[text])
        else:
            self._word(text, _OPERAND)

    def comment(self, comments: Iterable[Comment], before: str) -> None:
        """Add comments before the token `before`, which is added next."""
        # A sign and its number are one piece.
        index = len(self.spaced) - self._joins(before)
        self.comments.setdefault(index, []).extend(comments)

    def _joins(self, text: str) -> bool:
        """Return whether a token becomes a part of the piece before it."""
        return self._previous == _PREFIX and self.spaced[-1][-1] == "-" and text[0] in _DIGITS

    # -- pieces -------------------------------------------------------------------------------

    def _put(self, piece: str, kind: int) -> None:
        """Add a piece, with a space before it unless the previous piece forbids it."""
        self._append(piece if self._previous in _UNSPACED else " " + piece, kind)

    def _append(self, piece: str, kind: int) -> None:
        """Add a piece as it is; `kind` determines the space before the next one."""
        index = len(self.spaced)
        self.spaced.append(piece)
        self.ends.append(0)
        self.breaks.append(self._break)
        if self._break != GLUED:
            bracket = self._brackets[-1]
            if self._break == ITEM:
                bracket.item = index
            else:
                bracket.operators.append(index)
            self._break = GLUED
        self._previous = kind

    def _word(self, text: str, kind: int) -> None:
        self.words.append(len(self.spaced))
        self._put(text, kind)

    def _literal(self, text: str) -> None:
        if self._joins(text):
            self.spaced[-1] += text
            self._previous = _OPERAND
            return
        if text[0] == '"' and _QUOTED.fullmatch(text):
            text = f"'{text[1:-1]}'"
        self._put(text, _OPERAND)

    # -- brackets -----------------------------------------------------------------------------

    def _open(self, text: str) -> None:
        index = len(self.spaced)
        padded = bool(self.kind) and not self.inside
        if padded:
            self.padded.append(index)
        if self._previous == _OPERAND:
            self._append(text, _NOTHING)
        else:
            self._put(text, _NOTHING)
        if padded:
            self._previous = _OPERATOR
        self.openings.append(index)
        self._brackets.append(_Bracket(index, padded))
        self._break = ITEM

    def _close(self, text: str) -> None:
        index = len(self.spaced)
        self._end_item(index)
        self._break = GLUED
        bracket = self._brackets.pop()
        self.matches[bracket.opening] = index
        self._append(" " + text if bracket.padded else text, _OPERAND)

    def _separator(self) -> None:
        self._append(",", _OPERATOR)
        self._end_item(len(self.spaced))
        self._break = ITEM if self.inside else SOFT

    def _end_item(self, end: int) -> None:
        bracket = self._brackets[-1]
        if bracket.item >= 0:
            self.ends[bracket.item] = end
            bracket.item = -1
        if bracket.operators:
            self._end_operands(end)

    # -- operators ----------------------------------------------------------------------------

    def _operator(self, text: str, precedence: int) -> None:
        index = len(self.spaced)
        operators = self._brackets[-1].operators
        while operators and self.breaks[operators[-1]] >= precedence:
            self.ends[operators.pop()] = index
        self._break = SOFT + precedence
        self._put(text, _OPERATOR)

    def _end_operands(self, end: int) -> None:
        operators = self._brackets[-1].operators
        for index in operators:
            self.ends[index] = end
        operators.clear()

    def _angle(self, text: str, following: str, second: str) -> None:
        if text == "<":
            self._generic = (
                following == "?"
                or (following in PRIMITIVES and second == ">")
                or self.spaced[-1].endswith("tensor")
            )
            if self._generic:
                self._append("<", _PREFIX)
                return
        elif self._generic:
            self._generic = False
            self._append(">", _OPERAND)
            # The end of tensor<scalar>= is one token to the lexer.
            if text == ">=":
                self._put("=", _OPERATOR)
            return
        self._operator(text, PRECEDENCE[text])

    # -- special tokens -----------------------------------------------------------------------

    def _colon(self, text: str) -> None:
        self._append(text, _OPERATOR if self.kind else _PREFIX)

    def _semicolon(self, text: str) -> None:
        self._append(text, _OPERATOR)
        self._end_item(len(self.spaced))

    def _arrow(self, text: str) -> None:
        self._put(text, _OPERATOR)

    def _for(self, text: str) -> None:
        self._brackets[-1].loop = True
        self._word(text, _OPERATOR)

    def _in(self, text: str) -> None:
        if self._brackets[-1].loop:
            self._put(text, _OPERATOR)
        else:
            self._operator(text, PRECEDENCE[text])

    def _if(self, text: str) -> None:
        if self._brackets[-1].loop:
            self._yield(text)
        else:
            self._operator(text, 0)

    def _yield(self, text: str) -> None:
        self._brackets[-1].loop = False
        self._end_item(len(self.spaced))
        self._break = ITEM
        self._word(text, _OPERATOR)

    def _else(self, text: str) -> None:
        self._operator(text, 0)


_SPECIAL: dict[str, Callable[[Statement, str], None]] = {
    ":": Statement._colon,
    ";": Statement._semicolon,
    "->": Statement._arrow,
    "for": Statement._for,
    "in": Statement._in,
    "if": Statement._if,
    "yield": Statement._yield,
    "else": Statement._else,
}

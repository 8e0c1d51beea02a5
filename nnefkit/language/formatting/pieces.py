"""Statements as pieces: tokens with the space before them, and the places where lines may break.

A piece is what a line never breaks inside of: a token, or a sign with its number. Pieces do not
depend on the white space that the text has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from nnefkit.language.expressions import PRECEDENCE
from nnefkit.language.formatting.comments import Comment
from nnefkit.language.lexer import KEYWORDS
from nnefkit.language.types import PRIMITIVES

GLUED = 0
"""No break before the piece."""
ITEM = 1
"""An item of brackets begins."""
CLOSE = 2
"""The closing bracket."""
SOFT = 3
"""An operator, or a target behind a comma; from here on, the tighter it binds the higher."""

_CONNECTIVES = frozenset(("for", "in", "yield", "if", "else"))
_WORDS = KEYWORDS - _CONNECTIVES
_OPERATORS = frozenset(PRECEDENCE)
_QUOTED = re.compile(r'"[^"\'\\]*"')


@dataclass(slots=True)
class Bracket:
    """An open bracket while its content is read."""

    opening: int
    closing: str
    padded: bool = False
    """With blanks inside, as the lists of parameters of graphs and fragments have."""
    named: bool = False
    """Whether a colon stands between a name and its type."""
    item: int = 0
    """Index of the first piece of the item that is being read."""
    filter: bool = False
    """Whether the next ``if`` is the filter of a comprehension."""
    soft: list[int] = field(default_factory=list)
    """Operators whose operand is still being read, the loosest first."""


class Statement:
    """The pieces of a header or of an assignment, with its comments."""

    __slots__ = (
        "_brackets",
        "_generic",
        "_previous",
        "breaks",
        "comments",
        "ends",
        "kind",
        "matches",
        "names",
        "pieces",
        "spaced",
    )

    def __init__(self) -> None:
        self.kind = ""
        """``"version"``, ``"extension"``, ``"fragment"``, ``"graph"``, or ``""``."""
        self.pieces: list[str] = []
        self.spaced: list[str] = []
        """The pieces with the space that is before them within a line."""
        self.breaks: list[int] = []
        self.matches: dict[int, int] = {}
        """Index of an opening bracket -> index of its closing one."""
        self.ends: dict[int, int] = {}
        """Index of the first piece of an item or operand -> index of the piece behind it."""
        self.names: list[int] = []
        """Indices of all that makes an item more than literals."""
        self.comments: dict[int, list[Comment]] = {}
        """Index of a piece -> comments before it."""
        self._brackets = [Bracket(-1, "")]
        self._previous = ""
        self._generic = False

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def depth(self) -> int:
        """How many brackets are open."""
        return len(self._brackets) - 1

    def add(self, token: str, following: str, behind: str) -> None:
        """Adds a token; the two tokens after it tell what it is."""
        if token == ">=" and self._generic:
            # The end of tensor<scalar>= is one token to the lexer.
            self._add(">", "=")
            token = "="
        elif token == "<" and (behind in (">", ">=") or following in "?>") and (
            following in PRIMITIVES or following == ">"
        ):
            self._generic = True
        self._add(token, following)

    # -- one piece ----------------------------------------------------------------------------

    def _add(self, token: str, following: str) -> None:
        raise NotImplementedError

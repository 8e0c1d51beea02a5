"""The tokens of a provisional document, rewritten for the parser of 1.0.

Semicolons are inserted, ``tensor`` becomes ``tensor<>``, ``extent`` becomes ``integer``, and names
that have since become keywords or standard operations are changed. Every token keeps its position
in the original text; inserted tokens are empty there, after the token before them.
"""

from __future__ import annotations

from typing import NamedTuple

from nnefkit.errors import Span
from nnefkit.language.declarations.declaration import declarations
from nnefkit.language.nnef2017.declarations import provisional_operations
from nnefkit.language.nnef2017.report import Upgrades
from nnefkit.language.syntax.lexer import IDENTIFIER, KEYWORD, SYMBOL, Tokens

FREED = frozenset(("version", "extension", "integer", "yield"))
"""Keywords of 1.0 that were ordinary names in 2017."""

_SECTIONS = frozenset(("fragment", "graph"))


class RewrittenTokens(Tokens):
    """Tokens whose strings differ from those of the source."""

    __slots__ = ("_starts",)

    def __init__(
        self, tokens: Tokens, texts: list[str], starts: list[int], ends: list[int]
    ) -> None:
        self.source = tokens.source
        self.byte_order_mark = tokens.byte_order_mark
        self.kinds = dict(tokens.kinds)
        self.values = tokens.values
        self.count = len(texts)
        self.texts, self._starts, self.ends = texts, starts, ends
        length = len(tokens.source.text)
        texts += [""] * 3
        starts += [length] * 3
        ends += [length] * 3

    def span(self, first: int, end: int) -> Span:
        """Return the span of the tokens from `first` up to but not including `end`."""
        return Span(self._starts[first], self.ends[max(first, end - 1)])

    @property
    def starts(self) -> list[int]:
        """The offset at which each token begins."""
        return self._starts

    def start(self, index: int) -> int:
        """Return the offset at which a token begins."""
        return self._starts[index]

    def written(self, index: int) -> str:
        """Return the source text of a token, empty for an inserted one."""
        return self.source.text[self._starts[index] : self.ends[index]]


class _Rewriting(NamedTuple):
    """The strings of the new tokens, and the spans of the source that they represent."""

    texts: list[str]
    starts: list[int]
    ends: list[int]

    def insert(self, *texts: str) -> None:
        """Add tokens that the source does not have."""
        end = self.ends[-1] if self.ends else 0
        for text in texts:
            self.texts.append(text)
            self.starts.append(end)
            self.ends.append(end)


def rewritten(tokens: Tokens, upgrades: Upgrades) -> RewrittenTokens:
    """Return the tokens as the parser of 1.0 reads them."""
    texts, ends = tokens.texts, tokens.ends
    breaks = _StatementEnds(tokens).find()
    names = _new_names(tokens)
    result = _Rewriting([], [], [])
    for index in range(tokens.count):
        text = texts[index]
        start = ends[index] - len(text)
        span = Span(start, ends[index])
        if index in breaks:
            result.insert(";")
            place = Span(ends[index - 1] - len(texts[index - 1]), ends[index - 1])
            upgrades.note("assignments end with a semicolon since 1.0", place, "3.2.1")
        if text == "extent":
            upgrades.note("'extent' is called 'integer' since 1.0", span, "3.3.1")
            text = "integer"
        elif text in names and (text in FREED or _is_called(texts, index)):
            if text in FREED:
                role = "a keyword" if index else ""
            else:
                role = "a standard operation"
            if role:
                new = names[text]
                message = f"'{text}' is {role} since 1.0; it is called '{new}' here"
                upgrades.note(message, span, "3.1" if text in FREED else "4")
                text = new
        result.texts.append(text)
        result.starts.append(start)
        result.ends.append(ends[index])
        if text == "tensor" and texts[index + 1] not in ("<", "("):
            result.insert("<", ">")
            upgrades.note(
                "tensor types state their data type since 1.0, as in tensor<scalar>",
                span,
                "3.3.1",
                "The data types follow from the arguments of the fragments.",
            )
        elif index == 1 and texts[0] == "version":
            result.insert(";")
    rewritten_tokens = RewrittenTokens(tokens, *result)
    kinds = rewritten_tokens.kinds
    kinds.update({"integer": KEYWORD, ";": SYMBOL, "<": SYMBOL, ">": SYMBOL})
    kinds.update(dict.fromkeys(names.values(), IDENTIFIER))
    return rewritten_tokens


def _is_called(texts: list[str], index: int) -> bool:
    return texts[index + 1] == "(" or texts[index - 1] == "fragment"


def _new_names(tokens: Tokens) -> dict[str, str]:
    """Return new names for those that mean something else in 1.0."""
    texts, kinds = tokens.texts, tokens.kinds
    taken = [name for name in FREED if name in kinds]
    if "fragment" in kinds:
        fragments = {texts[i + 1] for i, text in enumerate(texts) if text == "fragment"}
        today = declarations().keys() - provisional_operations().keys()
        taken += sorted(fragments & today)
    names: dict[str, str] = {}
    for name in taken:
        new = name + "_"
        while new in kinds:
            new += "_"
        names[name] = new
    return names


# -- where assignments end -----------------------------------------------------------------------


class _StatementEnds:
    """Finds the tokens before which a semicolon is missing.

    Every ``=`` outside of brackets follows a left-hand side, which begins an assignment. Takes
    linear time even if brackets do not match.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.openers: list[int] = []
        self.opener_of: dict[int, int] = {}
        self.in_body = False

    def find(self) -> set[int]:
        """Return the indices of the tokens."""
        texts = self.tokens.texts
        starts = (self._start(index, texts[index]) for index in range(self.tokens.count))
        return {s for s in starts if s is not None and texts[s - 1] not in (";", "{")}

    def _start(self, index: int, text: str) -> int | None:
        """Return the start of the statement that a token reveals, if any."""
        if text in ("(", "["):
            self.openers.append(index)
        elif text in (")", "]"):
            if self.openers:
                self.opener_of[index] = self.openers.pop()
        elif text == "=":
            return self._assignment(index) if self.in_body else None
        elif text in ("{", "}") or text in _SECTIONS:
            return self._section(index, text)
        return None

    def _assignment(self, index: int) -> int | None:
        tokens = self.tokens
        if not self.openers:
            return _target(tokens, index - 1, self.opener_of)
        if _is_name(tokens, index - 1) and tokens.texts[index - 2] not in ("(", ","):
            # A named argument follows a comma or a bracket: an earlier bracket was not closed.
            self.openers.clear()
            return index - 1
        return None

    def _section(self, index: int, text: str) -> int | None:
        has_no_body = text in _SECTIONS and self.tokens.texts[index - 1] == ")"
        start = index if self.in_body or has_no_body else None
        self.openers.clear()
        self.in_body = text == "{"
        return start


def _target(tokens: Tokens, last: int, opener_of: dict[int, int]) -> int | None:
    """Return the first token of the left-hand side that ends at `last`, None if it is not one."""
    texts = tokens.texts
    while True:
        first = last
        if last in opener_of:
            first = opener_of[last]
            touches = tokens.start(first) == tokens.ends[first - 1]
            if touches and texts[first - 1] not in (",", ";", "{"):
                # Most likely the arguments or the subscript of the name before it.
                return None
            if not all(
                texts[index] in ("(", "[", ",", "]", ")") or _is_name(tokens, index)
                for index in range(first, last)
            ):
                return None
        elif not _is_name(tokens, last):
            return None
        if texts[first - 1] != ",":
            return first
        last = first - 2


def _is_name(tokens: Tokens, index: int) -> bool:
    text = tokens.texts[index]
    return tokens.kinds[text] == IDENTIFIER or text in FREED

"""The tokens of a provisional document, rewritten to those that the parser of 1.0 reads.

Semicolons are put in, ``tensor`` becomes ``tensor<>``, ``extent`` becomes ``integer``, and names
that have become keywords or standard operations are changed. Every token keeps its place in the
original text; those that were put in stand, with no length, behind the one before.
"""

from __future__ import annotations

from typing import NamedTuple

from nnefkit.errors import Span
from nnefkit.language.declarations.declaration import declarations
from nnefkit.language.nnef2017.declarations import provisional_operations
from nnefkit.language.nnef2017.report import Upgrades
from nnefkit.language.syntax.lexer import IDENTIFIER, KEYWORD, SYMBOL, Tokens

FREED = frozenset(("version", "extension", "integer", "yield"))
"""Keywords of today that were ordinary names in 2017."""

_SECTIONS = frozenset(("fragment", "graph"))


class RewrittenTokens(Tokens):
    """Tokens whose texts are not those of the source."""

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
        """Where the tokens from `first` up to and without `end` stand in the text."""
        return Span(self._starts[first], self.ends[max(first, end - 1)])

    @property
    def starts(self) -> list[int]:
        """Where each token begins."""
        return self._starts

    def start(self, index: int) -> int:
        """Where a token begins."""
        return self._starts[index]

    def written(self, index: int) -> str:
        """What stands in the source at a token, empty for one that was put in."""
        return self.source.text[self._starts[index] : self.ends[index]]


class _Rewriting(NamedTuple):
    """Texts of new tokens, and the places that they stand for."""

    texts: list[str]
    starts: list[int]
    ends: list[int]

    def put_in(self, *texts: str) -> None:
        """Adds tokens that the source does not have."""
        end = self.ends[-1] if self.ends else 0
        for text in texts:
            self.texts.append(text)
            self.starts.append(end)
            self.ends.append(end)


def rewritten(tokens: Tokens, upgrades: Upgrades) -> RewrittenTokens:
    """The tokens as the parser of 1.0 reads them."""
    texts, ends = tokens.texts, tokens.ends
    breaks = _statement_ends(tokens)
    names = _new_names(tokens)
    result = _Rewriting([], [], [])
    for index in range(tokens.count):
        text = texts[index]
        start = ends[index] - len(text)
        span = Span(start, ends[index])
        if index in breaks:
            result.put_in(";")
            place = Span(ends[index - 1] - len(texts[index - 1]), ends[index - 1])
            upgrades.tell("assignments end with a semicolon since 1.0", place, "3.2.1")
        if text == "extent":
            upgrades.tell("'extent' is called 'integer' since 1.0", span, "3.3.1")
            text = "integer"
        elif text in names and (text in FREED or _is_called(texts, index)):
            if text in FREED:
                what = "a keyword" if index else ""
            else:
                what = "a standard operation"
            if what:
                new = names[text]
                message = f"'{text}' is {what} since 1.0; it is called '{new}' here"
                upgrades.tell(message, span, "3.1" if text in FREED else "4")
                text = new
        result.texts.append(text)
        result.starts.append(start)
        result.ends.append(ends[index])
        if text == "tensor" and texts[index + 1] not in ("<", "("):
            result.put_in("<", ">")
            upgrades.tell(
                "types of tensors name their data-type since 1.0, as in tensor<scalar>",
                span,
                "3.3.1",
                "The data-types follow from what the fragments are invoked with.",
            )
        elif index == 1 and texts[0] == "version":
            result.put_in(";")
    found = RewrittenTokens(tokens, *result)
    kinds = found.kinds
    kinds.update({"integer": KEYWORD, ";": SYMBOL, "<": SYMBOL, ">": SYMBOL})
    kinds.update(dict.fromkeys(names.values(), IDENTIFIER))
    return found


def _is_called(texts: list[str], index: int) -> bool:
    return texts[index + 1] == "(" or texts[index - 1] == "fragment"


def _new_names(tokens: Tokens) -> dict[str, str]:
    """New names for those that mean something else today."""
    texts, kinds = tokens.texts, tokens.kinds
    found = [name for name in FREED if name in kinds]
    if "fragment" in kinds:
        fragments = {texts[i + 1] for i, text in enumerate(texts) if text == "fragment"}
        today = declarations().keys() - provisional_operations().keys()
        found += sorted(fragments & today)
    names: dict[str, str] = {}
    for name in found:
        new = name + "_"
        while new in kinds:
            new += "_"
        names[name] = new
    return names


# -- where assignments end -----------------------------------------------------------------------


def _statement_ends(tokens: Tokens) -> set[int]:
    """The tokens before which a semicolon is missing.

    Every ``=`` outside of brackets belongs to a left-hand side, and what ends there began an
    assignment. Takes linear time, whatever brackets do not match.
    """
    texts = tokens.texts
    found: set[int] = set()
    openers: list[int] = []
    opener_of: dict[int, int] = {}
    in_body = False
    for index in range(tokens.count):
        text = texts[index]
        start: int | None = None
        if text == "(" or text == "[":
            openers.append(index)
        elif (text == ")" or text == "]") and openers:
            opener_of[index] = openers.pop()
        elif text == "=" and in_body:
            if not openers:
                start = _target(tokens, index - 1, opener_of)
            elif _is_name(tokens, index - 1) and texts[index - 2] not in ("(", ","):
                # A named argument follows a comma or a bracket: one was not closed before.
                start = index - 1
                openers.clear()
        elif text in ("{", "}") or text in _SECTIONS:
            has_no_body = text in _SECTIONS and texts[index - 1] == ")"
            start = index if in_body or has_no_body else None
            openers.clear()
            in_body = text == "{"
        if start is not None and texts[start - 1] not in (";", "{"):
            found.add(start)
    return found


def _target(tokens: Tokens, last: int, opener_of: dict[int, int]) -> int | None:
    """The first token of the left-hand side that ends at `last`, None if it is none."""
    texts = tokens.texts
    while True:
        first = last
        if last in opener_of:
            first = opener_of[last]
            touches = tokens.start(first) == tokens.ends[first - 1]
            if touches and texts[first - 1] not in (",", ";", "{"):
                # Arguments or a subscript of what stands before, most likely.
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

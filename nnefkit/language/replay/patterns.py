"""Patterns of assignments: their tokens, with placeholders for those that differ."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from nnefkit.language.declarations.declaration import Declaration, declarations
from nnefkit.language.syntax.lexer import IDENTIFIER, LITERAL, Tokens

MAX_TOKENS = 400
"""Maximum length of a pattern: longer assignments are constants, which do not recur."""
ANY_NAME = object()
ANY_LABEL = object()
ANY_EXTENT = object()


class Unrepeatable(Exception):  # noqa: N818 - caught at once: such assignments are read in full
    """An assignment cannot be recorded."""


def token_patterns(tokens: Tokens, customs: Iterable[Declaration]) -> list[Any]:
    """Return the pattern of each token: `ANY_NAME`, `ANY_LABEL`, `ANY_EXTENT` or its text.

    Names of operations and parameters stay as they are; `customs` are the declarations beside the
    standard ones. Variables differ in their labels, and most of them in their extents.
    """
    words = _words(customs) | _standard_words()
    by_text: dict[str, Any] = {
        text: ANY_NAME if kind == IDENTIFIER and text not in words else text
        for text, kind in tokens.kinds.items()
    }
    patterns: list[Any] = list(map(by_text.__getitem__, tokens.texts))
    texts, values = tokens.texts, tokens.values
    positive = {text for text, value in values.items() if type(value) is int and value > 0}
    at = -1
    for _ in range(texts.count("label")):
        at = texts.index("label", at + 1)
        if texts[at + 1] == "=" and type(values.get(texts[at + 2])) is str:
            patterns[at + 2] = ANY_LABEL
            first, last = _extents_before(texts, at)
            if first < last and positive.issuperset(texts[first:last:2]):
                patterns[first:last:2] = [ANY_EXTENT] * len(range(first, last, 2))
    return patterns


def _extents_before(texts: list[str], label: int) -> tuple[int, int]:
    """Return the range of tokens in ``shape = [extent, extent, ...],`` before a label."""
    first, last = label - 3, label - 2
    if texts[label - 1] != "," or texts[last] != "]":
        return 0, 0
    while texts[first - 1] == "," and label - first < MAX_TOKENS:
        first -= 2
    return (first, last) if texts[first - 3 : first] == ["shape", "=", "["] else (0, 0)


def identifier_offsets(
    tokens: Tokens, first: int, end: int
) -> tuple[dict[str, int], list[tuple[int, int]]]:
    """Return where an assignment names tensors, counted in tokens from its first one.

    Returns:
        The first position of each name, and pairs of the first and another position of a name.

    Raises:
        Unrepeatable: A minus sign may be part of a literal or not, depending on white space.
    """
    texts, kinds = tokens.texts, tokens.kinds
    offsets: dict[str, int] = {}
    repeats: list[tuple[int, int]] = []
    right_side = False
    for index in range(first, end):
        text, following = texts[index], texts[index + 1]
        if text == "=":
            right_side = True
        elif text == "-" and kinds[following] == LITERAL and not _is_operand(texts[index - 1]):
            raise Unrepeatable
        elif kinds[text] == IDENTIFIER and not (
            following == "("
            or (following == "<" and texts[index + 3] == ">")
            or (following == "=" and right_side)
        ):
            if text in offsets:
                repeats.append((offsets[text], index - first))
            else:
                offsets[text] = index - first
    return offsets, repeats


def _words(declared: Iterable[Declaration]) -> set[str]:
    """Return the names of operations and of their parameters."""
    words: set[str] = set()
    for declaration in declared:
        words.add(declaration.name)
        words.update(declaration.by_name)
    return words


@cache
def _standard_words() -> frozenset[str]:
    return frozenset(_words(declarations().values()))


def _is_operand(text: str) -> bool:
    """Return whether a minus sign after this token subtracts."""
    return text in (")", "]") or text[:1].isalnum() or text[:1] in ("_", "'", '"')

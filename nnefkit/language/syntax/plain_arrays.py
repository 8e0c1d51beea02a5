"""A fast path for arrays of literals and arrays of identifiers."""

from __future__ import annotations

from typing import Any

from nnefkit.language.syntax.lexer import IDENTIFIER, Problem, Tokens
from nnefkit.language.syntax.tree import ArrayOrTuple, Constant, Name
from nnefkit.language.types import EMPTY, OF_LITERAL, Type, array_of

_MEMO_TOKENS = 60


class PlainArrays:
    """Parses arrays of literals or identifiers, to which most tokens of a flat document belong."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._memo: dict[str, tuple[list[Any], Type]] = {}
        self._positions = {"[": -1, "]": -1}

    def _next(self, text: str, index: int) -> int:
        """Return the index of the next `text`; `index` never decreases, so the search is linear."""
        position = self._positions[text]
        if position < index:
            try:
                position = self.tokens.texts.index(text, index)
            except ValueError:
                position = len(self.tokens.texts)
            self._positions[text] = position
        return position

    def constant(self, index: int) -> Constant | None:
        """Return the array of literals whose opening bracket is at `index`, or None."""
        close = self._next("]", index)
        key = ""
        if close - index < _MEMO_TOKENS and close < self.tokens.count:
            # Attributes such as [1, 1] and [(0,0), (0,0)] occur thousands of times.
            ends = self.tokens.ends
            key = self.tokens.source.text[ends[index] : ends[close]]
            parsed = self._memo.get(key)
            if parsed is not None:
                return Constant(parsed[0], parsed[1], index, close + 1)
        if self._next("[", index + 1) < close or close == len(self.tokens.texts):
            return None
        texts, values = self.tokens.texts, self.tokens.values
        elements = texts[index + 1 : close : 2]
        commas = texts[index + 2 : close : 2]
        if commas.count(",") != len(commas) or (elements and len(commas) != len(elements) - 1):
            return None
        try:
            array = [values[element] for element in elements]
        except KeyError:
            return None
        types = set(map(type, array))
        if len(types) > 1 or Problem in types:
            return None
        array_type = array_of(OF_LITERAL[types.pop()]) if types else EMPTY
        if key:
            self._memo[key] = (array, array_type)
        return Constant(array, array_type, index, close + 1)

    def remember(self, constant: Constant) -> None:
        """Store an array that was parsed element by element, in case the same text occurs again."""
        at, end = constant.at, constant.end
        if end - at <= _MEMO_TOKENS and self._next("]", at) == end - 1:
            ends = self.tokens.ends
            key = self.tokens.source.text[ends[at] : ends[end - 1]]
            self._memo[key] = (constant.value, constant.type)

    def names(self, index: int) -> ArrayOrTuple | None:
        """Return the array of identifiers whose opening bracket is at `index`, or None."""
        close = self._next("]", index)
        names = self.tokens.texts[index + 1 : min(close, index + _MEMO_TOKENS)]
        if len(names) != close - index - 1 or len(names) % 2 == 0:
            return None
        kinds = self.tokens.kinds
        for position, name in enumerate(names):
            if name != "," if position % 2 else kinds[name] != IDENTIFIER:
                return None
        texts = self.tokens.texts
        elements = tuple(Name(texts[at], at, at + 1) for at in range(index + 1, close, 2))
        return ArrayOrTuple(elements, True, index, close + 1)

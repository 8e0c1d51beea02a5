"""Arrays of literals and arrays of identifiers, read without looking at their items one by one."""

from __future__ import annotations

from typing import Any

from nnefkit.language.syntax.lexer import IDENTIFIER, Problem, Tokens
from nnefkit.language.syntax.tree import Constant, Items, Name
from nnefkit.language.types import EMPTY, OF_LITERAL, Type, array_of

_MEMO_TOKENS = 60


class PlainArrays:
    """Reads the arrays of attributes and values, which most tokens of a flat document belong to."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._known: dict[str, tuple[list[Any], Type]] = {}
        self._found = {"[": -1, "]": -1}

    def _next(self, text: str, index: int) -> int:
        """The next `text` from a token on; only ever searches forward, so that it is linear."""
        found = self._found[text]
        if found < index:
            try:
                found = self.tokens.texts.index(text, index)
            except ValueError:
                found = len(self.tokens.texts)
            self._found[text] = found
        return found

    def constant(self, index: int) -> Constant | None:
        """The array of literals whose opening bracket is a token, None if it is no such array."""
        close = self._next("]", index)
        key = ""
        if close - index < _MEMO_TOKENS and close < self.tokens.count:
            # Attributes such as [1, 1] and [(0,0), (0,0)] recur a thousandfold.
            ends = self.tokens.ends
            key = self.tokens.source.text[ends[index] : ends[close]]
            known = self._known.get(key)
            if known is not None:
                return Constant(known[0], known[1], index, close + 1)
        if self._next("[", index + 1) < close or close == len(self.tokens.texts):
            return None
        texts, values = self.tokens.texts, self.tokens.values
        items = texts[index + 1 : close : 2]
        commas = texts[index + 2 : close : 2]
        if commas.count(",") != len(commas) or (items and len(commas) != len(items) - 1):
            return None
        try:
            array = [values[item] for item in items]
        except KeyError:
            return None
        types = set(map(type, array))
        if len(types) > 1 or Problem in types:
            return None
        kind = array_of(OF_LITERAL[types.pop()]) if types else EMPTY
        if key:
            self._known[key] = (array, kind)
        return Constant(array, kind, index, close + 1)

    def remember(self, constant: Constant) -> None:
        """Keeps an array that was read item by item, for when the same text comes again."""
        at, end = constant.at, constant.end
        if end - at <= _MEMO_TOKENS and self._next("]", at) == end - 1:
            ends = self.tokens.ends
            key = self.tokens.source.text[ends[at] : ends[end - 1]]
            self._known[key] = (constant.value, constant.type)

    def names(self, index: int) -> Items | None:
        """The array of identifiers whose opening bracket is a token, None if it is none."""
        close = self._next("]", index)
        names = self.tokens.texts[index + 1 : min(close, index + _MEMO_TOKENS)]
        if len(names) != close - index - 1:
            return None
        kinds = self.tokens.kinds
        for position, name in enumerate(names):
            if name != "," if position % 2 else kinds[name] != IDENTIFIER:
                return None
        texts = self.tokens.texts
        items = tuple(Name(texts[at], at, at + 1) for at in range(index + 1, close, 2))
        return Items(items, True, index, close + 1)

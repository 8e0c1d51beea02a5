"""Search: operations by name, operation, shape, attribute, label, origin and source line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from nnefkit.display import numbers
from nnefkit.display.nnef_text import abbreviated
from nnefkit.pictures.viewed_graph import ViewedGraph

LISTED = 200
"""Maximum number of results that are listed."""
LONGEST = 200
"""Maximum length of a query."""


class SearchMatch(NamedTuple):
    """An operation that a search found."""

    number: int
    tensor: str
    """The name of its first result, or of the one that matched."""
    words: str
    """What it is: operation, shape, line."""


class SearchIndex:
    """The words of all operations of a graph."""

    def __init__(self, viewed: ViewedGraph) -> None:
        self.viewed = viewed

    @cached_property
    def _words(self) -> Sequence[str]:
        return [self._of(number) for number in range(len(self.viewed.operations))]

    def _of(self, number: int) -> str:
        """Return all that is searched of an operation, in lower case."""
        viewed = self.viewed
        plain = viewed.operations[number]
        operation = viewed.originals[number].operation
        words = [*plain.outputs, plain.name, *plain.scope, plain.attributes]
        words += [numbers.shape(shape) for shape in plain.shapes if shape is not None]
        words += [f"{key}={abbreviated(value)}" for key, value in operation.attribs.items()]
        line = viewed.line(number)
        if line is not None:
            words.append(f"line:{line}")
        for name in plain.outputs:
            tensor = viewed.tensor(name)
            words += filter(None, (tensor.label, tensor.origin))
        return "\n".join(words).lower()

    def search(self, query: str) -> list[SearchMatch]:
        """Return the operations that match all words of a query, exact names first.

        A number is also a line of the source; ``3x3`` is written ``3×3``.
        """
        terms = [_term(word) for word in query[:LONGEST].lower().split()]
        if not terms:
            return []
        found = [
            number for number, words in enumerate(self._words) if all(t in words for t in terms)
        ]
        if len(terms) == 1 and terms[0].isdigit():
            found = self._at_line(int(terms[0]), found)
        wanted = query.strip().lower()
        found.sort(key=lambda number: self._rank(number, wanted))
        return [self._match(number, wanted) for number in found]

    def _at_line(self, line: int, others: Sequence[int]) -> list[int]:
        at = [n for n in range(len(self.viewed.operations)) if self.viewed.line(n) == line]
        return [*at, *[n for n in others if n not in at]]

    def _rank(self, number: int, wanted: str) -> int:
        plain = self.viewed.operations[number]
        names = [name.lower() for name in plain.outputs]
        if wanted in names or wanted == str(self.viewed.line(number)):
            return 0
        if any(name.startswith(wanted) for name in names):
            return 1
        return 2 if wanted == plain.name else 3

    def _match(self, number: int, wanted: str) -> SearchMatch:
        plain = self.viewed.operations[number]
        named = [name for name in plain.outputs if wanted in name.lower()]
        tensor = (named or plain.outputs or [""])[0]
        shape = plain.shapes[0] if plain.shapes else None
        line = self.viewed.line(number)
        parts = [plain.name, numbers.shape(shape)] + ([f"line {line:,}"] if line else [])
        return SearchMatch(number, tensor, " · ".join(parts))


def _term(word: str) -> str:
    """Return a word of a query as the index has it: ``3x3`` as ``3×3``."""
    digits = word.split("x")
    if len(digits) > 1 and all(part.isdigit() for part in digits):
        return "×".join(digits)
    return word

"""Inputs, and recorded runs that belong to them, one for each input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nnefkit.errors import InputError
from nnefkit.execution.many.distribution import size_of


def expected_runs(word: str, side: Any) -> Iterable[Any]:
    """Return recorded runs, one for each input, checked.

    Raises:
        InputError: It is one run, not several.
    """
    is_one = isinstance(side, (bytes, Mapping)) or hasattr(side, "__array__")
    if is_one or not isinstance(side, Iterable):
        raise InputError(
            f"{word} must be an engine, a graph, or a list of recorded runs, not a "
            f"{type(side).__name__}",
            hint="A list has one run for each input: [Path('run0.npz'), Path('run1.npz')]; "
            "nnefkit.compare compares two single runs.",
        )
    return side


class Examples:
    """Inputs with the recorded runs that belong to them."""

    def __init__(self, parts: tuple[Iterable[Any] | None, ...]) -> None:
        self._parts = dict(zip(("inputs", "reference", "suspect"), parts, strict=True))
        sizes = {word: size_of(part) for word, part in self._parts.items() if part is not None}
        self._sizes = {word: size for word, size in sizes.items() if size is not None}
        if len(set(self._sizes.values())) > 1:
            counts = ", ".join(f"{size:,} for {word}" for word, size in self._sizes.items())
            raise _unequal(f"there are {counts}")

    @property
    def size(self) -> int | None:
        """The number of inputs; None if it is not known before the end."""
        return next(iter(self._sizes.values()), None)

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        iterators = {word: iter(part) for word, part in self._parts.items() if part is not None}
        end, number = object(), 0
        while True:
            values = {word: next(each, end) for word, each in iterators.items()}
            ended = [word for word, value in values.items() if value is end]
            if len(ended) == len(values):
                return
            if ended:
                raise _unequal(f"{ended[0]} ends after {number:,}, the others go on")
            yield values.get("inputs"), values.get("reference"), values.get("suspect")
            number += 1


def _unequal(what: str) -> InputError:
    return InputError(
        f"inputs and recorded runs do not belong together: {what}",
        hint="There is one recorded run for each input, in the same order.",
    )

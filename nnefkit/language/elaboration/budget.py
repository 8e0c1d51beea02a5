"""The work that a document causes, and its limit."""

from __future__ import annotations

import time
from typing import Any

from nnefkit.budget import current_budget, remedy
from nnefkit.language.elaboration.scopes import Scope
from nnefkit.language.syntax.tree import Assignment, Expression

_ELEMENTS_OF_A_STEP = 100
_BYTES_OF_AN_ELEMENT = 8
_STEPS_BETWEEN_LOOKS = 1000
"""Number of steps after which the clock is read again."""


class Spending:
    """Counts the steps, bytes and seconds of a document, against the budget in effect."""

    def __init__(self) -> None:
        self.limits = current_budget()
        self.steps = 0
        self.bytes = 0
        self._seconds = 0.0
        self._start = time.perf_counter()
        self._next_look = _STEPS_BETWEEN_LOOKS

    def spend(
        self, node: Expression | Assignment, scope: Scope, steps: int = 1, elements: int = 0
    ) -> None:
        """Count the `steps` that `node` takes, and the elements of arrays that it goes through.

        Raises:
            Refused: The budget is exceeded and the scope computes; it is reported.
        """
        self.steps += steps + elements // _ELEMENTS_OF_A_STEP
        self.bytes += elements * _BYTES_OF_AN_ELEMENT
        if self.steps >= self._next_look:
            self._next_look = self.steps + _STEPS_BETWEEN_LOOKS
            self._seconds = time.perf_counter() - self._start
        limit, attribute = self.limits.exceeded(self.steps, self.bytes, self._seconds)
        if limit:
            scope.refuse(
                "too-long",
                f"the graph takes more than {limit} to expand",
                node,
                remedy(attribute, "nnefkit.load(path)"),
            )

    def take(self, steps: int) -> bool:
        """Count `steps` if the budget allows them; return whether it does."""
        if self.steps + steps > self.limits.steps:
            return False
        self.steps += steps
        return True


def elements_of(value: Any) -> int:
    """Return the number of elements of an array, a tuple or a string, nested ones included."""
    if not isinstance(value, (list, tuple)):
        return len(value) if type(value) is str else 0
    count = 0
    stack = [value]
    while stack:
        value = stack.pop()
        count += len(value)
        if value and isinstance(value[0], (list, tuple)):
            stack.extend(value)
    return count

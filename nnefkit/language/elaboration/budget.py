"""The limit on the work that a document can cause."""

from __future__ import annotations

from nnefkit.language.elaboration.scopes import Scope
from nnefkit.language.syntax.tree import Assignment, Expression

MOST_STEPS = 300_000
"""Number of operations, calls and loop iterations that one document may take."""


class Budget:
    """Counts steps, so that a short document cannot cause endless work."""

    def __init__(self) -> None:
        self.steps = 0
        """Number of operations, calls and loop iterations so far."""

    def spend(self, node: Expression | Assignment, scope: Scope, steps: int = 1) -> None:
        """Count `steps` that `node` takes.

        Raises:
            Refused: The budget is exceeded and the scope computes; it is reported.
        """
        self.steps += steps
        if self.steps > MOST_STEPS:
            scope.refuse(
                "too-long", f"the graph takes more than {MOST_STEPS} steps to expand", node
            )

    def take(self, steps: int) -> bool:
        """Count `steps` if the budget allows them; return whether it does."""
        if self.steps + steps > MOST_STEPS:
            return False
        self.steps += steps
        return True

    def reset(self) -> None:
        """Count from zero again, for work with a separate budget."""
        self.steps = 0

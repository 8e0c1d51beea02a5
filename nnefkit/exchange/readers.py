"""Readers of the operators of a framework: how they are registered, and how they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

Reader = Callable[..., Any]

F = TypeVar("F", bound=Reader)


class Readers(dict[str, Reader]):
    """Name of an operator -> its reader."""

    def register(self, *names: str) -> Callable[[F], F]:
        """The decorator that makes a function the reader of the operators of these names.

        Raises:
            ValueError: one of them has a reader already.
        """

        def add(function: F) -> F:
            for name in names:
                if name in self:
                    raise ValueError(f"'{name}' is registered twice")
                self[name] = function
            return function

        return add


class Refusal(Exception):  # noqa: N818 - it is no failure, but an answer
    """What NNEF cannot say: why, and what would help."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def refuse(reason: str, hint: str = "") -> NoReturn:
    """Says that NNEF has no way to say something.

    Raises:
        Refusal: always.
    """
    raise Refusal(reason, hint)

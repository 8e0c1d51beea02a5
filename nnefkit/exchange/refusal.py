"""Refusals: what a reader raises where NNEF cannot express what it reads."""

from __future__ import annotations

from typing import NoReturn

from nnefkit.errors import NO_EMPTY_TENSORS


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


def refuse_empty_tensor() -> NoReturn:
    """Refuse an operator because its result is empty.

    Raises:
        Refusal: Always.
    """
    raise Refusal("its result is an empty tensor", NO_EMPTY_TENSORS)

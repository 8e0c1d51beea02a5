"""Refusals of operators that NNEF cannot express."""

from __future__ import annotations

from typing import NoReturn

from nnefkit.errors import NO_EMPTY_TENSORS, ArgumentError, NnefError


class Refusal(Exception):  # noqa: N818 - it is an answer, not a failure
    """The reason why NNEF cannot express an operator, and a workaround."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def refuse(reason: str, hint: str = "") -> NoReturn:
    """Refuse an operator.

    Args:
        reason: Why NNEF cannot express it, a clause about "it".
        hint: What the user can do.

    Raises:
        Refusal: Always.
    """
    raise Refusal(reason, hint)


def refuse_empty_tensor() -> NoReturn:
    """Refuse an operator because its result is empty.

    Raises:
        Refusal: Always.
    """
    raise Refusal("its result is an empty tensor", NO_EMPTY_TENSORS)


def refusal_of(error: ArgumentError) -> Refusal:
    """Return the refusal for arguments that an NNEF operation does not allow."""
    diagnostic = error.diagnostics[0]
    return Refusal(f"NNEF does not allow it: {diagnostic.message}", diagnostic.hint)


def refusal_for(error: Exception, hint: str) -> Refusal:
    """Return the refusal for an exception of a reader.

    Args:
        error: The exception.
        hint: The hint if it is of no known kind, as models that are not valid can cause any.

    Raises:
        NnefError: The exception itself, if it is not about the operator.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ArgumentError):
        return refusal_of(error)
    if isinstance(error, NnefError):
        raise error
    if isinstance(error, MemoryError):
        return Refusal("its result does not fit in memory")
    return Refusal(f"it could not be read ({type(error).__name__}: {error})", hint)


class Unread:
    """The type of `UNREAD`."""


UNREAD = Unread()
"""Placeholder for a result of a refused operator."""

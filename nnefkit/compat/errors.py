"""Errors that are also of the built-in class that the Khronos package raises in their place."""

from __future__ import annotations

from typing import Any

from nnefkit.errors import NnefError, StorageError


class WrongTypeError(NnefError, TypeError):
    """A value that NNEF text cannot hold."""

    code = "wrong-input"


class TensorFileError(StorageError, ValueError):
    """A tensor that cannot be read from a file, or written to one (5.2)."""


class ExistingFolderError(StorageError, RuntimeError):
    """A path where a model cannot be saved, since something is there already."""


def expect(value: object, classes: type | tuple[type, ...], subject: str, expected: str) -> Any:
    """Return `value` if it is an instance of one of some classes.

    Args:
        value: The value.
        classes: The classes.
        subject: What it is, for the message.
        expected: The classes in words.

    Raises:
        WrongTypeError: It is not.
    """
    if isinstance(value, classes):
        return value
    raise WrongTypeError(f"{subject} must be {expected}, not of type {type(value).__name__}")

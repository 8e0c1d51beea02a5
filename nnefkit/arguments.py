"""Checks of the arguments of public calls: each returns what it was given, in one form."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nnefkit.arrays import has_masked
from nnefkit.errors import InputError


def wrong_type(argument: str, expected: str, value: object, hint: str = "") -> InputError:
    """Return the error for an argument of another type than `expected`."""
    given = "None" if value is None else f"of type {type(value).__name__}"
    return InputError(f"'{argument}' must be {expected}, not {given}", hint=hint)


UNMASK = "array.filled(value) sets them to a value."
"""How to fix arrays with masked elements."""


def refuse_masked(value: object, subject: str) -> None:
    """Check that no elements of an array-like are masked.

    Args:
        value: The array-like.
        subject: Its name, for messages.

    Raises:
        InputError: Some are.
    """
    if has_masked(value):
        raise InputError(f"{subject}: masked elements have no value", hint=UNMASK)


def expected_string(value: object, argument: str) -> str:
    """Return `value` if it is a string.

    Args:
        value: The argument.
        argument: Its name, for messages.

    Raises:
        InputError: It is not.
    """
    if isinstance(value, str):
        return value
    hint = ""
    if isinstance(value, bytes):
        hint = "value.decode() turns bytes into a string."
    elif isinstance(value, os.PathLike):
        hint = "nnefkit.load(path) opens a model, path.read_text() reads a file."
    raise wrong_type(argument, "a str", value, hint)


def expected_names(value: object, argument: str) -> tuple[str, ...]:
    """Return one name or several as a tuple, without repetitions.

    Args:
        value: A string or an iterable of strings.
        argument: The name of the argument, for messages.

    Raises:
        InputError: It is neither.
    """
    if isinstance(value, str):
        return (str(value),)
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        raise wrong_type(argument, "a name or a list of names", value)
    names = tuple(dict.fromkeys(value))
    for name in names:
        if not isinstance(name, str):
            raise wrong_type(argument, "a name or a list of names", name)
    return names


def expected_path(value: object, argument: str = "path") -> Path:
    """Return `value` as a path.

    Args:
        value: A string or a path object.
        argument: The name of the argument, for messages.

    Raises:
        InputError: It is neither, or an empty string.
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise wrong_type(argument, "a path (str or pathlib.Path)", value)
    if not value:
        raise InputError(
            f"'{argument}' is an empty string", hint="Give the path of a file or a folder."
        )
    return Path(value)


def expected_mapping(value: object, argument: str, of: str) -> Mapping[Any, Any]:
    """Return `value` if it is a mapping.

    Args:
        value: The argument.
        argument: Its name, for messages.
        of: What it maps, such as ``"names to arrays"``.

    Raises:
        InputError: It is not a mapping.
    """
    if isinstance(value, Mapping):
        return value
    raise wrong_type(argument, f"a mapping from {of}", value)

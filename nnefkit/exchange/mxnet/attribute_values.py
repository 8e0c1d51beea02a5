"""The values of attributes, which MXNet writes as text: "(3, 3)", "True", "0.001", "None"."""

from __future__ import annotations

import re

_MAX_NUMBERS = 1 << 16
_INTEGER = re.compile(r"[+-]?\d{1,19}L?")
_SEPARATORS = re.compile(r"[\s,]+")
MISSING = frozenset(("None", ""))
"""Texts that stand for an attribute that is not given."""


def is_true(text: str) -> bool:
    """Return whether a text is true.

    Raises:
        ValueError: It is neither true nor false.
    """
    lower = text.strip().lower()
    if lower not in ("true", "1", "false", "0"):
        raise ValueError(text)
    return lower in ("true", "1")


def integer(text: str) -> int:
    """Return the integer of a text, which may have been written by Python 2.

    Raises:
        ValueError: It is not one.
    """
    plain = text.strip()
    if not _INTEGER.fullmatch(plain):
        raise ValueError(text)
    return int(plain.rstrip("L"))


def optional_integers(text: str) -> list[int | None]:
    """Return the integers of a tuple or list, or of a single number; None for "None".

    Raises:
        ValueError: There are others, or more than 65,536.
    """
    plain = text.strip()
    if plain[:1] + plain[-1:] in ("()", "[]"):
        plain = plain[1:-1]
    items = [item for item in _SEPARATORS.split(plain) if item]
    if len(items) > _MAX_NUMBERS:
        raise ValueError(text)
    return [None if item == "None" else integer(item) for item in items]


def integers(text: str) -> list[int]:
    """Return the integers of a tuple or list, or of a single number.

    Raises:
        ValueError: There are others.
    """
    numbers = optional_integers(text)
    if None in numbers:
        raise ValueError(text)
    return [number for number in numbers if number is not None]


def real_numbers(text: str) -> list[float]:
    """Return the numbers of a tuple or list, or a single number.

    Raises:
        ValueError: There are others.
    """
    plain = text.strip()
    if plain[:1] + plain[-1:] in ("()", "[]"):
        plain = plain[1:-1]
    items = [item for item in _SEPARATORS.split(plain) if item]
    if len(items) > _MAX_NUMBERS:
        raise ValueError(text)
    return [float(item) for item in items]


def numbers(text: str) -> list[int]:
    """Return the integers of a text; none if it is not valid."""
    try:
        return integers(text)
    except ValueError:
        return []

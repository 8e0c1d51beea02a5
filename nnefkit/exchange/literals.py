"""Infinity and NaN, which have no literals: inputs become variables, attributes are refused."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeGuard

from nnefkit.errors import ArgumentError


def has_no_literal(value: Any) -> TypeGuard[float]:
    """Return whether a Python number is infinite or NaN."""
    return isinstance(value, float) and not isfinite(value)


def check_attributes(operation: str, attribs: Mapping[str, Any]) -> None:
    """Check that literals express the attributes of an operation.

    Raises:
        ArgumentError: An attribute is infinite or NaN.
    """
    for name, value in attribs.items():
        if has_no_literal(value):
            raise ArgumentError(
                f"attribute '{name}' of '{operation}' is {value}",
                argument=name,
                hint="NNEF has no literal for infinity or NaN; use a large number.",
            )

"""Warnings that point at the line of the user's code that called nnefkit."""

from __future__ import annotations

import sys
import warnings

_PACKAGE = __name__.partition(".")[0] + "."


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a Python warning at the innermost line outside of nnefkit."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)

"""Paths as the calls of the public face are handed them."""

from __future__ import annotations

import os
from pathlib import Path

from nnefkit.errors import InputError, wrong_type


def expected_path(value: object, what: str = "path") -> Path:
    """`value` as a path; `what` is what messages call it.

    Raises:
        InputError: it is no path, or an empty text.
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise wrong_type(what, "a path (str or pathlib.Path)", value)
    if not value:
        raise InputError(f"'{what}' is an empty str", hint="Give the path of a file or a folder.")
    return Path(value)

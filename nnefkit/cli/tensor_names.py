"""The options ``--pair`` and ``--names``: tensors of two runs whose names differ."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from nnefkit.errors import InputError, StorageError


def name_pairs(options: argparse.Namespace) -> dict[str, str] | None:
    """Return name in the first run -> name in the second; None if there are none.

    Raises:
        InputError: An option has another form, or a name is given twice.
        StorageError: The file cannot be read.
    """
    pairs: dict[str, str] = {}
    if options.names is not None:
        pairs |= _of_file(Path(options.names))
    for argument in options.pair:
        first, equals, second = argument.partition("=")
        if not (first and equals and second):
            raise InputError(
                f"--pair must be A=B, not '{argument}'",
                hint="A is the name of a tensor in the first run, B its name in the second.",
            )
        if pairs.get(first, second) != second:
            raise InputError(f"tensor '{first}' is paired twice: with {pairs[first]} and {second}")
        pairs[first] = second
    return pairs or None


def _of_file(path: Path) -> dict[str, str]:
    try:
        known: Any = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"the names cannot be read: {reason}", file=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise _wrong_names(path, f"it is not JSON: {error}") from error
    if not isinstance(known, dict) or not all(isinstance(name, str) for name in known.values()):
        raise _wrong_names(path, "it is not an object of strings")
    return known


def _unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(items)
    if len(found) < len(items):
        raise ValueError("a name occurs twice")
    return found


def _wrong_names(path: Path, why: str) -> InputError:
    return InputError(
        f"this is not a file of names: {why}",
        hint='It looks like {"name in the first run": "name in the second run"}.',
        file=str(path),
    )

"""The files of a source: paths to read, or bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nnefkit.errors import InputError, StorageError
from nnefkit.storage import check_readable

File = str | os.PathLike[str] | bytes | bytearray | memoryview


def path_and_bytes(source: File, what: str, limit: int, too_large: str) -> tuple[str, bytes]:
    """Return the path and the bytes of a file.

    Args:
        source: Its path, or its bytes, which have no path.
        what: What it is, for messages.
        limit: The largest size in bytes.
        too_large: The message about a larger file.

    Raises:
        InputError: It is neither a path nor bytes.
        StorageError: The file cannot be read, or it is too large.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        if len(source) > limit:
            raise StorageError(too_large)
        return "", bytes(source)
    try:
        path = Path(os.fspath(source))
    except TypeError:
        raise InputError(f"{what} must be a path or bytes, not {type(source).__name__}") from None
    if "\0" in str(path):
        raise StorageError("there is no such file", file=str(path))
    check_readable(str(path))
    try:
        if path.stat().st_size > limit:
            raise StorageError(too_large, file=str(path))
        return str(path), path.read_bytes()
    except OSError as error:
        raise StorageError(f"the file cannot be read: {error.strerror}", file=str(path)) from error


def title(source: Any, otherwise: str) -> str:
    """Return what a progress bar calls a source: the name of its file, if it is one."""
    return Path(source).stem if isinstance(source, (str, os.PathLike)) else otherwise

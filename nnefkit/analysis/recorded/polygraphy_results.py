"""The results and inputs that Polygraphy saves as JSON (``polygraphy run --save-outputs``)."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnefkit.analysis.recorded.unreadable import UNREADABLE
from nnefkit.arrays import Array
from nnefkit.errors import StorageError

MAX_SIZE = 1 << 28
"""Largest size of a file in bytes; parsed JSON needs several times the memory."""


def polygraphy_readers(path: Path) -> dict[str, Callable[[], Array]]:
    """Return a reader for each array of a file, by name.

    If it has the results of several runners, or of several iterations, names begin with these:
    ``runner/0/name``.

    Raises:
        StorageError: It cannot be read, or is not such a file.
    """
    try:
        if path.stat().st_size > MAX_SIZE:
            raise StorageError(
                f"the file is larger than {MAX_SIZE >> 20} MiB, the most that is read as JSON",
                hint="Save fewer tensors, or save them as an .npz file.",
                file=str(path),
            )
        content = json.loads(path.read_bytes())
    except UNREADABLE as error:
        if isinstance(error, StorageError):
            raise
        raise _foreign(path, str(error)) from error
    groups = list(_groups(path, content))
    if not groups:
        raise _foreign(path, "it has no results")
    is_one = len(groups) == 1
    readers: dict[str, Callable[[], Array]] = {}
    for prefix, arrays in groups:
        for name, value in arrays.items():
            encoded = _encoded(value)
            if encoded is None:
                raise _foreign(path, f"'{name}' is not an array of NumPy")
            key = name if is_one else f"{prefix}/{name}"
            if key in readers:
                raise _foreign(path, f"'{key}' occurs twice")
            readers[key] = _reader(path, name, encoded)
    return readers


def _groups(path: Path, content: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the arrays of each iteration of each runner."""
    if isinstance(content, dict) and isinstance(content.get("lst"), list):
        for entry in content["lst"]:
            if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], list):
                raise _foreign(path, "a runner has no list of iterations")
            for number, iteration in enumerate(entry[1]):
                outputs = iteration.get("outputs") if isinstance(iteration, dict) else None
                if not isinstance(outputs, dict):
                    raise _foreign(path, "an iteration has no outputs")
                yield f"{entry[0]}/{number}", outputs
    elif isinstance(content, list) and all(isinstance(each, dict) for each in content):
        for number, inputs in enumerate(content):
            yield f"{number}", inputs
    else:
        raise _foreign(path, "it has no list of runners")


def _encoded(value: Any) -> str | None:
    """Return the text of an array, which may be wrapped for later loading."""
    if isinstance(value, dict) and isinstance(value.get("values"), dict):
        value = value["values"]
    text = value.get("array") if isinstance(value, dict) else None
    return text if isinstance(text, str) else None


def _reader(path: Path, name: str, encoded: str) -> Callable[[], Array]:
    def read() -> Array:
        try:
            try:
                data = base64.b64decode(encoded, validate=True)
            except ValueError:
                data = encoded.encode("latin-1")  # of old releases
            array = _loaded(data)
        except (*UNREADABLE, StopIteration) as error:
            raise StorageError(
                f"tensor '{name}' cannot be read: {error}",
                hint="Arrays of NumPy can be read, tensors of PyTorch cannot.",
                file=str(path),
            ) from error
        return array

    return read


def _loaded(data: bytes) -> Array:
    """Return the array in an .npy file, or the first one in an .npz file, as of old releases."""
    loaded: Any = np.load(io.BytesIO(data), allow_pickle=False)
    if isinstance(loaded, np.lib.npyio.NpzFile):
        archive: Any = loaded.zip
        if sum(member.file_size for member in archive.infolist()) > MAX_SIZE:
            raise ValueError(f"it is larger than {MAX_SIZE >> 20} MiB")
        loaded = next(iter(loaded.values()))
    if not isinstance(loaded, np.ndarray):
        raise TypeError("it is not an array of NumPy")
    return loaded


def _foreign(path: Path, reason: str) -> StorageError:
    return StorageError(
        f"these are not saved results of Polygraphy: {reason}",
        hint="polygraphy run --save-outputs results.json writes them.",
        file=str(path),
    )

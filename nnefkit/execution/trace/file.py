"""Traces as files: zip archives of ``.npy`` files, like NumPy's, with a ``trace.json``.

Nothing in it is pickled, so that reading an untrusted file cannot execute code.
"""

from __future__ import annotations

import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from nnefkit.arrays import Array
from nnefkit.display.statistics import Histogram, Statistics
from nnefkit.errors import StorageError
from nnefkit.execution.trace.run_record import Entry, Run
from nnefkit.storage import replacing_file, unpacked_limit, unreadable, view_npy

_VERSION = 1
_TEXT = "graph.nnef"


class Content(NamedTuple):
    """The content of the file of a trace."""

    run: Run
    """The circumstances of the run."""
    tensors: Mapping[str, Array]
    """Recorded values by name."""
    statistics: Mapping[str, Statistics]
    """Statistics of tensors whose values were not recorded, by name."""
    text: str | None
    """The text of the graph, if it was known."""
    digests: Mapping[str, str]
    """The digests of its weights, by name."""


def write(path: Path, content: Content) -> None:
    """Write a trace to `path`; an interrupted write leaves an existing file intact.

    Raises:
        StorageError: The file cannot be written.
    """
    with replacing_file(path) as file:
        _write_archive(file, content)


def _write_archive(file: BinaryIO, content: Content) -> None:
    run, statistics = content.run, content.statistics
    description = {
        "nnefkit-trace": _VERSION,
        "run": _described(run),
        "statistics": {name: asdict(numbers) for name, numbers in statistics.items()},
        "weights": dict(content.digests),
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr("trace.json", json.dumps(description, allow_nan=True))
        if content.text is not None:
            archive.writestr(_TEXT, content.text)
        for name, array in content.tensors.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, np.asarray(array), allow_pickle=False)


def _described(run: Run) -> dict[str, Any]:
    fields = asdict(run) | {"entries": [list(entry) for entry in run.entries]}
    stopped, computed = fields.pop("stopped"), fields.pop("computed")
    if stopped:
        fields |= {"stopped": stopped, "computed": sorted(computed or ())}
    return fields


def read(path: Path) -> Content:
    """Read a file that `write` wrote.

    Raises:
        StorageError: The file cannot be read, or is not a trace.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(archive, path)
            description = _mapping(json.loads(archive.read("trace.json")))
            if description.get("nnefkit-trace") != _VERSION:
                raise StorageError(
                    f"the trace is of version {description.get('nnefkit-trace')!r:.20}, "
                    f"but only version {_VERSION} is known",
                    hint="A newer nnefkit wrote it: update nnefkit.",
                    file=str(path),
                )
            run = _run(_mapping(description["run"]))
            tensors = _tensors(archive, run)
            statistics = {
                name: _statistics(_mapping(numbers))
                for name, numbers in _mapping(description["statistics"]).items()
            }
            # Traces of earlier versions have neither a text nor digests.
            text = archive.read(_TEXT).decode() if _TEXT in archive.namelist() else None
            digests = {
                name: _string(value)
                for name, value in _mapping(description.get("weights", {})).items()
            }
    except OSError as error:
        raise unreadable(error, path, "the trace") from error
    except _DAMAGED as error:
        raise StorageError(
            "the file is not a trace, or it is damaged",
            hint="trace.save(path) writes a trace.",
            file=str(path),
        ) from error
    return Content(run, tensors, statistics, text, digests)


_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError),
    *(RuntimeError, struct.error, TokenError),
    *(KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError, RecursionError),
)
"""What reading a damaged, encrypted or forged archive raises, or a description of other types."""


def _check_size(archive: zipfile.ZipFile, path: Path) -> None:
    unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > unpacked_limit(path.stat().st_size):
        raise ValueError(f"it unpacks to {unpacked:,} bytes")


def _run(fields: Mapping[str, Any]) -> Run:
    rows = [_entry(*_list(row)) for row in _list(fields["entries"])]
    if len({row.tensor for row in rows}) < len(rows):
        raise ValueError("two entries have one name")
    seconds = _mapping(fields["seconds"])
    # Only of runs that stopped.
    stopped = _string(fields.get("stopped", ""))
    computed = frozenset(map(_string, _list(fields["computed"]))) if stopped else None
    return Run(
        engine=_string(fields["engine"]),
        graph_name=_string(fields["graph_name"]),
        inputs=tuple(map(_string, _list(fields["inputs"]))),
        outputs=tuple(map(_string, _list(fields["outputs"]))),
        entries=tuple(rows),
        seconds={name: _number(value) for name, value in seconds.items()},
        total=_number(fields["total"]),
        stopped=stopped,
        computed=computed,
    )


def _entry(number: Any, operation: Any, tensor: Any, shape: Any, line: Any) -> Entry:
    return Entry(
        _count(number),
        _string(operation),
        _string(tensor),
        None if shape is None else tuple(map(_count, _list(shape))),
        None if line is None else _count(line),
    )


def _tensors(archive: zipfile.ZipFile, run: Run) -> dict[str, Array]:
    members = set(archive.namelist())
    tensors = {}
    for entry in run.entries:
        if f"{entry.tensor}.npy" in members:
            array = view_npy(archive.read(f"{entry.tensor}.npy"))
            if array.dtype.kind not in "fiub":
                raise ValueError(f"it holds values of dtype {array.dtype}")
            tensors[entry.tensor] = array
    return tensors


def _statistics(fields: Mapping[str, Any]) -> Statistics:
    counts, edges = map(_list, _list(fields["histogram"]))
    if edges and len(edges) != len(counts) + 1:
        raise ValueError("a histogram has another number of edges than bars")
    histogram = Histogram(tuple(map(_count, counts)), tuple(map(_number, edges)))
    values: dict[str, Any] = {name: _count(fields[name]) for name in _COUNTS}
    values |= {name: _number(fields[name]) for name in _NUMBERS}
    return Statistics(**values, histogram=histogram)


_COUNTS = ("count", "examined", "zeros", "nan", "infinite")
_NUMBERS = ("minimum", "maximum", "mean", "deviation")


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("a field is not a mapping")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("a field is not a list")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a field is not a string")
    value.encode()  # Half of a surrogate pair could not be printed.
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise TypeError("a field is not a count")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError("a field is not a number")
    return float(value)

"""Traces as files: zip archives of ``.npy`` files, like NumPy's, with a ``trace.json``.

Nothing in it is pickled, so that reading an untrusted file cannot execute code.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from nnefkit.arrays import Array
from nnefkit.display.statistics import Histogram, Statistics
from nnefkit.errors import StorageError
from nnefkit.execution.trace.run_record import Entry, Run
from nnefkit.storage import replacing_file, unreadable

_VERSION = 1


def write(
    path: Path, run: Run, tensors: Mapping[str, Array], statistics: Mapping[str, Statistics]
) -> None:
    """Write a trace to `path`; an interrupted write leaves an existing file intact.

    Args:
        path: Path of the file.
        run: The circumstances of the run.
        tensors: Recorded values by name.
        statistics: Statistics of tensors whose values were not recorded, by name.

    Raises:
        StorageError: The file cannot be written.
    """
    with replacing_file(path) as file:
        _write_archive(file, run, tensors, statistics)


def _write_archive(
    file: BinaryIO, run: Run, tensors: Mapping[str, Array], statistics: Mapping[str, Statistics]
) -> None:
    description = {
        "nnefkit-trace": _VERSION,
        "run": asdict(run) | {"entries": [list(entry) for entry in run.entries]},
        "statistics": {name: asdict(numbers) for name, numbers in statistics.items()},
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr("trace.json", json.dumps(description, allow_nan=True))
        for name, array in tensors.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, np.asarray(array), allow_pickle=False)


def read(path: Path) -> tuple[Run, dict[str, Array], dict[str, Statistics]]:
    """Read a file that `write` wrote.

    Returns:
        The circumstances of the run, recorded values, and statistics of other tensors.

    Raises:
        StorageError: The file cannot be read, or is not a trace.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            description = json.loads(archive.read("trace.json"))
            if description.get("nnefkit-trace") != _VERSION:
                raise StorageError(
                    f"the trace is of version {description.get('nnefkit-trace')}, "
                    f"but only version {_VERSION} is known",
                    hint="A newer nnefkit wrote it: update nnefkit.",
                    file=str(path),
                )
            run = _run(description["run"])
            tensors = _tensors(archive, run)
            statistics = {
                name: _statistics(numbers) for name, numbers in description["statistics"].items()
            }
    except OSError as error:
        raise unreadable(error, path, "the trace") from error
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, AttributeError) as error:
        raise StorageError(
            "the file is not a trace, or it is damaged",
            hint="trace.save(path) writes a trace.",
            file=str(path),
        ) from error
    return run, tensors, statistics


def _run(fields: Mapping[str, Any]) -> Run:
    rows = [
        Entry(number, operation, tensor, None if shape is None else tuple(shape), line)
        for number, operation, tensor, shape, line in fields["entries"]
    ]
    return Run(
        engine=str(fields["engine"]),
        graph_name=str(fields["graph_name"]),
        inputs=tuple(fields["inputs"]),
        outputs=tuple(fields["outputs"]),
        entries=tuple(rows),
        seconds={name: float(value) for name, value in fields["seconds"].items()},
        total=float(fields["total"]),
    )


def _tensors(archive: zipfile.ZipFile, run: Run) -> dict[str, Array]:
    members = set(archive.namelist())
    tensors = {}
    for entry in run.entries:
        if f"{entry.tensor}.npy" in members:
            with archive.open(f"{entry.tensor}.npy") as member:
                array: Array = npy.read_array(member, allow_pickle=False)
            array.flags.writeable = False
            tensors[entry.tensor] = array
    return tensors


def _statistics(fields: Mapping[str, Any]) -> Statistics:
    counts, edges = fields["histogram"]
    histogram = Histogram(tuple(counts), tuple(edges))
    return Statistics(**{**fields, "histogram": histogram})

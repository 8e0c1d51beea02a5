"""The tensors of a run to compare: a trace, a mapping, or recorded files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike, scandir
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nnefkit.analysis.recorded.polygraphy_results import polygraphy_readers
from nnefkit.analysis.recorded.safetensors_file import safetensors_places
from nnefkit.analysis.recorded.tensor_proto import tensor_proto
from nnefkit.analysis.recorded.unreadable import UNREADABLE
from nnefkit.arguments import expected_path, refuse_masked
from nnefkit.arrays import Array, as_array, check_mapped
from nnefkit.errors import InputError, StorageError
from nnefkit.execution import Trace
from nnefkit.graph import Graph
from nnefkit.storage import map_npy, read_tensor, unreadable

SINGLE = (".npy", ".dat", ".pb", ".tensorproto")
"""Endings of files that have one tensor each."""
RECORDED = (".npz", ".safetensors", ".json", *SINGLE)
"""Endings of recorded runs that are one file."""

Source = Mapping[str, Any] | str | PathLike[str]


@dataclass(frozen=True, eq=False)
class RecordedFiles(Mapping[str, Any]):
    """Tensors in files, by name; each is read every time that it is accessed."""

    path: Path
    readers: Mapping[str, Callable[[], Any]]

    def __getitem__(self, name: str) -> Any:
        return self.readers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self.readers)

    def __len__(self) -> int:
        return len(self.readers)


@dataclass(frozen=True)
class Side:
    """One of the two runs of a comparison."""

    tensors: Mapping[str, Any]
    graph: Graph | None
    """The graph that was run, if it is known."""
    label: str
    """Its name: the engine or the file; may be empty."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Name of a variable -> digest of its values, of those that a saved trace had."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """Name of a tensor -> the line of its operation in the text that a saved trace had."""
    ordered: bool = True
    """Whether the tensors are in the order of their computation, as far as one can know."""


def side(source: Source) -> Side:
    """Return the tensors that `source` holds.

    Args:
        source: A `Trace`, a mapping from tensor names to arrays, or the path of recorded tensors:
            a saved trace, an ``.npz`` or ``.safetensors`` file, results that Polygraphy saved as
            ``.json``, or a folder of ``.npy``, ``.dat``, ``.pb`` and ``.tensorproto`` files, named
            after their tensors (those in subfolders by their path: ``block1/conv``).

    Raises:
        InputError: `source` is none of these.
        StorageError: The path does not exist or cannot be read.
    """
    if isinstance(source, (str, PathLike)):
        path = expected_path(source)
        if not _is_trace(path):
            is_ordered = not path.is_dir() and path.suffix.lower() != ".safetensors"
            return Side(record(path), None, path.name, ordered=is_ordered)
        return _of_trace(Trace.load(path), path.name)
    if not isinstance(source, Mapping):
        raise InputError(
            f"a {type(source).__name__} cannot be compared",
            hint="Several runs are compared by nnefkit.compare_many."
            if isinstance(source, (list, tuple))
            else "Pass a trace (nnefkit.trace(...)), a mapping from tensor names to arrays, an "
            ".npz file, or a folder of .npy, .dat or .pb files.",
        )
    graph = getattr(source, "graph", None)
    label = str(getattr(source, "engine", ""))
    if isinstance(source, Trace):
        return _of_trace(source, label)
    return Side(source, graph if isinstance(graph, Graph) else None, label)


def _of_trace(trace: Trace, label: str) -> Side:
    lines = {entry.tensor: entry.line for entry in trace.run.entries if entry.line is not None}
    return Side(trace, trace.graph, label, trace.weight_digests, lines)


def numeric(values: Any, name: str) -> Array:
    """Return the values of a tensor as an array that can be compared.

    Raises:
        InputError: They are not numbers or bools, or have masked elements.
        StorageError: They are mapped from a file that was changed.
    """
    refuse_masked(values, f"tensor '{name}'")
    try:
        array = as_array(values)
    except ValueError as error:  # of ragged lists, of other libraries
        raise InputError(f"tensor '{name}' cannot be converted to an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"tensor '{name}' has dtype {array.dtype}, which cannot be compared",
            hint="Leave it out, or pass numbers or bools.",
        )
    check_mapped(array)
    return array


def record(path: Path) -> RecordedFiles:
    """Return the tensors recorded at `path`.

    Raises:
        StorageError: There is no file, or none that can be read.
    """
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise StorageError(
            "there is no such file or folder", hint="Check the path.", file=str(path)
        )
    suffix = path.suffix.lower()
    if suffix in SINGLE:
        name, read = _single(path, path.stem)
        return RecordedFiles(path, {name: read})
    if suffix == ".safetensors":
        places = safetensors_places(path)
        return RecordedFiles(path, {name: place.read for name, place in places.items()})
    if suffix == ".json":
        return RecordedFiles(path, polygraphy_readers(path))
    with _opened(path) as members:
        return RecordedFiles(path, {name: _member_reader(path, name) for name in members.files})


def _folder(path: Path) -> RecordedFiles:
    _refuse_closed(path)
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SINGLE and p.is_file())
    if not files:
        raise StorageError(
            f"the folder has no {' or '.join((', '.join(SINGLE[:-1]), SINGLE[-1]))} files",
            hint="numpy.save(folder / 'tensor.npy', array) writes one for each tensor.",
            file=str(path),
        )
    readers: dict[str, Callable[[], Any]] = {}
    for file in files:
        name, read = _single(file, file.relative_to(path).with_suffix("").as_posix())
        if name in readers:
            raise StorageError(
                f"the folder has two files of the tensor '{name}'",
                hint="Delete one of them, or pass the folder of one run, not that of several.",
                file=str(file),
            )
        readers[name] = read
    return RecordedFiles(path, readers)


def _single(path: Path, name: str) -> tuple[str, Callable[[], Any]]:
    """Return name and reader of the tensor in a file; `name` is that of the file."""
    if path.suffix.lower() in (".npy", ".dat"):
        return name, _reader(path)
    tensor = tensor_proto(path)
    return tensor.name or name, tensor.read


def _refuse_closed(folder: Path) -> None:
    try:
        with scandir(folder):
            pass
    except OSError as error:
        raise unreadable(error, folder, "the folder") from error


def _is_trace(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "trace.json" in archive.namelist()
    except UNREADABLE:
        return False


def _reader(path: Path) -> Callable[[], Any]:
    def read() -> Any:
        if path.suffix.lower() == ".dat":
            return read_tensor(path)
        try:
            return map_npy(str(path))
        except UNREADABLE as error:
            raise StorageError(f"this is not an .npy file: {error}", file=str(path)) from error

    return read


def _member_reader(path: Path, name: str) -> Callable[[], Any]:
    def read() -> Any:
        with _opened(path) as members:
            try:
                return members[name]
            except UNREADABLE as error:
                raise StorageError(
                    f"tensor '{name}' cannot be read: {error}", file=str(path)
                ) from error

    return read


@contextmanager
def _opened(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    with _file(path) as file:
        try:
            members = np.load(file, allow_pickle=False)
        except UNREADABLE as error:
            raise StorageError(
                "this is neither an .npz file nor a folder of .npy, .dat or .pb files",
                file=str(path),
                hint="numpy.savez(path, **tensors) writes an .npz file. Files of other formats "
                "end in .safetensors or .json.",
            ) from error
        if not isinstance(members, np.lib.npyio.NpzFile):
            raise StorageError(
                "this is a single array", file=str(path), hint="Rename it: arrays end in .npy."
            )
        yield members


def _file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise unreadable(error, path, "the file") from error

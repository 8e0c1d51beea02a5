"""Tensor files, archives, model folders and quantization files."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import nnefkit as nk

from .mutation import EDGES, mutated_bytes, mutated_parts, smaller_bytes, smaller_text, tokens_of
from .target import READ, REFUSED, Target, attempt, chosen, expect, ours_only
from .texts import check_displays, check_graph, vocabulary

GRAPH = (
    "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 3, 4]); "
    "w = variable(shape = [1, 3], label = 'w'); v = variable(shape = [2, 3], label = 'a/v');"
    " y = add(x, w); }"
)
QUANTIZATION = (
    "# ranges\n"
    '"x": min_max_linear_quantize(min = -2.0, max = [[1.0, 2.0, 3.5]], bits = 8,'
    " signed = true, symmetric = false);\n"
    "'w': zero_point_linear_quantize(zero_point = [[0, 1, 2]], scale = 0.5, bits = 8,"
    " signed = true, symmetric = false);\n"
    '"y": logarithmic_quantize(max = 1.0, bits = 4);\n'
    '"v": linear_quantize(min = 0.0, max = 1.0, bits = 8);\n'
)


@cache
def scratch() -> Path:
    """Return a folder of this process, in memory where the system has such folders."""
    memory = Path("/dev/shm")
    folder = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
    scratch.folder = folder  # type: ignore[attr-defined]  # removed when the process ends
    return Path(folder.name)


def quietly(function: Any, *arguments: Any, **options: Any) -> tuple[Any, Any]:
    """Do as `attempt` does; warnings of ours are allowed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return attempt(function, *arguments, **options)


# -- tensor files --------------------------------------------------------------------------------


@cache
def tensor_files() -> list[bytes]:
    """Return good tensor files of all item types and odd widths."""
    path = scratch() / "good.dat"
    contents = []
    arrays: list[tuple[Any, dict[str, Any]]] = [
        (np.arange(6, dtype=np.float32).reshape(1, 6), {}),
        (np.arange(6, dtype=np.float16), {}),
        (np.arange(6, dtype=np.float64).reshape(1, 2, 1, 3), {}),
        (np.arange(-3, 3, dtype=np.int8).reshape(2, 3), {}),
        (np.arange(6, dtype=np.uint64), {}),
        (np.arange(-4, 4, dtype=np.int16), {"bits": 5}),
        (np.arange(30, dtype=np.uint8), {"bits": 12}),
        (np.arange(8, dtype=np.uint8), {"bits": 3, "quantized": True}),
        (np.arange(6, dtype=np.float32), {"quantized": (-1.0, 6.0)}),
        (np.arange(-8, 8, dtype=np.int8), {"quantized": (-1.0, 6.0), "bits": 8}),
        (np.array([True, False, True]), {}),
        (np.array([True, False, True]), {"bits": 8}),
        (np.array(1.5, np.float64), {}),
    ]
    for array, options in arrays:
        nk.write_tensor(path, array, **options)
        contents.append(path.read_bytes())
    data = np.arange(6, dtype=np.float32).tobytes()
    head = struct.pack("<2sBBIIIIBBH", b"N\xef", 1, 0, 24, 2, 2, 3, 0, 32, 0)
    text = b"linear_quantize(min = -1.0, max = 1.0, bits = 8)"
    quantized = struct.pack("<2sBBIIIBBH", b"N\xef", 1, 0, 20 + len(text), 1, 6, 1, 8, len(text))
    return [*contents, head + data, quantized + text + bytes(6)]


def draw_tensor_file(chance: Random) -> bytes:
    """Draw a tensor file with changed fields of the header, or with changed bytes."""
    content = chance.choice(tensor_files())
    if chance.random() < 0.5:
        return mutated_bytes(content, chance)
    changed = bytearray(content.ljust(128, b"\0"))
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.choice((4, 8, 12, 16, 20, 40, 44, 48, 52, 56, 60, 80))
        near = int.from_bytes(changed[at : at + 4], "little") + chance.choice((-1, 1, 2))
        value = chance.choice((*EDGES, near, near)) % (1 << 32)
        changed[at : at + 4] = value.to_bytes(4, "little")
    if chance.random() < 0.5:  # a length that fits the extents and bits
        rank, *extents = struct.unpack_from("<9I", changed, 8)
        bits = int.from_bytes(changed[44:48], "little")
        count = 1
        for extent in extents[: min(rank, 8)]:
            count *= extent
        length = (count * bits + 7) // 8
        changed[4:8] = (length % (1 << 32)).to_bytes(4, "little")
        if length < 4096:
            changed[128:] = bytes(changed[128:]).ljust(length, b"\x5a")[:length]
    return bytes(changed)


def check_tensor_file(data: bytes, chance: Any) -> str:
    """Check the promises for any tensor file."""
    path = scratch() / "tensor.dat"
    path.write_bytes(data)
    array, error = quietly(nk.read_tensor, path)
    if array is None:
        expect(str(path) in str(error), "an error does not name the file", error)
        return REFUSED
    expect(array.size <= 8 * len(data), "more elements than bits in the file", array.shape)
    expect(not array.flags.writeable, "an array can be changed")
    values = array.copy()
    if chosen(chance, 0.3):
        quietly(nk.read_tensor, path, dequantize=True)
        if array.dtype.kind != "b":
            nk.write_tensor(path, values, bits=8 * values.dtype.itemsize)
        else:
            nk.write_tensor(path, values)
        again = nk.read_tensor(path)
        expect(again.dtype == values.dtype and again.shape == values.shape, "another array")
        expect(again.tobytes() == values.tobytes(), "a written tensor is read differently")
    return READ


# -- models in archives and folders --------------------------------------------------------------


@cache
def model_files() -> dict[str, bytes]:
    """Return the files of a small model."""
    graph = nk.parse(GRAPH, QUANTIZATION)
    data = {"w": np.ones((1, 3), np.float32), "v": np.arange(6.0).reshape(2, 3)}
    folder = scratch() / "good"
    nk.save(graph.with_data(data), folder)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    named = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {**named, "note.txt": b"vendor"}


NAMES = ["graph.nnef", "w.dat", "a/v.dat", "graph.quant", "note.txt", "./w.dat", "../w.dat", "/w"]
NAMES += [
    "a/../w.dat",
    "W.DAT",
    "a\\v.dat",
    "C:/x",
    "",
    ".",
    "..",
    "a/",
    "top/graph.nnef",
    "\u202e",
]
NAMES += [
    "x" * 300,
    "\udc80.dat",
    "a\0b",
    "__MACOSX/graph.nnef",
    "a//v.dat",
    "\u0301.dat",
    "w.dat/x",
]


def draw_archive(chance: Random) -> bytes:
    """Draw a tar, tar.gz or zip archive with changes to its files, its members or its bytes."""
    members = list(model_files().items())
    if chance.random() < 0.4:
        at = chance.randrange(len(members))
        name, content = members[at]
        members[at] = name, _changed_file(name, content, chance)
    if chance.random() < 0.3:
        renamed = [(chance.choice(NAMES), b""), (chance.choice(NAMES), b"version 1.0;")]
        members = mutated_parts(members, renamed, chance)[:40]
    if chance.random() < 0.2:
        top = chance.choice(("top/", "./", "a/b/"))
        members = [(top + name, content) for name, content in members]
    packed = _zip(members, chance) if chance.random() < 0.4 else _tar(members, chance)
    if chance.random() < 0.6:
        packed = mutated_bytes(packed, chance)
    if packed[:2] != b"PK" and chance.random() < 0.3:
        packed = gzip.compress(packed, 1, mtime=0)
        if chance.random() < 0.3:
            packed = mutated_bytes(packed, chance)
    return packed


def _changed_file(name: str, content: bytes, chance: Random) -> bytes:
    if name.endswith(".dat"):
        return chance.choice((mutated_bytes, lambda _, c: draw_tensor_file(c)))(content, chance)
    parts = tokens_of(content.decode())
    text = "".join(mutated_parts(parts, vocabulary(), chance))
    return text.encode("utf-8", "surrogatepass")


def _tar(members: list[tuple[str, bytes]], chance: Random) -> bytes:
    form = chance.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, b"S", b"x", b"g")
    packed = b""
    for name, content in members:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        if chance.random() < 0.05:
            info.type = chance.choice((*kinds, b"L", b"K", b"9", b"\0"))
            info.linkname = chance.choice((*NAMES, "w.dat", "graph.nnef"))
        if chance.random() < 0.03:
            info.size = chance.choice(EDGES)
        if form == tarfile.PAX_FORMAT and chance.random() < 0.2:
            key = chance.choice(("path", "size", "linkpath", "GNU.sparse.major", "comment", ""))
            info.pax_headers = {key: chance.choice((*NAMES, "-1", "10", "1e3", "9" * 30))}
        try:
            head = info.tobuf(form, "utf-8", "surrogateescape")
        except (ValueError, UnicodeError):
            continue
        packed += head + content + bytes(-len(content) % 512)
    return packed + bytes(chance.choice((0, 512, 1024, 1024, 1024)))


def _zip(members: list[tuple[str, bytes]], chance: Random) -> bytes:
    buffer = io.BytesIO()
    stored, deflated = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
    way = chance.choice((stored, deflated, deflated, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", way) as archive:
        warnings.simplefilter("ignore")  # about members of the same name
        for name, content in members:
            info = zipfile.ZipInfo(name or " ")
            info.compress_type = way
            if chance.random() < 0.05:
                info.create_system = 3
                info.external_attr = chance.choice((0o120777, 0o010644, 0o040755, 0)) << 16
            try:
                archive.writestr(info, content)
            except (ValueError, UnicodeError):
                continue
    return buffer.getvalue()


def check_archive(data: bytes, chance: Any) -> str:
    """Check the promises for any archive: `validate` reports what `load` raises."""
    folder = scratch() / "archive"
    folder.mkdir(exist_ok=True)
    path = folder / "model.nnef.tgz"
    path.write_bytes(data)
    outcome = _check_model(path, chance)
    expect([*folder.iterdir()] == [path], "files were written", [*folder.iterdir()])
    return outcome


def _check_model(path: Path, chance: Any) -> str:
    report, failed = quietly(nk.validate, path)
    expect(failed is None, "validate raises an error", failed)
    graph, error = quietly(nk.load, path)
    expect(report.ok == (graph is not None), "validate and load disagree", report)
    if graph is None:
        texts = {str(d) for d in report.errors} ^ {str(d) for d in error.diagnostics}
        expect(not texts, "validate reports other errors than load", texts)
        return REFUSED
    for tensor in graph.tensors.values():
        if tensor.data is not None:
            tensor.data.sum()
    if chosen(chance, 0.2):
        check_displays(graph, "")
        check_graph(graph, chance)
        _check_saved(graph, chance)
    return READ


_REFUSED_NAMES = ("both a file and the folder", "file name too long", "a zip archive cannot hold")
"""Why one format cannot hold the files of another."""


def _check_saved(graph: nk.Graph, chance: Any) -> None:
    """A saved model is loaded as the same one."""
    for ending in (
        ("", ".tgz", ".zip", ".tar") if chance is None else (chance.choice(("", ".zip")),)
    ):
        path = scratch() / f"saved{ending}"
        _, error = quietly(nk.save, graph, path)
        if error is not None and any(reason in str(error) for reason in _REFUSED_NAMES):
            continue
        expect(error is None, "a loaded model is not saved", error)
        again, error = quietly(nk.load, path)
        expect(again is not None, "a saved model is not loaded", error)
        expect(str(again) == str(graph), "saving changes the graph", str(again))
        for name, tensor in graph.tensors.items():
            other = again.tensors[name]
            expect(other.quantization == tensor.quantization, "saving changes quantization", name)
            if tensor.data is not None:
                same = np.array_equal(
                    other.data, tensor.data, equal_nan=other.data.dtype.kind == "f"
                )
                expect(same, "saving changes data", name)


# -- quantization files --------------------------------------------------------------------------

OPERATIONS = ["min_max_linear_quantize", "zero_point_linear_quantize", "linear_quantize"]
OPERATIONS += ["logarithmic_quantize", "relu", "conv", "quantize", "external"]
VALUES = ["0", "1", "-1", "2.5", "8", "16", "0.0", "1e400", "-1e400", "1e-400", "true", "false"]
VALUES += [
    "[1.0, 2.0, 3.0]",
    "[[1.0, 2.0, 3.5]]",
    "[]",
    "'text'",
    "9223372036854775808",
    "[[0, 1]]",
]
VALUES += ["(1, 2)", "[[[1.0]], [[2.0]]]", "x", "-0.0", "33", "100000", "1.0 + 1.0", "[0, 'a']"]


def draw_quantization(chance: Random) -> bytes:
    """Draw a quantization file: a mutated one, or lines with any operation and arguments."""
    if chance.random() < 0.5:
        words = [*vocabulary()[:: chance.choice((7, 50))], *VALUES]
        text = "".join(mutated_parts(tokens_of(QUANTIZATION), words, chance))
        return text.encode("utf-8", "surrogatepass")
    names = ("min", "max", "bits", "signed", "symmetric", "zero_point", "scale", "x", "alpha", "a")
    lines = []
    for _ in range(chance.randrange(1, 4)):
        tensor = chance.choice(("x", "w", "y", "v", "nothing", "", "x\\'", "\u202e"))
        some = chance.sample(names, chance.randrange(0, 6))
        arguments = ", ".join(f"{name} = {chance.choice(VALUES)}" for name in some)
        lines.append(f"'{tensor}': {chance.choice(OPERATIONS)}({arguments});")
    return "\n".join(lines).encode()


def check_quantization(data: bytes, chance: Any) -> str:
    """Check the promises for any quantization file."""
    return ours_only(lambda: _check_quantization(data.decode("utf-8", "surrogatepass"), chance))


def _check_quantization(text: str, chance: Any) -> str:
    graph, error = attempt(nk.parse, GRAPH, text)
    if graph is None:
        for diagnostic in error.diagnostics:
            expect(bool(diagnostic.hint), "error without a hint", diagnostic)
            expect(bool(diagnostic.section), "error without a section", diagnostic)
        return REFUSED
    if chosen(chance, 0.2):
        report = nk.validate(graph)
        expect(report.ok, "a parsed graph is not valid", report)
        check_displays(graph, text)
        weights = {"w": np.ones((1, 3), np.float32), "v": np.ones((2, 3), np.float32)}
        _check_saved(graph.with_data(weights), chance)
    return READ


def smaller_archive(data: bytes) -> Iterator[bytes]:
    """Return archives with fewer blocks, or fewer bytes."""
    yield from _fewer_blocks(data)
    yield from smaller_bytes(data)


def _fewer_blocks(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), 512):
        yield data[:at] + data[at + 512 :]


TARGETS = [
    Target("tensor_file", ".dat", draw_tensor_file, check_tensor_file, smaller_bytes, 0.3),
    Target("archive", ".archive", draw_archive, check_archive, smaller_archive),
    Target("quantization", ".quant", draw_quantization, check_quantization, smaller_text),
]

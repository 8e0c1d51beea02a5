"""Saved traces and other recorded tensors: everything in their archives may be wrong."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from functools import cache
from random import Random
from typing import Any

import numpy as np

import nnefkit as nk

from .files import scratch
from .mutation import EDGES, mutated_bytes, mutated_parts, smaller_bytes
from .target import READ, REFUSED, Target, attempt, chosen, expect, ours_only
from .texts import check_displays

TEXT = (
    "version 1.0; graph g(x, k) -> (y, t, l) { x = external(shape = [2, 3]);"
    " k = external<integer>(shape = [2]); w = variable(shape = [1, 3], label = 'w');"
    " a = add(x, w); y = relu(a); [t, u] = unstack(y, axis = 0); l = lt(x, 0.5); }"
)
VALUES = [None, True, False, 0, 1, -1, 2.5, "x", "", "\u202e\x1b[31m", [], [1], [[]], {}, {"a": 1}]
VALUES += [float("nan"), float("inf"), 1e308, 2**70, -(2**63), "9" * 50, [2, 3], [None], "y" * 3000]
NAMES = ["trace.json", "x.npy", "y.npy", "nothing.npy", "../x.npy", "", "x", "/a.npy", "a\\b.npy"]
ARRAYS = [np.zeros((0, 3)), np.array("text"), np.array([b"x"]), np.array(1 + 2j), np.array(True)]
ARRAYS += [np.arange(3, dtype=">i4"), np.array(["2001-01-01"], "M8[D]"), np.zeros(2, "i4,f4")]
ARRAYS += [np.float16([np.nan, np.inf]), np.longdouble([1, 2]), np.zeros((1,) * 30)]


def stopped_trace() -> nk.Trace:
    """Return the trace of a run that failed before its last operation."""
    stop = "fragment stop(x: tensor<scalar>) -> (y: tensor<scalar>);"

    def kernel(x: Any) -> Any:
        raise ValueError("no more")

    operations = nk.CustomOperations()
    operations.register(stop, shape=lambda x: x, kernel=kernel)
    text = f"version 1.0; extension KHR_enable_fragment_definitions; {stop} graph g(x) -> (y) {{"
    text += " x = external(shape = [2, 3]); a = log(x); t = stop(a); y = relu(t); }"
    graph = nk.parse(text, custom_operations=operations)
    try:
        trace = nk.trace(graph, np.eye(2, 3), custom_operations=operations)
    except nk.ExecutionError as error:
        trace = error.trace
    expect(bool(trace.run.stopped), "the run did not stop", trace)
    return trace


@cache
def traces() -> list[bytes]:
    """Return saved traces with values, with statistics, with both, and of a run that failed."""
    graph = nk.parse(TEXT).with_data({"w": np.ones((1, 3), np.float32)})
    inputs = {"x": np.array([[-1, 0, 1], [np.nan, np.inf, 3]]), "k": np.array([1, 2])}
    path, saved = scratch() / "trace.npz", []
    for keep in ("all", "statistics", ["x", "y", "l"]):
        nk.trace(graph, inputs, keep=keep).save(path)
        saved.append(path.read_bytes())
    stopped_trace().save(path)
    return [*saved, path.read_bytes()]


@cache
def members() -> list[dict[str, bytes]]:
    """Return the members of the saved traces."""
    found = []
    for data in traces():
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found.append({name: archive.read(name) for name in archive.namelist()})
    return found


def draw_trace(chance: Random) -> bytes:
    """Draw a trace with another description, other arrays, other members or other bytes."""
    if chance.random() < 0.3:
        return mutated_bytes(chance.choice(traces()), chance)
    named = dict(chance.choice(members()))
    if chance.random() < 0.7:
        described = named["trace.json"]
        if chance.random() < 0.9:
            described = json.dumps(changed_json(json.loads(described), chance)).encode()
            if chance.random() < 0.1:
                described = mutated_bytes(described, chance)
        elif chance.random() < 0.5:
            deep = chance.choice((10, 2000, 100_000))
            described = chance.choice(([b"["] * deep, [b'{"a":'] * deep))[0] * deep
        else:
            described = chance.choice((b"", b"{}", b"[]", b"null", b"\xff\xfe", b"1e999", b"nan"))
        named["trace.json"] = described
    pairs = list(named.items())
    if chance.random() < 0.3:
        at = chance.randrange(len(pairs))
        changed = _array(chance) if chance.random() < 0.5 else mutated_bytes(pairs[at][1], chance)
        pairs[at] = pairs[at][0], changed
    if chance.random() < 0.15:
        pairs = mutated_parts(pairs, [(name, b"") for name in NAMES], chance)[:30]
    packed = _packed(pairs, chance)
    return mutated_bytes(packed, chance) if chance.random() < 0.1 else packed


def changed_json(value: Any, chance: Random) -> Any:
    """Change one value somewhere in a structure of JSON, or a few."""
    for _ in range(chance.choice((1, 1, 2))):
        value = _changed_once(value, chance, 0)
    return value


def _changed_once(value: Any, chance: Random, depth: int) -> Any:
    inner = isinstance(value, (dict, list)) and bool(value) and chance.random() < 0.95
    if not inner or (depth > 0 and chance.random() < 0.15):
        return chance.choice([*VALUES, *EDGES])
    if isinstance(value, dict):
        value = dict(value)
        key = chance.choice(list(value))
        match chance.randrange(8):
            case 0:
                del value[key]
            case 1:
                value[chance.choice(("new", "", "x", key + "x"))] = chance.choice(VALUES)
            case _:
                value[key] = _changed_once(value[key], chance, depth + 1)
        return value
    if chance.random() < 0.2:
        return mutated_parts(value, VALUES, chance)[:100]
    at = chance.randrange(len(value))
    return [*value[:at], _changed_once(value[at], chance, depth + 1), *value[at + 1 :]]


def _array(chance: Random) -> bytes:
    buffer = io.BytesIO()
    if chance.random() < 0.3:  # a header that lies about its data
        shape = tuple(chance.choice((*EDGES, -1)) for _ in range(chance.randrange(4)))
        kind = chance.choice(("<f4", "|O", "|b1", "<U9", "|V0", "<M8[s]", "x", "<f8,<i4", "<c32"))
        header = repr({"descr": kind, "fortran_order": chance.random() < 0.5, "shape": shape})
        header += " " * (63 - len(header) % 64) + "\n"
        length = len(header).to_bytes(2, "little")
        return b"\x93NUMPY\x01\x00" + length + header.encode() + bytes(chance.randrange(64))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.save(buffer, chance.choice(ARRAYS), allow_pickle=False)
    return buffer.getvalue()


def _packed(pairs: list[tuple[str, bytes]], chance: Random) -> bytes:
    buffer = io.BytesIO()
    ways = (zipfile.ZIP_STORED,) * 4 + (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    way = chance.choice(ways)
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", way) as archive:
        warnings.simplefilter("ignore")  # about members of the same name
        for name, content in pairs:
            info = zipfile.ZipInfo(name or " ")
            info.compress_type = way
            archive.writestr(info, content)
    return buffer.getvalue()


def check_trace(data: bytes, chance: Any) -> str:
    """Check the promises for any file that should be a trace."""
    return ours_only(lambda: _check_trace(data, chance))


def _check_trace(data: bytes, chance: Any) -> str:
    path = scratch() / "read.npz"
    path.write_bytes(data)
    if chosen(chance, 0.2):
        attempt(nk.compare, path, {"x": np.zeros((2, 3)), "y": np.zeros((2, 3))})
    trace, error = attempt(nk.Trace.load, path)
    if trace is None:
        expect(str(path) in str(error), "an error does not name the file", error)
        return REFUSED
    for name, array in trace.items():
        expect(isinstance(name, str) and isinstance(array, np.ndarray), "wrong items", repr(name))
    if chosen(chance, 0.5):
        check_displays(trace, "")
        trace.to_frame()
        for name in trace:
            check_displays(trace.tensor(name), "")
        attempt(nk.compare, trace, trace)
        attempt(nk.Trace.load, path, nk.parse(TEXT))
        trace.save(scratch() / "again.npz")
        again = nk.Trace.load(scratch() / "again.npz")
        expect(list(again) == list(trace), "a saved trace has other tensors", list(again))
    return READ


TARGETS = [Target("trace", ".npz", draw_trace, check_trace, smaller_bytes)]

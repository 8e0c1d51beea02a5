"""Recorded tensors in the formats of other programs: every byte of them may be wrong."""

from __future__ import annotations

import base64
import io
import json
import struct
from functools import cache
from random import Random
from typing import Any

import numpy as np

import nnefkit as nk
from nnefkit.analysis.recordings import record

from .files import scratch
from .mutation import mutated_bytes, smaller_bytes
from .target import READ, REFUSED, Target, attempt, chosen, expect, ours_only
from .traces import changed_json

ARRAYS = {"x": np.float32([[1, -2, np.nan]]), "k": np.array([1, 2]), "e": np.zeros((0, 2))}


def _proto(name: str, array: Any) -> bytes:
    number = {"f": 1 if array.dtype.itemsize == 4 else 11, "i": 7}[array.dtype.kind]
    dims = b"".join(bytes([0x08, each]) for each in array.shape)
    head = dims + bytes([0x10, number, 0x42, len(name)]) + name.encode()
    return head + bytes([0x4A, array.nbytes]) + array.tobytes()


def _safetensors(header: Any, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@cache
def _header() -> tuple[dict[str, Any], bytes]:
    header: dict[str, Any] = {"__metadata__": {"a": "b"}}
    data = b""
    for name, array in ARRAYS.items():
        dtype = {"float32": "F32", "int64": "I64", "float64": "F64"}[str(array.dtype)]
        end = len(data) + array.nbytes
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [len(data), end],
        }
        data += array.tobytes()
    return header, data


@cache
def _results() -> Any:
    outputs = {}
    for name, array in ARRAYS.items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        encoded = {"array": base64.b64encode(buffer.getvalue()).decode()}
        outputs[name] = {"values": encoded, "polygraphy_class": "LazyArray"}
    return {"lst": [["runner", [{"outputs": outputs}]]], "polygraphy_class": "RunResults"}


ENDINGS = (".safetensors", ".pb", ".json")


def draw_recording(chance: Random) -> bytes:
    """Draw a file: one byte for its format, then its bytes."""
    ending = chance.randrange(3)
    changed = chance.random() < 0.6
    if ending == 0:
        header, data = _header()
        content = _safetensors(changed_json(header, chance) if changed else header, data)
    elif ending == 1:
        content = _proto(*chance.choice(list(ARRAYS.items())))
    else:
        content = json.dumps(changed_json(_results(), chance) if changed else _results()).encode()
    if not changed or chance.random() < 0.2 or ending == 1:
        content = mutated_bytes(content, chance)
    return bytes([ending]) + content


def check_recording(data: bytes, chance: Any) -> str:
    """Check the promises for any recorded file."""
    return ours_only(lambda: _check_recording(data, chance))


def _check_recording(data: bytes, chance: Any) -> str:
    path = scratch() / f"recorded{ENDINGS[data[0] % 3 if data else 0]}"
    path.write_bytes(data[1:])
    if chosen(chance, 0.3):
        attempt(nk.compare, path, ARRAYS)
    found, error = attempt(record, path)
    if found is None:
        expect(str(path) in str(error), "an error does not name the file", error)
        return REFUSED
    for name in found:
        array, error = attempt(found.__getitem__, name)
        if array is None:
            expect(str(path) in str(error), "an error does not name the file", error)
            return REFUSED
        expect(isinstance(array, np.ndarray), "wrong items", repr(name))
    return READ


TARGETS = [Target("recording", ".bin", draw_recording, check_recording, smaller_bytes)]

"""Keras models: files with changed bytes, and architectures with changed parts."""

from __future__ import annotations

import io
import json
import tempfile
import warnings
import zipfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import nnefkit as nk

from .mutation import EDGES, mutated_bytes, smaller_bytes
from .target import READ, REFUSED, Target, attempt, chosen, expect
from .texts import check_graph
from .tflite_models import is_small

MAX_BYTES = 62_000
WORDS = (
    *("same", "valid", "causal", "channels_first", "channels_last", "bilinear", "nearest", "relu"),
    *("softmax", "tanh", "Lambda", "Dense", "LSTM", "Functional", "Sequential", "linear", ""),
    *("concat", "sum", "keras.layers", "builtins", "float16", "int8", "../x", "\x00", "a" * 3000),
)
WEIGHTS = "model.weights.h5"


@cache
def models() -> list[bytes]:
    """Return the reference models that are small."""
    from oracles.keras_references import data, names

    wholes = [data(name) for name in names() if not name.endswith(".json")]
    return [each for each in wholes if len(each) < MAX_BYTES]


def draw_keras(chance: Random) -> bytes:
    """Draw a model with changed bytes or, more often, with a changed architecture."""
    data = chance.choice(models())
    if chance.random() < 0.35:
        return mutated_bytes(data, chance)
    if not data.startswith(b"PK"):
        return _with_changed_attributes(data, chance)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if chance.random() < 0.25:
        members[WEIGHTS] = mutated_bytes(members[WEIGHTS], chance)
    else:
        members["config.json"] = _changed_text(members["config.json"], chance)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


def _with_changed_attributes(data: bytes, chance: Random) -> bytes:
    """Change the architecture in an HDF5 file, or one of its groups."""
    import h5py

    file = io.BytesIO(data)
    with h5py.File(file, "r+") as opened:
        if chance.random() < 0.7:
            text = opened.attrs["model_config"]
            text = text.encode() if isinstance(text, str) else bytes(text)
            opened.attrs["model_config"] = _text(_changed_text(text, chance))
        else:
            group = opened["model_weights"]
            name = chance.choice([*group])
            match chance.randrange(4):
                case 0:
                    del group[name]
                case 1:
                    group[name].attrs["weight_names"] = chance.choice((3, "x", [b"a/b"], [[1.0]]))
                case 2:
                    del group[name]
                    group[name] = h5py.ExternalLink("/etc/passwd", "/x")
                case _:
                    del group[name]
                    group.create_dataset(name, shape=(1 << 40,), dtype="f4", chunks=(1 << 20,))
    return file.getvalue()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\x00", "?")


def _changed_text(text: bytes, chance: Random) -> bytes:
    if chance.random() < 0.1:
        return mutated_bytes(text, chance)
    whole = json.loads(text)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        places: list[tuple[Any, Any]] = []
        _collect(whole, places)
        holder, key = chance.choice(places)
        _change(holder, key, [value for other, at in places for value in [other[at]]], chance)
    return json.dumps(whole).encode()


def _collect(value: Any, places: list[tuple[Any, Any]]) -> None:
    """Collect all members of mappings and lists; initializers count less."""
    keys = [*value] if isinstance(value, dict) else range(len(value))
    for key in keys:
        if isinstance(key, str) and key.endswith(("_initializer", "_regularizer", "_constraint")):
            continue
        places.append((value, key))
        if isinstance(value[key], (dict, list)):
            _collect(value[key], places)


def _change(holder: Any, key: Any, others: list[Any], chance: Random) -> None:
    value = holder[key]
    match chance.randrange(8):
        case 0:
            del holder[key]
        case 1:
            holder[key] = json.loads(json.dumps(chance.choice(others)))
        case 2:
            holder[key] = None
        case 3:
            holder[key] = [value] if chance.random() < 0.5 else {"class_name": value, "config": {}}
        case 4 if isinstance(holder, list):
            holder.insert(key, json.loads(json.dumps(chance.choice(holder))))
        case 5:
            holder[key] = chance.choice(WORDS)
        case _ if isinstance(value, bool):
            holder[key] = not value
        case _ if isinstance(value, (int, float)):
            near = value + chance.choice((-1, 1))
            holder[key] = near if chance.random() < 0.6 else chance.choice((*EDGES, -1, 0.5, 1e30))
        case _ if isinstance(value, str):
            holder[key] = chance.choice(WORDS)
        case _:
            holder[key] = chance.choice(EDGES[:20])


def check_keras(data: bytes, chance: Any) -> str:
    """Check the promises for any file."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        path = Path(folder) / ("model.keras" if data.startswith(b"PK") else "model.h5")
        path.write_bytes(data)
        graph, _ = attempt(nk.from_keras, path, verify=False, progress=False)
        if graph is None:
            return REFUSED
        elements = sum(t.data.size for t in graph.tensors.values() if t.data is not None)
        expect(elements < 1 << 26, "a small model becomes a large graph", elements)
        if chosen(chance, 0.2) and is_small(graph):
            check_graph(graph, chance)
    return READ


TARGETS = [Target("keras", ".keras", draw_keras, check_keras, smaller_bytes, 4.0)]

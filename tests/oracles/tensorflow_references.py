"""TensorFlow models with recorded inputs and outputs, and the verdict on each of them.

They are in ``tests/models/tensorflow_files``: single operators as frozen graphs, and networks as
frozen graphs, SavedModels, MetaGraphs with checkpoints, and text. The numbers are TensorFlow's own.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import nnefkit as nk

MODELS = Path(__file__).parents[1] / "models"
FOLDER = MODELS / "tensorflow_files"
SETS = ("operators", "networks")
TOLERANCE = 1e-5
KINDS = {
    "graph.pbtxt": "text",
    "saved_model.pb": "SavedModel",
    "model.ckpt.meta": "MetaGraph",
}
"""Name of a file -> what it is; others are frozen graphs."""


@dataclass(frozen=True)
class Verdict:
    name: str
    result: str
    """equal (within 1e-5), refused or wrong."""
    difference: float = 0.0
    """The largest one, relative to the largest element."""
    reason: str = ""


@cache
def _members(archive: Path) -> Mapping[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {each: opened.read(each) for each in opened.namelist()}


@cache
def _extracted() -> tempfile.TemporaryDirectory[str]:
    """Return a folder with all networks, which exists as long as the process."""
    folder = tempfile.TemporaryDirectory(prefix="nnefkit-tensorflow-")
    with zipfile.ZipFile(FOLDER / "networks.zip") as opened:
        opened.extractall(folder.name)
    return folder


@cache
def names() -> tuple[str, ...]:
    """Return the names of all models: set/path of the file."""
    found = [f"operators/{n}" for n in _members(FOLDER / "operators.zip") if n.endswith(".pb")]
    members = _members(FOLDER / "networks.zip")
    files = [n for n in members if n.endswith((".pb", ".pbtxt", ".meta"))]
    return (*found, *(f"networks/{n}" for n in files))


def path(name: str) -> Path:
    """Return the path of a file of a network, or of the folder of a SavedModel."""
    file = Path(_extracted().name) / name.removeprefix("networks/")
    return file.parent if file.name == "saved_model.pb" else file


def source(name: str) -> Path | bytes:
    """Return what `nk.from_tensorflow` reads."""
    group, _, member = name.partition("/")
    return _members(FOLDER / "operators.zip")[member] if group == "operators" else path(name)


def kind(name: str) -> str:
    return KINDS.get(Path(name).name, "frozen graph")


def recorded(name: str) -> dict[str, Any]:
    """Return the recorded tensors of a model: ``inputs/x``, ``outputs/y``."""
    group, _, member = name.partition("/")
    stem = f"{Path(member).stem}.npz"
    if group == "operators":
        own = _members(FOLDER / "operators.zip")
        data = own[stem] if stem in own else _members(MODELS / "tflite" / "operators.zip")[stem]
    else:
        network = member.partition("/")[0]
        data = _members(FOLDER / "networks.zip")[f"{network}/{network}.npz"]
    with np.load(io.BytesIO(data)) as file:
        return dict(file)


def arguments(name: str) -> dict[str, Any]:
    """Return the arguments of `nk.from_tensorflow` that choose the recorded tensors."""
    group, _, member = name.partition("/")
    if group == "operators":
        table = json.loads(_members(FOLDER / "operators.zip")["outputs.json"])
        return {"outputs": table[Path(member).stem]}
    shapes = {
        key.removeprefix("inputs/"): array.shape
        for key, array in recorded(name).items()
        if key.startswith("inputs/")
    }
    if kind(name) == "SavedModel":
        # Those that Keras names itself are fixed.
        return {"input_shapes": {}} if "savedmodel_tf" in name else {"input_shapes": shapes}
    table = json.loads(_members(FOLDER / "networks.zip")["tensors.json"])
    return {**table[member.partition("/")[0]], "input_shapes": shapes}


def graph(name: str, **options: Any) -> nk.Graph:
    """Return the graph of a model."""
    given = {**arguments(name), **options}
    return nk.from_tensorflow(source(name), **given, verify=False, progress=False)


def results(name: str, read: nk.Graph) -> list[tuple[Any, Any]]:
    """Return pairs of outputs: those of a graph, and those that were recorded."""
    known = recorded(name)
    inputs = {k.removeprefix("inputs/"): v for k, v in known.items() if k.startswith("inputs/")}
    expected = {k.removeprefix("outputs/"): v for k, v in known.items() if k.startswith("outputs/")}
    (only,) = inputs.values() if len(inputs) == 1 else (None,)
    feeds = {each: inputs.get(each, only) for each in read.inputs}
    outputs = nk.run(read, feeds)
    (single,) = expected.values() if len(expected) == 1 else (None,)
    return [(np.asarray(array), expected.get(n, single)) for n, array in outputs.items()]


@cache
def verdict(name: str) -> Verdict:
    """Return whether the graph of a model computes what was recorded."""
    try:
        read = graph(name)
    except nk.NnefError as error:
        return Verdict(name, "refused", reason=error.diagnostics[0].message)
    largest = max(_difference(array, expected) for array, expected in results(name, read))
    return Verdict(name, "equal" if largest <= TOLERANCE else "wrong", largest)


def _difference(array: Any, expected: Any) -> float:
    if array.shape != expected.shape:
        return float("inf")
    a, b = array.astype(np.float64), expected.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        distance = np.where(same, 0.0, np.abs(a - b))
    scale = max(1.0, float(np.abs(b[np.isfinite(b)]).max(initial=0.0)))
    worst = float(distance.max(initial=0.0)) / scale
    return float("inf") if np.isnan(worst) else worst

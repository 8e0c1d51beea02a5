"""Caffe networks with recorded inputs, outputs and tensors, in ``tests/models/caffe_files``."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import nnefkit as nk

ARCHIVE = Path(__file__).parents[1] / "models" / "caffe_files" / "networks.zip"


@cache
def _members() -> Mapping[str, bytes]:
    with zipfile.ZipFile(ARCHIVE) as opened:
        return {each: opened.read(each) for each in opened.namelist()}


@cache
def names() -> tuple[str, ...]:
    """Return the names of all networks."""
    return tuple(each.partition("/")[0] for each in _members() if each.endswith(".prototxt"))


def layers(name: str) -> list[str]:
    """Return the types of layers of a network."""
    found: list[str] = json.loads(_members()["layers.json"])[name]
    return found


def text(name: str) -> bytes:
    """Return the text of a network."""
    return _members()[f"{name}/deploy.prototxt"]


def weights(name: str) -> bytes:
    """Return the weights of a network."""
    return _members()[f"{name}/{name}.caffemodel"]


@cache
def recorded(name: str) -> dict[str, Any]:
    """Return the recorded tensors of a network: ``inputs/x``, ``outputs/y``, ``tensors/layer``."""
    with np.load(io.BytesIO(_members()[f"{name}/{name}.npz"])) as file:
        return dict(file)


@cache
def graph(name: str) -> nk.Graph:
    """Return the graph of a network."""
    return nk.from_caffe(text(name), weights(name), verify=False, progress=False)


def _relative(array: Any, expected: Any) -> float:
    if np.shape(array) != np.shape(expected):
        return float("inf")
    size = max(float(np.abs(expected).max()), 1e-30)
    return float(np.abs(np.asarray(array, float) - expected).max()) / size


@cache
def differences(name: str) -> dict[str, float]:
    """Return the name of each output and layer -> the relative difference to the record."""
    read, known = graph(name), recorded(name)
    feeds = {each: known[f"inputs/{each}"] for each in read.inputs}
    found = nk.trace(read, feeds, progress=False)
    origins = {tensor.origin: key for key, tensor in read.tensors.items() if tensor.origin}
    compared = {
        key: _relative(found[origins[key.removeprefix("tensors/")]], array)
        for key, array in known.items()
        if key.removeprefix("tensors/") in origins and key.startswith("tensors/")
    }
    for key in known:
        if key.startswith("outputs/"):
            compared[key] = _relative(found[key.removeprefix("outputs/")], known[key])
    return compared


def difference(name: str) -> float:
    """Return the largest relative difference of a network."""
    return max(differences(name).values())

"""Torch7 networks with recorded inputs, outputs and tensors, in ``tests/models/torch7_files``."""

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

ARCHIVE = Path(__file__).parents[1] / "models" / "torch7_files" / "networks.zip"


@cache
def _members() -> Mapping[str, bytes]:
    with zipfile.ZipFile(ARCHIVE) as opened:
        return {each: opened.read(each) for each in opened.namelist()}


@cache
def names() -> tuple[str, ...]:
    """Return the names of all networks."""
    return tuple(each.partition("/")[0] for each in _members() if each.endswith(".npz"))


def modules(name: str) -> list[str]:
    """Return the classes of modules of a network."""
    found: list[str] = json.loads(_members()["modules.json"])[name]
    return found


def binary(name: str) -> bytes:
    """Return the file of a network in binary."""
    return _members()[f"{name}/{name}.t7"]


def text(name: str) -> bytes:
    """Return the file of a network as text."""
    return _members()[f"{name}/{name}.ascii.t7"]


@cache
def recorded(name: str) -> dict[str, Any]:
    """Return the recorded tensors of a network: ``tensors/module1``."""
    with np.load(io.BytesIO(_members()[f"{name}/{name}.npz"])) as file:
        return dict(file)


def input_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Return the name of each input -> its shape."""
    arrays = {key: array for key, array in recorded(name).items() if key.startswith("inputs/")}
    return {key.removeprefix("inputs/"): array.shape for key, array in arrays.items()}


@cache
def graph(name: str, *, as_text: bool = False) -> nk.Graph:
    """Return the graph of a network."""
    file = text(name) if as_text else binary(name)
    return nk.from_torch7(file, input_shapes(name), verify=False, progress=False)


def _relative(array: Any, expected: Any) -> float:
    if np.shape(array) != np.shape(expected):
        return float("inf")
    size = max(float(np.abs(expected).max()), 1e-30)
    return float(np.abs(np.asarray(array, float) - expected).max()) / size


@cache
def differences(name: str) -> dict[str, float]:
    """Return the name of each output and module -> the relative difference to the record."""
    read, known = graph(name), recorded(name)
    feeds = {each: known[f"inputs/{each}"] for each in read.inputs}
    found = nk.trace(read, feeds, progress=False)
    origins = {tensor.origin: key for key, tensor in read.tensors.items() if tensor.origin}
    compared = {}
    for key, array in known.items():
        kind, _, each = key.partition("/")
        if kind == "outputs":
            compared[key] = _relative(found[each], array)
        elif kind == "tensors" and each in origins:
            compared[key] = _relative(found[origins[each]], array)
    return compared


def difference(name: str) -> float:
    """Return the largest relative difference of a network."""
    return max(differences(name).values())

"""MXNet networks with recorded inputs, outputs and tensors, in ``tests/models/mxnet_files``."""

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

ARCHIVE = Path(__file__).parents[1] / "models" / "mxnet_files" / "networks.zip"


@cache
def _members() -> Mapping[str, bytes]:
    with zipfile.ZipFile(ARCHIVE) as opened:
        return {each: opened.read(each) for each in opened.namelist()}


@cache
def index() -> dict[str, Any]:
    """Return what is known about each network: inputs, operators, the order of the outputs."""
    known: dict[str, Any] = json.loads(_members()["index.json"])
    known.pop("ndarrays")
    return known


def member(path: str) -> bytes:
    """Return a file of the archive."""
    return _members()[path]


def symbol(name: str) -> bytes:
    """Return the symbol of a network."""
    return _members()[f"{name}/{name}-symbol.json"]


def params(name: str) -> bytes:
    """Return the parameters of a network."""
    return _members()[f"{name}/{index()[name]['files'][1]}"]


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the inputs of a network."""
    return {key: tuple(shape) for key, (shape, _) in index()[name]["inputs"].items()}


@cache
def recorded(path: str) -> dict[str, Any]:
    """Return the arrays of an ``.npz`` by name: ``inputs/x``, ``outputs/y_output``."""
    with np.load(io.BytesIO(_members()[path])) as file:
        return dict(file)


@cache
def graph(name: str) -> nk.Graph:
    """Return the graph of a network."""
    return nk.from_mxnet(symbol(name), params(name), shapes(name), verify=False, progress=False)


def relative(array: Any, expected: Any) -> float:
    """Return the largest difference, relative to the largest element."""
    if np.shape(array) != np.shape(expected):
        return float("inf")
    size = max(float(np.abs(expected).max()), 1e-30)
    return float(np.abs(np.asarray(array, float) - expected).max()) / size


@cache
def differences(name: str) -> dict[str, float]:
    """Return the name of each output and node -> the relative difference to the record."""
    read, known = graph(name), recorded(f"{name}/{name}.npz")
    feeds = {each: known[f"inputs/{each}"] for each in read.inputs}
    found = nk.trace(read, feeds, progress=False)
    origins: dict[str, str] = {}
    for key, tensor in read.tensors.items():
        if tensor.origin and tensor.data is None:
            origins.setdefault(tensor.origin, key)
    outputs = dict(zip(index()[name]["output_order"], read.outputs, strict=True))
    places = {f"tensors/{origin}": place for origin, place in origins.items()}
    places |= {f"outputs/{origin}": place for origin, place in outputs.items()}
    return {key: relative(found[places[key]], known[key]) for key in known if key in places}


def difference(name: str) -> float:
    """Return the largest relative difference of a network."""
    return max(differences(name).values())

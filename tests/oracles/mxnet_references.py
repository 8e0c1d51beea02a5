"""MXNet networks with recorded inputs, outputs and tensors, in ``tests/models/mxnet_files``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import nnefkit as nk
from oracles.reference_archive import arrays, compared, members

ARCHIVE = Path(__file__).parents[1] / "models" / "mxnet_files" / "networks.zip"


@cache
def index() -> dict[str, Any]:
    """Return what is known about each network: inputs, operators, the order of the outputs."""
    known: dict[str, Any] = json.loads(members("mxnet")["index.json"])
    known.pop("ndarrays")
    return known


def member(path: str) -> bytes:
    """Return a file of the archive."""
    return members("mxnet")[path]


def symbol(name: str) -> bytes:
    """Return the symbol of a network."""
    return members("mxnet")[f"{name}/{name}-symbol.json"]


def params(name: str) -> bytes:
    """Return the parameters of a network."""
    return members("mxnet")[f"{name}/{index()[name]['files'][1]}"]


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the inputs of a network."""
    return {key: tuple(shape) for key, (shape, _) in index()[name]["inputs"].items()}


def recorded(path: str) -> dict[str, Any]:
    """Return the arrays of an ``.npz`` by name: ``inputs/x``, ``outputs/y_output``."""
    return arrays("mxnet", path)


@cache
def graph(name: str) -> nk.Graph:
    """Return the graph of a network."""
    return nk.from_mxnet(symbol(name), params(name), shapes(name), verify=False, progress=False)


@cache
def differences(name: str) -> dict[str, float]:
    """Return the name of each output and node -> the relative difference to the record."""
    read = graph(name)
    outputs = dict(zip(index()[name]["output_order"], read.outputs, strict=True))
    return compared(read, recorded(f"{name}/{name}.npz"), outputs)


def difference(name: str) -> float:
    """Return the largest relative difference of a network."""
    return max(differences(name).values())

"""Caffe networks with recorded inputs, outputs and tensors, in ``tests/models/caffe_files``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import nnefkit as nk
from oracles.reference_archive import arrays, compared, members

ARCHIVE = Path(__file__).parents[1] / "models" / "caffe_files" / "networks.zip"


@cache
def names() -> tuple[str, ...]:
    """Return the names of all networks."""
    return tuple(each.partition("/")[0] for each in members("caffe") if each.endswith(".prototxt"))


def layers(name: str) -> list[str]:
    """Return the types of layers of a network."""
    found: list[str] = json.loads(members("caffe")["layers.json"])[name]
    return found


def text(name: str) -> bytes:
    """Return the text of a network."""
    return members("caffe")[f"{name}/deploy.prototxt"]


def weights(name: str) -> bytes:
    """Return the weights of a network."""
    return members("caffe")[f"{name}/{name}.caffemodel"]


def recorded(name: str) -> dict[str, Any]:
    """Return the recorded tensors of a network: ``inputs/x``, ``outputs/y``, ``tensors/layer``."""
    return arrays("caffe", f"{name}/{name}.npz")


@cache
def graph(name: str) -> nk.Graph:
    """Return the graph of a network."""
    return nk.from_caffe(text(name), weights(name), verify=False, progress=False)


@cache
def differences(name: str) -> dict[str, float]:
    """Return the name of each output and layer -> the relative difference to the record."""
    return compared(graph(name), recorded(name))


def difference(name: str) -> float:
    """Return the largest relative difference of a network."""
    return max(differences(name).values())

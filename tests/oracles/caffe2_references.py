"""Caffe2 networks with recorded inputs, outputs and tensors, in ``tests/models/caffe2_files``."""

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

FOLDER = Path(__file__).parents[1] / "models" / "caffe2_files"


@cache
def _members() -> Mapping[str, bytes]:
    with zipfile.ZipFile(FOLDER / "networks.zip") as opened:
        return {each: opened.read(each) for each in opened.namelist()}


@cache
def names() -> tuple[str, ...]:
    """Return the names of all networks."""
    return tuple(each.partition("/")[0] for each in _members() if each.endswith("init_net.pb"))


def operators(name: str) -> list[str]:
    """Return the types of operators of a network."""
    found: list[str] = json.loads(_members()["operators.json"])[name]
    return found


def init_net(name: str) -> bytes:
    """Return the net that makes the weights."""
    return _members()[f"{name}/init_net.pb"]


def predict_net(name: str) -> bytes:
    """Return the net that computes the outputs."""
    return _members()[f"{name}/predict_net.pb"]


def value_info(name: str) -> bytes:
    """Return the types and shapes of inputs."""
    return _members()[f"{name}/value_info.json"]


@cache
def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Return the shape of each input."""
    return {each: tuple(shape) for each, (_, shape) in json.loads(value_info(name)).items()}


@cache
def recorded(name: str) -> dict[str, Any]:
    """Return the recorded tensors of a network: ``inputs/x``, ``outputs/y``, ``tensors/blob``."""
    with np.load(io.BytesIO(_members()[f"{name}/{name}.npz"])) as file:
        return dict(file)


@cache
def graph(name: str) -> nk.Graph:
    """Return the graph of a network."""
    return nk.from_caffe2(
        init_net(name), predict_net(name), shapes(name), verify=False, progress=False
    )


def relative(array: Any, expected: Any) -> float:
    """Return the largest difference, relative to the largest element."""
    if np.shape(array) != np.shape(expected):
        return float("inf")
    size = max(float(np.abs(expected).max()), 1e-30)
    return float(np.abs(np.asarray(array, float) - expected).max()) / size


@cache
def differences(name: str) -> dict[str, float]:
    """Return the name of each output and blob -> the relative difference to the record."""
    read, known = graph(name), recorded(name)
    feeds = {each: known[f"inputs/{each}"] for each in read.inputs}
    found = nk.trace(read, feeds, progress=False)
    origins = {tensor.origin: key for key, tensor in read.tensors.items() if tensor.origin}
    compared = {}
    for key, array in known.items():
        kind, _, blob = key.partition("/")
        if kind == "outputs":
            compared[key] = relative(found[blob], array)
        elif kind == "tensors" and blob in origins:
            compared[key] = relative(found[origins[blob]], array)
    return compared


def difference(name: str) -> float:
    """Return the largest relative difference of a network."""
    return max(differences(name).values())


def types() -> list[str]:
    """Return the types of all operators that Caffe2 has, without those of derivatives."""
    return (FOLDER / "types.txt").read_text().split()


# -- single operators ------------------------------------------------------------------------------


@cache
def _calls() -> tuple[Mapping[str, Any], bytes]:
    with zipfile.ZipFile(FOLDER / "operators.zip") as opened:
        return json.loads(opened.read("index.json")), opened.read("data.bin")


def calls() -> list[str]:
    """Return the names of the calls of single operators."""
    return [*_calls()[0]]


def call(name: str) -> tuple[bytes, dict[str, Any], dict[str, Any] | None]:
    """Return a call: its net, its inputs, and what Caffe2 computed; None if it refused the call."""
    index, data = _calls()
    entry = index[name]

    def arrays(entries: Mapping[str, Any]) -> dict[str, Any]:
        return {key: _array(data, *each) for key, each in entries.items()}

    at, size = entry["net"]
    outputs = entry["outputs"]
    expected = None if outputs is None else arrays(outputs)
    return data[at : at + size], arrays(entry["inputs"]), expected


def _array(data: bytes, dtype: str, shape: list[int], at: int) -> Any:
    count = int(np.prod(shape))
    return np.frombuffer(data, dtype, count, at).reshape(shape)

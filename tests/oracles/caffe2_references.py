"""Caffe2 networks with recorded inputs, outputs and tensors, in ``tests/models/caffe2_files``."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import nnefkit as nk
from oracles.reference_archive import arrays, compared, members

FOLDER = Path(__file__).parents[1] / "models" / "caffe2_files"


@cache
def names() -> tuple[str, ...]:
    """Return the names of all networks."""
    return tuple(
        each.partition("/")[0] for each in members("caffe2") if each.endswith("init_net.pb")
    )


def operators(name: str) -> list[str]:
    """Return the types of operators of a network."""
    found: list[str] = json.loads(members("caffe2")["operators.json"])[name]
    return found


def init_net(name: str) -> bytes:
    """Return the net that makes the weights."""
    return members("caffe2")[f"{name}/init_net.pb"]


def predict_net(name: str) -> bytes:
    """Return the net that computes the outputs."""
    return members("caffe2")[f"{name}/predict_net.pb"]


def value_info(name: str) -> bytes:
    """Return the types and shapes of inputs."""
    return members("caffe2")[f"{name}/value_info.json"]


@cache
def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Return the shape of each input."""
    return {each: tuple(shape) for each, (_, shape) in json.loads(value_info(name)).items()}


def recorded(name: str) -> dict[str, Any]:
    """Return the recorded tensors of a network: ``inputs/x``, ``outputs/y``, ``tensors/blob``."""
    return arrays("caffe2", f"{name}/{name}.npz")


@cache
def graph(name: str) -> nk.Graph:
    """Return the graph of a network."""
    return nk.from_caffe2(
        init_net(name), predict_net(name), shapes(name), verify=False, progress=False
    )


@cache
def differences(name: str) -> dict[str, float]:
    """Return the name of each output and blob -> the relative difference to the record."""
    return compared(graph(name), recorded(name))


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

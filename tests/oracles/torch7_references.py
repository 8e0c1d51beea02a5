"""Torch7 networks with recorded inputs, outputs and tensors, in ``tests/models/torch7_files``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import nnefkit as nk
from oracles.reference_archive import arrays, compared, members

ARCHIVE = Path(__file__).parents[1] / "models" / "torch7_files" / "networks.zip"


@cache
def names() -> tuple[str, ...]:
    """Return the names of all networks."""
    return tuple(each.partition("/")[0] for each in members("torch7") if each.endswith(".npz"))


def modules(name: str) -> list[str]:
    """Return the classes of modules of a network."""
    found: list[str] = json.loads(members("torch7")["modules.json"])[name]
    return found


def binary(name: str) -> bytes:
    """Return the file of a network in binary."""
    return members("torch7")[f"{name}/{name}.t7"]


def text(name: str) -> bytes:
    """Return the file of a network as text."""
    return members("torch7")[f"{name}/{name}.ascii.t7"]


def recorded(name: str) -> dict[str, Any]:
    """Return the recorded tensors of a network: ``tensors/module1``."""
    return arrays("torch7", f"{name}/{name}.npz")


def input_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Return the name of each input -> its shape."""
    arrays = {key: array for key, array in recorded(name).items() if key.startswith("inputs/")}
    return {key.removeprefix("inputs/"): array.shape for key, array in arrays.items()}


@cache
def graph(name: str, *, as_text: bool = False) -> nk.Graph:
    """Return the graph of a network."""
    file = text(name) if as_text else binary(name)
    return nk.from_torch7(file, input_shapes(name), verify=False, progress=False)


@cache
def differences(name: str) -> dict[str, float]:
    """Return the name of each output and module -> the relative difference to the record."""
    return compared(graph(name), recorded(name))


def difference(name: str) -> float:
    """Return the largest relative difference of a network."""
    return max(differences(name).values())

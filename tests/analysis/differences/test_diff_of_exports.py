"""`nk.diff` on exports of PyTorch modules and on a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnefkit as nk

BLAZEFACE = Path(__file__).parents[2] / "models" / "blazeface_front" / "blazeface_front.nnef"


@pytest.fixture(scope="module")
def blazeface() -> nk.Graph:
    return nk.load(BLAZEFACE)


def exported(**changed: Any) -> nk.Graph:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    kind = changed.get("activation", torch.nn.ReLU)
    layers: list[Any] = []
    for _ in range(4):
        layers += [torch.nn.Conv2d(3, 3, 3, padding=1), kind()]
    if "insert" in changed:
        layers.insert(changed["insert"], torch.nn.Tanh())
    module = torch.nn.Sequential(*layers).eval()
    return nk.from_torch(module, (torch.zeros(1, 3, 8, 8),))


def test_two_exports_of_one_module_are_equal() -> None:
    assert nk.diff(exported(), exported()).equal


def test_an_inserted_layer_is_one_difference_although_all_labels_shift() -> None:
    found = nk.diff(exported(), exported(insert=4))
    (row,) = found.operations
    assert (row.kind, row.operation) == ("added", "tanh")
    assert found.weights is None
    assert found.relabeled


def test_other_activations_are_changes() -> None:
    torch = pytest.importorskip("torch")
    found = nk.diff(exported(), exported(activation=torch.nn.Sigmoid))
    assert {tuple(row.changes.values()) for row in found.operations} == {(("relu", "sigmoid"),)}
    assert len(found.operations) == 4


def test_a_layer_with_weights_of_another_is_found(blazeface: nk.Graph) -> None:
    data = blazeface.tensor("variable15").data
    assert data is not None
    step = np.abs(data).max() / 7
    rounded = np.round(data / step) * step
    found = nk.diff(blazeface, blazeface.with_data({"variable15": rounded}))
    assert found.weights is not None
    assert [row.name for row in found.weights] == [blazeface.tensor("variable15").label]
    assert "is on a grid of 4 bits" in found.summary
    assert not found.operations


def test_quantization_info_is_a_difference(blazeface: nk.Graph) -> None:
    x = np.random.default_rng(0).normal(size=(1, 128, 128, 3)).astype(np.float32)
    quantized = nk.quantize(blazeface, [x])
    found = nk.diff(blazeface, quantized)
    count = sum(tensor.quantization is not None for tensor in quantized.tensors.values())
    assert len(found.quantization) == count > 50
    assert not found.operations
    assert nk.diff(quantized, quantized).equal


def test_every_operation_of_a_network_is_found_when_it_is_removed(blazeface: nk.Graph) -> None:
    """Each `relu` is bypassed in turn."""
    text = str(blazeface)
    lines = [line for line in text.split("\n") if "= relu(" in line]
    assert len(lines) > 10
    for line in lines[::3]:
        result, _, argument = line.strip().rstrip(";").partition(" = relu(")
        name = argument.rstrip(")")
        other = text.replace(line, f"    {result} = copy({name});")
        found = nk.diff(blazeface, nk.parse(other))
        (row,) = found.operations
        assert row.changes["operation"] == ("relu", "copy")
        assert row.tensor == result

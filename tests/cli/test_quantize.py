"""``nnefkit quantize``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnefkit as nk

TEXT = """
version 1.0;
graph net( x ) -> ( y )
{
    x = external(shape = [1, 3, 4, 4]);
    w = variable(shape = [5, 3, 1, 1], label = 'w');
    c = conv(x, w, 0.5);
    y = relu(c);
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    graph = nk.parse(TEXT).with_data({"w": random.normal(size=(5, 3, 1, 1)).astype(np.float32)})
    nk.save(graph, tmp_path / "model")
    (tmp_path / "images").mkdir()
    for i in range(4):
        image = random.normal(size=(1, 3, 4, 4)).astype(np.float32)
        np.save(tmp_path / "images" / f"{i}.npy", image)
    return tmp_path


def test_a_model_is_quantized_and_saved(folder: Path, nnefkit: Callable[..., Any]) -> None:
    output = folder / "quantized.nnef.tgz"
    given = ("quantize", folder / "model", "--calibration", folder / "images", "-o", output)
    result = nnefkit(*given, "--method", "mse", "--equalize", "--correct-biases")
    assert result.status == 0, result.err
    assert "4 calibration inputs" in result.out
    saved = nk.load(output)
    images = [np.load(file) for file in sorted((folder / "images").iterdir())]
    expected = nk.quantize(
        nk.load(folder / "model"), images, method="mse", equalize=True, correct_biases=True
    )
    assert {n: t.quantization for n, t in saved.tensors.items()} == {
        n: t.quantization for n, t in expected.tensors.items()
    }


def test_options_reach_the_graph_and_json_has_the_errors(
    folder: Path, nnefkit: Callable[..., Any]
) -> None:
    given = ("quantize", folder / "model", "--calibration", folder / "images" / "0.npy")
    options = ("--bits", "4", "--per-tensor", "--symmetric", "all", "--keep", "x", "--json")
    result = nnefkit(*given, "-o", folder / "out", *options)
    assert result.status == 0, result.err
    written = json.loads(result.out)
    assert {each["name"]: each["bits"] for each in written["tensors"]} == {"w": 4, "y": 4}
    assert written["left"]["x"] == "kept on request"
    graph = nk.load(folder / "out")
    assert graph.tensor("y").quantization["signed"]
    assert isinstance(graph.tensor("w").quantization["scale"], float)


def test_a_loss_that_is_too_large_exits_with_1_and_saves_nothing(
    folder: Path, nnefkit: Callable[..., Any]
) -> None:
    given = ("quantize", folder / "model", "--calibration", folder / "images")
    result = nnefkit(*given, "-o", folder / "out", "--bits", "2", "--min-snr", "60")
    assert result.status == 1
    assert "is less than 60 dB" in result.out
    assert not (folder / "out").exists()
    assert nnefkit(*given, "-o", folder / "out", "--min-snr", "20").status == 0


def test_what_cannot_be_quantized_exits_with_2(folder: Path, nnefkit: Callable[..., Any]) -> None:
    given = ("quantize", folder / "model", "-o", folder / "out", "--calibration")
    (folder / "empty").mkdir()
    assert "has no calibration inputs" in nnefkit(*given, folder / "empty").err
    assert nnefkit(*given, folder / "nowhere").status == 2
    assert "'bits' must be from 2" in nnefkit(*given, folder / "images", "--bits", "1").err
    assert not (folder / "out").exists()


def test_layers_are_kept_precise_until_a_target_is_reached(
    folder: Path, nnefkit: Callable[..., Any]
) -> None:
    given = ("quantize", folder / "model", "--calibration", folder / "images", "--bits", "3")
    result = nnefkit(*given, "-o", folder / "mixed", "--target", "25", "--target-bits", "16")
    assert result.status == 0, result.err
    assert "accuracy by layers kept" in result.out
    graph = nk.load(folder / "model")
    images = [np.load(file) for file in sorted((folder / "images").iterdir())]
    quantized = nk.quantize(graph, images, bits=3)
    curve = nk.precision_curve(quantized, images, target=25, bits=16, reference=graph)
    assert curve.reached
    assert curve.keep
    saved = nk.load(folder / "mixed")
    assert {n: t.quantization for n, t in saved.tensors.items()} == {
        n: t.quantization for n, t in curve.graph.tensors.items()
    }
    written = json.loads(nnefkit(*given, "-o", folder / "json", "--target", "25", "--json").out)
    assert [point["kept"] for point in written["curve"]] == list(range(len(written["curve"])))


def test_a_target_that_is_not_reached_exits_with_1_and_saves_nothing(
    folder: Path, nnefkit: Callable[..., Any]
) -> None:
    given = ("quantize", folder / "model", "--calibration", folder / "images", "--bits", "2")
    options = ("--target", "150", "--target-bits", "3", "--target-limit", "1")
    result = nnefkit(*given, "-o", folder / "out", *options)
    assert result.status == 1
    assert result.out.splitlines()[-1].startswith("failed: with 1 layer kept, ")
    assert not (folder / "out").exists()
    assert nnefkit(*given, "-o", folder / "out", "--target", "20", "--target-bits", "1").status == 2

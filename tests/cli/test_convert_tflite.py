"""``nnefkit convert`` from TFLite to NNEF."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oracles.tflite_references import model

import nnefkit as nk

pytest.importorskip("ai_edge_litert")


def test_a_model_is_converted_and_compared(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    source, target = tmp_path / "net.tflite", tmp_path / "net.nnef.tgz"
    source.write_bytes(model("networks/digits/digits.float32"))
    result = nnefkit("convert", source, target)
    assert (result.status, result.err) == (0, "")
    assert "largest relative difference" in result.out
    assert nk.load(target).operations


def test_open_dimensions_are_an_option(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    source, target = tmp_path / "net.tflite", tmp_path / "net.nnef.tgz"
    source.write_bytes(model("networks/digits/digits.dynamic_batch"))
    result = nnefkit("convert", source, target)
    assert result.status == 2
    assert "--input-shape image=1x8x8x1" in result.err
    result = nnefkit("convert", source, target, "--input-shape", "image=3x8x8x1", "--no-verify")
    assert (result.status, result.err) == (0, "")
    assert nk.load(target).tensors["image"].shape == (3, 8, 8, 1)

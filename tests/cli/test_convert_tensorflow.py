"""``nnefkit convert`` from TensorFlow to NNEF."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oracles.tensorflow_references import path

import nnefkit as nk

pytest.importorskip("google.protobuf")


@pytest.mark.parametrize(
    "name",
    [
        "networks/digits/digits.pb",
        "networks/digits/savedmodel_tf/saved_model.pb",
        "networks/tf1_layers/checkpoint/model.ckpt.meta",
    ],
)
def test_a_model_is_converted(name: str, tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    target = tmp_path / "net.nnef.tgz"
    result = nnefkit("convert", path(name), target, "--no-verify")
    assert (result.status, result.err) == (0, "")
    assert "not verified" in result.out
    assert nk.load(target).operations


def test_open_dimensions_are_an_option(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    source, target = path("networks/digits/savedmodel_export/saved_model.pb"), tmp_path / "net/"
    result = nnefkit("convert", source, target, "--no-verify")
    assert result.status == 2
    assert "--input-shape image=1x8x8x1" in result.err
    result = nnefkit("convert", source, target, "--input-shape", "image=3x8x8x1", "--no-verify")
    assert (result.status, result.err) == (0, "")
    assert nk.load(target).tensors["image"].shape == (3, 8, 8, 1)


def test_other_folders_are_nnef_models(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    (tmp_path / "variables").mkdir()
    result = nnefkit("convert", tmp_path, tmp_path / "net.nnef.tgz")
    assert result.status == 1
    assert "graph.nnef" in result.err

"""``nnefkit convert`` from Caffe to NNEF."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oracles.caffe_references import text, weights

import nnefkit as nk

pytest.importorskip("google.protobuf")


def test_a_network_is_converted_with_the_weights_beside_it(
    tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    (tmp_path / "net.prototxt").write_bytes(text("digits"))
    (tmp_path / "net.caffemodel").write_bytes(weights("digits"))
    target = tmp_path / "net.nnef.tgz"
    result = nnefkit("convert", tmp_path / "net.prototxt", target, "--no-verify")
    assert (result.status, result.err) == (0, "")
    assert "not verified" in result.out
    assert nk.load(target).outputs == ("prob",)
    result = nnefkit("convert", tmp_path / "net.caffemodel", tmp_path / "other.nnef.tgz")
    assert result.status == 2
    assert "Give the .prototxt" in result.err

"""``nnefkit convert`` from Torch7 to NNEF."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oracles.torch7_references import binary

import nnefkit as nk


@pytest.mark.parametrize("ending", ["t7", "net"])
def test_a_network_is_converted(ending: str, tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    source, target = tmp_path / f"net.{ending}", tmp_path / "net.nnef.tgz"
    source.write_bytes(binary("digits"))
    result = nnefkit("convert", source, target, "--no-verify", "--input-shape", "input=1x1x8x8")
    assert (result.status, result.err) == (0, "")
    assert "not verified" in result.out
    assert nk.load(target).outputs == ("output",)
    result = nnefkit("convert", source, tmp_path / "other.nnef.tgz")
    assert result.status == 2
    assert "--input-shape input=1x1x224x224" in result.err

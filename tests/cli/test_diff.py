"""``nnefkit diff``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.small_network import TEXT, W

import nnefkit as nk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {
        "same": TEXT.replace("c ", "d ").replace("(c)", "(d)"),
        "changed": TEXT.replace("[1, 1])", "[2, 2])"),
    }
    nk.save(nk.parse(TEXT).with_data({"w": W}), tmp_path / "model")
    for name, text in texts.items():
        nk.save(nk.parse(text).with_data({"w": W}), tmp_path / name)
    nk.save(nk.parse(TEXT).with_data({"w": W * np.float32(1.00001)}), tmp_path / "near")
    return tmp_path


def test_models_that_compute_the_same_succeed(folder: Path, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("diff", folder / "model", folder / "same")
    assert (result.status, result.err) == (0, "")
    assert "The graphs compute the same; only names differ." in result.out
    result = nnefkit("diff", folder / "model", folder / "model")
    assert result.status == 0
    assert "The graphs are equal." in result.out


def test_models_that_differ_fail(folder: Path, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("diff", folder / "model", folder / "changed")
    assert result.status == 1
    assert "stride: [1, 1] → [2, 2]" in result.out


def test_a_tolerance_is_for_weights(folder: Path, nnefkit: Callable[..., Any]) -> None:
    assert nnefkit("diff", folder / "model", folder / "near").status == 1
    assert nnefkit("diff", folder / "model", folder / "near", "--tolerance", 1e-4).status == 0


def test_diff_writes_json(folder: Path, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("diff", folder / "model", folder / "changed", "--json")
    written = json.loads(result.out)
    assert result.status == 1
    assert not written["ok"]
    (row,) = written["operations"]
    assert row["changes"] == {"stride": [[1, 1], [2, 2]]}
    assert written["shapes"]["y"] == [[1, 5, 4, 4], [1, 5, 2, 2]]
    written = json.loads(nnefkit("diff", folder / "model", folder / "near", "--json").out)
    assert written["weights"][0]["tensor"] == "w"
    assert written["weights"][0]["snr_db"] > 90


def test_what_is_no_model_cannot_be_compared(
    folder: Path, broken: Path, nnefkit: Callable[..., Any]
) -> None:
    assert nnefkit("diff", folder / "model", folder / "nowhere").status == 2
    assert nnefkit("diff", folder / "model", broken).status == 2

"""``nnefkit compare``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nnefkit as nk

IMAGE = np.array([[4.0, -5.0]], np.float32)


def test_compare_reports_the_first_difference(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(a, x=IMAGE, y=IMAGE)
    np.savez(b, x=IMAGE, y=IMAGE + 1)
    result = nnefkit("compare", a, b)
    assert result == (1, f"{nk.compare(a, b)!r}\n", "")
    assert "The runs diverge at y" in result.out
    assert nnefkit("compare", a, a).status == 0
    assert nnefkit("compare", a, b, "--tolerance", "0.5").status == 0


def test_compare_writes_json(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(a, x=IMAGE, y=IMAGE, z=IMAGE)
    np.savez(b, x=IMAGE, y=IMAGE + 1)
    written = json.loads(nnefkit("compare", a, b, "--json").out)
    assert (written["ok"], written["equal"], written["first_divergence"]) == (False, False, "y")
    assert written["only_in_a"] == ["z"]
    assert [row["tensor"] for row in written["tensors"]] == ["x", "y"]
    assert written["tensors"][1]["max_abs"] == 1.0
    # JSON has no infinite numbers.
    assert written["tensors"][0]["snr_db"] is None


def test_the_status_is_2_if_runs_cannot_be_compared(
    tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    result = nnefkit("compare", tmp_path / "a.npz", tmp_path / "b.npz")
    assert (result.status, result.out) == (2, "")
    assert "there is no such file" in result.err

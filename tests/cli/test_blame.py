"""``nnefkit blame``."""

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
    x = external(shape = [1, 3]);
    w = variable(shape = [2, 3], label = 'w');
    t = linear(x, w);
    y = relu(t);
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    graph = nk.parse(TEXT).with_data({"w": np.float32([[1, 2, 3], [4, 5, 6]])})
    nk.save(graph, tmp_path / "model")
    nk.save(graph.with_data({"w": np.float32([[1, 2, 3], [4, 5, 7]])}), tmp_path / "other")
    np.save(tmp_path / "x.npy", np.float32([[1, 2, 3]]))
    nk.trace(graph, np.float32([[1, 2, 3]])).save(tmp_path / "recorded.npz")
    return tmp_path


def test_the_guilty_operation_is_listed_and_saved(
    folder: Path, nnefkit: Callable[..., Any]
) -> None:
    given = ("blame", folder / "model", "--input", folder / "x.npy")
    result = nnefkit(*given, "--suspect", folder / "other", "-o", folder / "report")
    assert result.status == 1
    assert "t is guilty." in result.out
    assert nk.load(folder / "report" / "model").outputs == ("t",)
    written = nnefkit(*given, "--suspect", folder / "other", "--json")
    assert written.status == 1
    rows = json.loads(written.out)["operations"]
    assert [(row["tensor"], row["verdict"]) for row in rows] == [
        ("t", "guilty"),
        ("y", "passes it on"),
    ]
    assert rows[0]["share"] == pytest.approx(1)


def test_a_recorded_reference_and_an_engine_agree(
    folder: Path, nnefkit: Callable[..., Any]
) -> None:
    given = ("blame", folder / "model", "--input", folder / "x.npy")
    recorded = folder / "recorded.npz"
    result = nnefkit(*given, "--reference", recorded, "--suspect", "onnxruntime")
    assert result.status == 0
    assert "No operation is guilty." in result.out


def test_what_cannot_be_examined_exits_with_2(folder: Path, nnefkit: Callable[..., Any]) -> None:
    given = ("blame", folder / "model", "--input", folder / "x.npy", "--suspect")
    recorded = folder / "recorded.npz"
    assert nnefkit(*given, recorded, "--reference", recorded).status == 2
    assert "there is no engine" in nnefkit(*given, "nowhere").err


def test_a_recorded_suspect_is_examined(folder: Path, nnefkit: Callable[..., Any]) -> None:
    given = ("blame", folder / "model", "--input", folder / "x.npy", "--suspect")
    assert nnefkit(*given, folder / "recorded.npz").status == 0
    result = nnefkit(*given, folder / "recorded.npz", "--reference", folder / "other")
    assert result.status == 1
    assert "t is guilty. The own error of t alone accounts for 100%" in result.out


def test_several_inputs_with_their_recorded_runs(folder: Path, nnefkit: Callable[..., Any]) -> None:
    graph = nk.load(folder / "model")
    (folder / "inputs").mkdir()
    runs: list[str | Path] = []
    for i in range(3):
        x = np.float32([[i, 1, 2]])
        np.save(folder / "inputs" / f"{i}.npy", x)
        runs += ["--suspect", folder / f"run{i}.npz"]
        values = dict(nk.trace(graph, x))
        values["y"] = values["y"] + np.float32(i == 2)
        np.savez(folder / f"run{i}.npz", **values)
    given = ("blame", folder / "model", "--inputs", folder / "inputs")
    result = nnefkit(*given, *runs)
    assert result.status == 1
    assert "Of 3 inputs, y is worst for input 2" in " ".join(result.out.split())
    assert nnefkit(*given, *runs[:4]).status == 2
    assert nnefkit(*given, "--suspect", "onnxruntime").status == 0


def test_a_recorded_reference_of_other_names_is_paired(
    folder: Path, nnefkit: Callable[..., Any]
) -> None:
    values = np.load(folder / "recorded.npz")
    np.savez(folder / "renamed.npz", first=values["t"], second=values["y"])
    (folder / "names.json").write_text(json.dumps({"second": "y"}))
    given = ("blame", folder / "model", "--input", folder / "x.npy")
    given += ("--reference", folder / "renamed.npz", "--suspect", folder / "other")
    assert nnefkit(*given).status == 2
    result = nnefkit(*given, "--pair", "first=t", "--names", folder / "names.json")
    assert result.status == 1
    assert "t is guilty." in result.out
    assert nnefkit(*given, "--pair", "first").status == 2

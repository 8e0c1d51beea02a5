"""``nnefkit compare``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnefkit as nk

IMAGE = np.array([[4.0, -5.0]], np.float32)


def test_compare_reports_the_first_difference(
    tmp_path: Path, nnefkit: Callable[..., Any], on_terminal: Callable[..., str]
) -> None:
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(a, x=IMAGE, y=IMAGE)
    np.savez(b, x=IMAGE, y=IMAGE + 1)
    result = nnefkit("compare", a, b)
    assert result == (1, on_terminal(nk.compare(a, b)), "")
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


def test_limits_decide_and_give_one_line_of_reason(
    tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(a, x=IMAGE, y=IMAGE)
    np.savez(b, x=IMAGE, y=IMAGE + np.float32([[0.5, 0]]))
    result = nnefkit("compare", a, b, "--min-snr", "20", "--min-cosine", "0.9")
    assert (result.status, result.out.splitlines()[-1]) == (0, "passed")
    result = nnefkit("compare", a, b, "--min-snr", "30")
    assert result.status == 1
    assert result.out.splitlines()[-1] == "failed: y has an SNR of 22.1 dB, less than 30 dB"
    result = nnefkit("compare", a, b, "--min-cosine", "0.9999")
    assert result.out.splitlines()[-1].startswith("failed: y has a cosine of 0.99")
    np.savez(b, x=IMAGE, y=IMAGE * np.nan)
    result = nnefkit("compare", a, b, "--min-snr", "1")
    assert result.out.splitlines()[-1] == "failed: y: 0 NaN against 2 in 2 elements"


def test_a_graph_tells_causes_from_consequences(
    tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    text = "version 1.0; graph g(x) -> (z) {x = external(shape = [1, 2]); y = neg(x); z = abs(y);}"
    nk.save(nk.parse(text), tmp_path / "model")
    values = {"x": IMAGE, "y": -IMAGE, "z": abs(IMAGE)}
    np.savez(tmp_path / "a.npz", **values)
    np.savez(tmp_path / "b.npz", **{**values, "y": -IMAGE + 1, "z": abs(IMAGE) + 1})
    result = nnefkit(
        "compare", tmp_path / "a.npz", tmp_path / "b.npz", "--graph", tmp_path / "model"
    )
    assert "The runs diverge at y (neg, line 6)" in result.out
    assert "1 tensor inherits the difference" in result.out


@pytest.mark.parametrize("content", [{"y": "q", "x": "p"}, {"y": "q"}])
def test_tensors_of_other_names_are_paired(
    tmp_path: Path,
    nnefkit: Callable[..., Any],
    on_terminal: Callable[..., str],
    content: dict[str, str],
) -> None:
    a, b, names = tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / "names.json"
    np.savez(a, x=IMAGE, y=IMAGE)
    np.savez(b, p=IMAGE, q=IMAGE + 1)
    names.write_text(json.dumps(content))
    assert nnefkit("compare", a, b).status == 2
    result = nnefkit("compare", a, b, "--pair", "x=p", "--pair", "y=q")
    assert result == (1, on_terminal(nk.compare(a, b, names={"x": "p", "y": "q"})), "")
    assert nnefkit("compare", a, b, "--names", names, "--pair", "x=p") == result
    assert nnefkit("compare", a, b, "--pair", "x=p").status == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--pair", "x"), "--pair must be A=B, not 'x'"),
        (("--pair", "=x"), "--pair must be A=B"),
        (("--pair", "x=p", "--pair", "x=q"), "tensor 'x' is paired twice: with p and q"),
        (("--pair", "z=p"), "there is no tensor 'z' to compare"),
        (("--pair", "x=z"), "there is no tensor 'z' to compare"),
        (("--names", "nowhere.json"), "the names cannot be read"),
        (("--names", "list.json"), "it is not an object of strings"),
        (("--names", "numbers.json"), "it is not an object of strings"),
        (("--names", "broken.json"), "it is not JSON"),
        (("--names", "twice.json"), "a name occurs twice"),
        (("--names", "binary.json"), "it is not JSON"),
        (("--names", "deep.json"), "it is not JSON"),
    ],
)
def test_names_that_are_wrong_exit_with_2(
    tmp_path: Path, nnefkit: Callable[..., Any], arguments: tuple[str, ...], words: str
) -> None:
    np.savez(tmp_path / "a.npz", x=IMAGE)
    np.savez(tmp_path / "b.npz", p=IMAGE, q=IMAGE)
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "numbers.json").write_text('{"x": 1}')
    (tmp_path / "broken.json").write_text('{"x": ')
    (tmp_path / "twice.json").write_text('{"x": "p", "x": "q"}')
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    given = [str(tmp_path / each) if each.endswith(".json") else each for each in arguments]
    result = nnefkit("compare", tmp_path / "a.npz", tmp_path / "b.npz", *given)
    assert (result.status, result.out) == (2, "")
    assert words in result.err

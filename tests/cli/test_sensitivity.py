"""``nnefkit sensitivity``."""

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
X = np.float32([[1, 2, 3]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    graph = nk.parse(TEXT).with_data({"w": np.float32([[1, 2, 3], [4, 5, 6]])})
    nk.save(graph, tmp_path / "model")
    np.save(tmp_path / "x.npy", X)
    return tmp_path


def test_the_operations_are_listed(
    folder: Path, nnefkit: Callable[..., Any], on_terminal: Callable[..., str]
) -> None:
    result = nnefkit("sensitivity", folder / "model", "--input", folder / "x.npy")
    graph = nk.load(folder / "model")
    assert result == (0, on_terminal(nk.sensitivity(graph, X)), "")


def test_options_reach_the_measurement(folder: Path, nnefkit: Callable[..., Any]) -> None:
    given = ("sensitivity", folder / "model", "--input", folder / "x.npy", "--json")
    graph = nk.load(folder / "model")
    written = json.loads(nnefkit(*given, "--of", "weights", "--bits", "3").out)
    expected = nk.sensitivity(graph, X, of="weights", bits=3)
    assert (written["of"], written["perturbation"]) == ("weights", "rounding to 3 bits")
    assert [row["output_snr"] for row in written["operations"]] == [
        each.output_snr for each in expected.operations
    ]
    given += ("--perturbation", "noise", "--snr", "17", "--seed", "3", "--engine", "torch")
    written = json.loads(nnefkit(*given).out)
    expected = nk.sensitivity(graph, X, "noise", snr=17, seed=3, engine="torch")
    assert [row["own_snr"] for row in written["operations"]] == pytest.approx(
        [each.own_snr for each in expected.operations]
    )


def test_a_limit_decides_and_gives_one_line_of_reason(
    folder: Path, nnefkit: Callable[..., Any]
) -> None:
    given = ("sensitivity", folder / "model", "--input", folder / "x.npy", "--bits", "2")
    result = nnefkit(*given, "--min-snr", "5")
    assert (result.status, result.out.splitlines()[-1]) == (0, "passed")
    result = nnefkit(*given, "--min-snr", "90")
    assert result.status == 1
    assert result.out.splitlines()[-1].startswith("failed: with ")
    assert result.out.endswith("dB, less than 90 dB\n")
    assert nnefkit(*given, "--min-snr", "90", "--json").status == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--bits", "1"), "'bits' must be from 2"),
        (("--seed", "-1"), "'seed' must be a non-negative integer"),
        (("--engine", "nowhere"), "there is no engine"),
    ],
)
def test_what_cannot_be_measured_exits_with_2(
    folder: Path, nnefkit: Callable[..., Any], arguments: tuple[str, ...], words: str
) -> None:
    result = nnefkit("sensitivity", folder / "model", "--input", folder / "x.npy", *arguments)
    assert (result.status, result.out) == (2, "")
    assert words in result.err
    assert nnefkit("sensitivity", folder / "nowhere").status == 2


def test_several_inputs_are_measured_together(folder: Path, nnefkit: Callable[..., Any]) -> None:
    graph = nk.load(folder / "model")
    images = folder / "images"
    images.mkdir()
    draw = np.random.default_rng(1)
    several = [X, *(draw.normal(size=(1, 3)).astype(np.float32) for _ in range(3))]
    np.save(images / "b.npy", several[1])
    np.savez(images / "c.npz", x=several[2])
    nk.write_tensor(images / "d.dat", several[3])
    (images / "notes.txt").write_text("nothing")
    given = ("--inputs", folder / "x.npy", "--inputs", images, "--json", "--bits", "4")
    written = json.loads(nnefkit("sensitivity", folder / "model", *given).out)
    expected = nk.sensitivity(graph, several, bits=4)
    assert written["inputs"] == 4
    assert [row["output_snr"] for row in written["operations"]] == [
        each.output_snr for each in expected.operations
    ]
    single = nk.sensitivity(graph, X, bits=4)
    assert written["operations"][0]["output_snr"] != single.operations[0].output_snr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--inputs", "empty"), "has no inputs"),
        (("--inputs", "x.npy", "--input", "x.npy"), "there are --input and --inputs"),
        (("--inputs", "nothing.npy"), "no such file"),
        ((), "'x'"),
    ],
)
def test_inputs_that_cannot_be_read_are_reported(
    folder: Path, nnefkit: Callable[..., Any], arguments: tuple[str, ...], message: str
) -> None:
    (folder / "empty").mkdir()
    given = [each if each.startswith("--") else folder / each for each in arguments]
    code, _, shown = nnefkit("sensitivity", folder / "model", *given)
    assert code == 2
    assert message in shown

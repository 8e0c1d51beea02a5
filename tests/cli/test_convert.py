"""``nnefkit convert`` between NNEF folders and archives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    "name", ["m.nnef.tgz", "m.tgz", "m.tar.gz", "m.tar", "m.zip", "m", "m.nnef"]
)
def test_convert_preserves_every_byte(
    name: str, model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    assert nnefkit("convert", model, tmp_path / "out" / name).status == 2
    (tmp_path / "out").mkdir()
    assert nnefkit("convert", model, tmp_path / "out" / name) == (0, "", "")
    assert nnefkit("convert", tmp_path / "out" / name, tmp_path / "back/") == (0, "", "")
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "back").iterdir()} == before
    assert sorted(before) == ["graph.nnef", "vendor.txt", "w.dat"]


def test_a_lone_graph_file_is_converted_with_its_variables(
    model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    nnefkit("convert", model / "graph.nnef", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["graph.nnef", "w.dat"]


def test_an_invalid_model_is_not_converted(
    model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    (model / "w.dat").unlink()
    result = nnefkit("convert", model, tmp_path / "out.zip")
    assert result.status == 1
    assert "w.dat" in result.err
    assert not (tmp_path / "out.zip").exists()


def test_unknown_endings_are_refused_with_the_list_of_known_ones(
    model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    for ending, what in ((".pt2", "PyTorch models ('.pt2')"), (".xyz", "'.xyz'")):
        result = nnefkit("convert", model, tmp_path / f"out{ending}")
        assert result.status == 2
        assert f"{what} cannot be written" in result.err
        assert ".nnef.tgz, .tgz, .tar.gz, .tar, .zip" in result.err
    # An existing folder can have any name.
    (tmp_path / "v1.2").mkdir()
    assert nnefkit("convert", model, tmp_path / "v1.2").status == 0

"""A model that exists is replaced only if somebody agrees."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nnefkit as nk


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target.nnef.tgz"
    path.write_bytes(b"mine")
    return path


class Terminal(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


def test_nothing_is_replaced_without_a_terminal(
    model: Path, target: Path, nnefkit: Callable[..., Any]
) -> None:
    result = nnefkit("convert", model, target)
    assert result.status == 2
    assert "exists already" in result.err
    assert "--force" in result.err
    assert target.read_bytes() == b"mine"
    assert nnefkit("convert", model, target, "--force").status == 0
    assert nk.load(target).outputs == ("y",)


@pytest.mark.parametrize(("answer", "replaced"), [("y\n", True), ("Yes\n", True), ("n\n", False)])
def test_a_terminal_is_asked(
    answer: str,
    replaced: bool,
    model: Path,
    target: Path,
    nnefkit: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr", Terminal())
    assert nnefkit("convert", model, target).status == (0 if replaced else 1)
    assert (target.read_bytes() != b"mine") is replaced


@pytest.mark.parametrize("answer", ["\n", ""])
def test_no_answer_is_no(
    answer: str,
    model: Path,
    target: Path,
    nnefkit: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr", Terminal())
    assert nnefkit("convert", model, target).status == 1
    assert target.read_bytes() == b"mine"


def test_folders_are_asked_for_unless_they_are_empty(
    model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    assert nnefkit("convert", model, folder).status == 0
    assert nnefkit("convert", model, folder).status == 2
    assert nnefkit("convert", model, folder, "--force").status == 0


def test_onnx_models_are_asked_for_too(
    model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"mine")
    assert nnefkit("convert", model, path).status == 2
    assert path.read_bytes() == b"mine"
    assert nnefkit("convert", model, path, "--force").status == 0
    assert nk.from_onnx(path).outputs == ("y",)

"""``nnefkit report``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.small_network import TEXT, W

import nnefkit as nk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    graph = nk.parse(TEXT).with_data({"w": W})
    nk.save(graph, tmp_path / "model")
    nk.save(graph.with_data({"w": W * np.float32(1.1)}), tmp_path / "other")
    np.save(tmp_path / "x.npy", np.linspace(-1, 1, 48, dtype=np.float32).reshape(1, 3, 4, 4))
    (tmp_path / "broken.nnef").write_text(TEXT.replace("relu(c)", "relu(d)"))
    return tmp_path


def sections(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    names = ("Graph", "Validation", "Differences", "Comparison", "Blame", "Costs", "Run")
    return [name for name in names if f">{name}</h2>" in text]


def test_a_model_has_a_report(folder: Path, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("report", folder / "model", "-o", folder / "r.html", "--title", "My network")
    assert result.status == 0
    assert "KiB" in result.out
    assert sections(folder / "r.html") == ["Graph", "Validation", "Costs"]
    assert "<title>My network</title>" in (folder / "r.html").read_text(encoding="utf-8")


def test_another_model_is_compared_with_it(folder: Path, nnefkit: Callable[..., Any]) -> None:
    page = folder / "r.html"
    arguments = ["report", folder / "model", "--against", folder / "other", "-o", page]
    assert nnefkit(*arguments).status == 0
    assert sections(page) == ["Graph", "Validation", "Differences", "Costs"]
    assert nnefkit(*arguments, "--input", folder / "x.npy", "--force").status == 0
    found = sections(page)
    assert found == [*("Graph", "Validation", "Differences", "Comparison", "Blame", "Costs", "Run")]
    assert "guilty: c" in page.read_text(encoding="utf-8")


def test_an_invalid_model_has_a_report_that_says_why(
    folder: Path, nnefkit: Callable[..., Any]
) -> None:
    result = nnefkit("report", folder / "broken.nnef", "-o", folder / "r.html")
    assert result.status == 1
    assert "not valid" in result.err
    assert sections(folder / "r.html") == ["Validation"]


def test_an_existing_file_is_replaced_only_with_force(
    folder: Path, nnefkit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = folder / "r.html"
    page.write_text("old")
    refused = nnefkit("report", folder / "model", "-o", page)
    assert refused.status == 2
    assert "--force" in refused.err
    assert page.read_text() == "old"
    assert nnefkit("report", folder / "model", "-o", page, "--force").status == 0
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["nowhere", "-o", "r.html"], 2, "no such file"),
        (["model", "-o", "r.pdf"], 2, "must end with .html"),
        (["model"], 2, "--output"),
        (["model", "--against", "nowhere", "-o", "r.html"], 2, "no such file"),
        (["model", "--input", "nowhere.npy", "-o", "r.html"], 2, "nowhere.npy"),
        (["model", "-o", "no/r.html"], 1, "does not exist"),
    ],
)
def test_wrong_usage_is_refused(
    folder: Path,
    nnefkit: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(folder)
    result = nnefkit("report", *arguments)
    assert (result.status, words in result.err) == (status, True), result.err
    assert not (folder / "r.html").exists()

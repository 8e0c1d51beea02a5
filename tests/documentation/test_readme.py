"""The snippets of the README run as they stand, and the notebooks need what it says."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BY_HAND = {
    "04_export_from_pytorch.ipynb": 'pip install "nnefkit[torch,onnx,tract]" nnef',
    "08_look_inside.ipynb": 'pip install "nnefkit[torch,onnx]"',
    "09_from_tflite_to_device_and_back.ipynb": 'pip install "nnefkit[tflite]"',
    "10_a_model_from_2016.ipynb": 'pip install "nnefkit[caffe,onnx,tflite]"',
}
"""Notebooks that need more than ``[lab]`` -> the command in their first cell."""


def test_there_are_snippets() -> None:
    assert len(SNIPPETS) >= 2
    assert "from_torch" in README.split("## What it does")[0]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_a_snippet_runs_as_it_stands(snippet: str, tmp_path: Path) -> None:
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", snippet],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
        timeout=300,
    )


def wanted(extra: str) -> set[str]:
    """The names of the packages of an extra, and those that nnefkit needs itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names, queue = set(), [*project["dependencies"], *project["optional-dependencies"][extra]]
    for requirement in queue:
        if found := re.match(r"nnefkit\[([\w,]+)\]", requirement):
            for other in found[1].split(","):
                queue += project["optional-dependencies"][other]
        else:
            names.add(re.split(r"[<>=\[;]", requirement)[0].lower())
    return names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_imports_what_lab_brings_or_says_what_it_needs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    if path.name in BY_HAND:
        assert BY_HAND[path.name] in notebook.cells[0].source
        return
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    code = "\n".join(re.sub(r"(?m)^[!%].*$", "", source) for source in sources)
    modules = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(code))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
        + ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [])
    }
    outside = modules - sys.stdlib_module_names - {"nnefkit", "support"}
    owners = packages_distributions()
    missing = {m for m in outside if not {o.lower() for o in owners[m]} & wanted("lab")}
    assert missing <= {"IPython"}  # which every kernel has


def test_binder_installs_what_the_notebooks_need() -> None:
    assert (ROOT / "binder" / "requirements.txt").read_text().split() == ["-e", ".[lab]"]

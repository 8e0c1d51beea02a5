"""``nnefkit export-script``, and conversions of what its scripts write."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oracles.dumped_references import files

import nnefkit as nk
from nnefkit.cli.export_script import FRAMEWORKS, script


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_script_runs_where_the_framework_does(framework: str) -> None:
    text = script(framework)
    tree = ast.parse(text, feature_version=(3, 6))
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
    }
    assert imported <= {framework, "numpy", "json", "math"}
    assert max(map(len, text.splitlines())) <= 100
    assert (ast.get_docstring(tree) or "").count("\n") > 20


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_script_is_printed(framework: str, capfdbinary: Any) -> None:
    from nnefkit.cli import main

    assert main(["export-script", framework]) == 0
    assert capfdbinary.readouterr().out.decode() == script(framework)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_graph_is_converted_with_the_files_beside_it(
    framework: str, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    document, arrays, run = files(framework, "digits/digits.graph")
    (tmp_path / "net.graph.json").write_bytes(document)
    (tmp_path / "net.graph.npz").write_bytes(arrays)
    target = tmp_path / "net.nnef.tgz"
    result = nnefkit("convert", tmp_path / "net.graph.json", target)
    assert (result.status, result.err) == (0, "")
    assert "not verified" in result.out
    (tmp_path / "net.npz").write_bytes(run)
    result = nnefkit("convert", tmp_path / "net.graph.json", tmp_path / "proved.nnef.tgz")
    assert "largest relative difference" in result.out
    assert len(nk.load(target).outputs) == 1

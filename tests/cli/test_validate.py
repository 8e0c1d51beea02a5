"""``nnefkit validate``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nnefkit as nk


def test_validate_reports_the_same_as_the_library(
    broken: Path, nnefkit: Callable[..., Any]
) -> None:
    result = nnefkit("validate", broken)
    assert result == (1, f"{nk.validate(broken)}\n", "")
    assert "alpha" in result.out
    assert "Did you mean 'sigmoid'" in result.out


def test_validate_accepts_several_models(
    model: Path, broken: Path, nnefkit: Callable[..., Any]
) -> None:
    result = nnefkit("validate", model, broken)
    assert result.status == 1
    assert f"{model}: valid" in result.out
    assert f"{broken}: not valid" in result.out
    assert nnefkit("validate", model).status == 0


def test_validate_writes_json(broken: Path, model: Path, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("validate", "--json", broken, model)
    assert result.status == 1
    first, second = json.loads(result.out)
    expected = nk.validate(broken)
    assert first["file"] == str(broken)
    assert not first["ok"]
    assert first["errors"] == len(expected.errors) == 2
    for found, diagnostic in zip(first["diagnostics"], expected.diagnostics, strict=True):
        assert found == {
            "code": diagnostic.code,
            "severity": diagnostic.severity,
            "message": diagnostic.message,
            "file": diagnostic.file,
            "line": diagnostic.line,
            "column": diagnostic.column,
            "length": diagnostic.span.end - diagnostic.span.start if diagnostic.span else None,
            "hint": diagnostic.hint,
            "section": diagnostic.section,
        }
    assert (second["ok"], second["diagnostics"]) == (True, [])


def test_warnings_can_count_as_errors(model: Path, nnefkit: Callable[..., Any]) -> None:
    nk.write_tensor(model / "w.dat", np.array([[np.nan, 3.0]], np.float32))
    assert nnefkit("validate", model).status == 0
    assert nnefkit("validate", model, "--warnings-as-errors").status == 1


def test_unknown_operations_can_be_allowed(
    broken: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    path = tmp_path / "vendor.nnef"
    path.write_text(broken.read_text().replace("y = relu(x, alpha = 1.0);\n", ""))
    assert nnefkit("validate", path).status == 1
    assert nnefkit("validate", path, "--no-strict").status == 0

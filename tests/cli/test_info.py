"""``nnefkit info``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nnefkit as nk

BLAZEFACE = Path(__file__).parents[1] / "models" / "blazeface_front"


def test_info_shows_the_graph(
    model: Path, nnefkit: Callable[..., Any], on_terminal: Callable[..., str]
) -> None:
    assert nnefkit("info", model) == (0, on_terminal(nk.load(model)), "")


def test_info_writes_json(nnefkit: Callable[..., Any]) -> None:
    written = json.loads(nnefkit("info", BLAZEFACE / "blazeface_front.nnef", "--json").out)
    assert written["inputs"] == [
        {"name": "external1", "dtype": "scalar", "shape": [1, 128, 128, 3]}
    ]
    assert written["operations"]["conv"] == 37
    assert written["variables"] == 74
    assert written["parameters"] == 101_390


def test_info_of_an_invalid_model_reports_its_errors(
    broken: Path, nnefkit: Callable[..., Any]
) -> None:
    result = nnefkit("info", broken)
    assert (result.status, result.out) == (1, "")
    assert result.err.count("error[") == 2

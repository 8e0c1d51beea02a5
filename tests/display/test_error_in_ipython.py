"""A notebook shows the message of an error alone, and the whole traceback on request."""

from __future__ import annotations

from pathlib import Path

import pytest
from cells import Shown, run_cells

WRONG = "nk.run(graph, np.zeros((1, 3, 100, 100), np.float32))"
CELLS = {
    "setup": (
        "import numpy as np, nnefkit as nk\n"
        "graph = nk.parse('version 1.0; graph g(x) -> (y) { x = external(shape = [1, 3]); "
        "y = relu(x); }')"
    ),
    "wrong shape": WRONG,
    "last line": f"1 + 1\n\n{WRONG}",
    "in a function": f"def mine():\n    {WRONG}\nmine()",
    "decorated": "nk.from_onnx('nowhere.onnx')",
    "missing file": "nk.load('nowhere.nnef')",
    "unknown name": "graph.tensor('yy')",
    "in pandas": "import pandas as pd; pd.Series([1]).map(lambda _: nk.load('nowhere.nnef'))",
    "many": (
        "text = 'version 1.0; graph g(x) -> (y0) { x = external(shape = [1]);' + ''.join("
        "f' y{i} = rellu(x, colour = {i});' for i in range(900)) + '}'\nnk.parse(text)"
    ),
    "raised by the user": "raise nk.InputError('mine')",
    "whole": "%tb Verbose",
    "plain": "%xmode Plain",
    "wrong again": WRONG,
    "usual": "%xmode Context",
    "wrong once more": WRONG,
    "another error": "1 / 0",
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    folder: Path = tmp_path_factory.mktemp("cells")
    return dict(zip(CELLS, run_cells(list(CELLS.values()), str(folder)), strict=True))


@pytest.mark.parametrize(
    ("cell", "words", "line"),
    [
        ("wrong shape", "InputError: error[wrong-shape]: ", "line 1 of the cell"),
        ("last line", "InputError: error[wrong-shape]: ", "line 3 of the cell"),
        ("in a function", "InputError: error[wrong-shape]: ", "line 2 of the cell"),
        ("wrong once more", "InputError: error[wrong-shape]: ", "line 1 of the cell"),
        ("decorated", "StorageError: error[", "line 1 of the cell"),
        ("missing file", "StorageError: error[", "line 1 of the cell"),
        ("unknown name", "UnknownNameError: error[unknown-name]: ", "line 1 of the cell"),
        ("in pandas", "StorageError: error[", "line 1 of the cell"),
        ("raised by the user", "InputError: error[wrong-input]: mine", ""),
    ],
)
def test_the_message_is_shown_alone(
    shown: dict[str, Shown], cell: str, words: str, line: str
) -> None:
    text = shown[cell].error
    assert text.startswith(words)
    assert line in text
    assert "%tb Verbose" in text
    assert "Traceback (most" not in text
    assert "nnefkit/" not in text
    assert len(text.splitlines()) <= 8


def test_the_message_of_many_problems_is_short(shown: dict[str, Shown]) -> None:
    text = shown["many"].error
    assert text.startswith("DocumentError: error[")
    assert "and 899 more like this" in text
    assert len(text) < 20_000


def test_the_whole_traceback_is_shown_on_request(shown: dict[str, Shown]) -> None:
    for cell in ("whole", "wrong again"):
        assert "Traceback" in shown[cell].error
    assert "raise nk.InputError('mine')" in shown["whole"].error
    assert "session.py" in shown["wrong again"].error
    assert "ZeroDivisionError" in shown["another error"].error
    assert "%tb" not in shown["another error"].error

"""In a kernel, figures appear below their cells, and those of pyplot appear as before."""

from __future__ import annotations

from pathlib import Path

import pytest
from cells import Shown, run_cells

CELLS = {
    "setup": "import numpy as np, nnefkit as nk, matplotlib",
    "result": "nk.plot.heat_map(np.eye(4))",
    "the user's own": "import matplotlib.pyplot as plt; plt.plot([1, 2, 3]); None",
    "with a semicolon": "nk.plot.histogram(np.arange(9.0));",
    "two": "for i in range(2): nk.plot.histogram(np.arange(9.0 + i))",
    "assigned and changed": "ax = nk.plot.histogram(np.arange(9.0))\nax.set_title('mine');",
    "displayed": "display(nk.plot.histogram(np.arange(9.0)))",
    "the figure": "nk.plot.histogram(np.arange(9.0)).figure",
    "into the user's": "_, ax = plt.subplots()\nnk.plot.heat_map(np.eye(4), ax=ax);",
    "current figure": "plt.plot([1]); nk.plot.heat_map(np.eye(4)); print(plt.gca().get_lines())",
    "an error after it": "nk.plot.heat_map(np.eye(4)); 1 / 0",
    "nothing": "1 + 1",
    "again": "ax",
    "state": "plt.isinteractive(), plt.get_fignums(), 'inline' in plt.get_backend()",
}
PICTURES = {"setup": 0, "nothing": 0, "state": 0, "two": 2, "current figure": 2, "again": 0}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    folder: Path = tmp_path_factory.mktemp("cells")
    return dict(zip(CELLS, run_cells(list(CELLS.values()), str(folder)), strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_each_figure_appears_once_below_its_cell(shown: dict[str, Shown], cell: str) -> None:
    assert shown[cell].pictures == PICTURES.get(cell, 1)
    assert shown[cell].error == "" or "ZeroDivisionError" in shown[cell].error


def test_pyplot_is_as_if_nothing_had_been_drawn(shown: dict[str, Shown]) -> None:
    assert shown["state"].text() == "(True, [], True)"
    assert "Line2D" in shown["current figure"].text()

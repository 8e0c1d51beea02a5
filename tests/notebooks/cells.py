"""Cells that are run in the kernel of a notebook, with what a reader sees of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import nbformat
from nbclient import NotebookClient

_COLOR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Shown:
    """The outputs of one cell."""

    outputs: tuple[nbformat.NotebookNode, ...]

    @property
    def pictures(self) -> int:
        """How many figures are below the cell."""
        return sum("image/png" in output.get("data", {}) for output in self.outputs)

    @property
    def error(self) -> str:
        """What the notebook shows of an error, without colors; empty if there is none."""
        lines = [line for o in self.outputs if o.output_type == "error" for line in o.traceback]
        return _COLOR.sub("", "\n".join(lines))

    def text(self, kind: str = "text/plain") -> str:
        """The text of that kind in all outputs, streams included."""
        texts = (o.get("data", {}).get(kind, o.get("text", "")) for o in self.outputs)
        return "\n".join(texts)


def run_cells(cells: Sequence[str], folder: str) -> list[Shown]:
    """Run cells one after the other in a new kernel, also after an error."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=120,
        allow_errors=True,
        resources={"metadata": {"path": folder}},
    )
    client.execute()
    return [Shown(tuple(cell.outputs)) for cell in notebook.cells]

"""Executing the project's notebooks from a clean kernel, without a network.

``python tests/notebooks/executing.py`` executes all of them in place, as they are stored.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WIDGET = "application/vnd.jupyter.widget-view+json"
OFFLINE = """
import socket as _socket

_connect = _socket.socket.connect

def _on_this_machine(self, address):
    if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"a notebook asked for another host: {address}")
    return _connect(self, address)

_socket.socket.connect = _on_this_machine
"""
HIDING = """
import importlib.util as _util

_found = _util.find_spec

def _visible(name, package=None):
    return None if name.partition(".")[0] in {names!r} else _found(name, package)

_util.find_spec = _visible
"""


def execute(path: Path, without: Collection[str] = ()) -> nbformat.NotebookNode:
    """Return the notebook at `path`, executed in its own folder, as it is stored and shared.

    A view of a widget needs its kernel: where one has an HTML twin, only that is stored.

    Args:
        path: The path of the notebook.
        without: Names of packages to hide, as if they were not installed.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        startup = Path(folder) / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "offline.py").write_text(OFFLINE)
        (startup / "hiding.py").write_text(HIDING.format(names=set(without)))
        client = NotebookClient(
            notebook,
            timeout=300,
            store_widget_state=False,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(path.parent)}},
        )
        client.execute(env=os.environ | {"IPYTHONDIR": folder})
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [
                output
                for output, after in zip(cell.outputs, [*cell.outputs, None][1:], strict=True)
                if not is_spent_bar(output) and not has_card(output, after)
            ]
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):
                output.data.pop(WIDGET, None)
                # Pandas has empty heads above its index, which readers of screens stumble over.
                output.data["text/html"] = output.data["text/html"].replace(
                    "<th></th>", "<td></td>"
                )
            # Figures are legible on any page, and need no white background.
            output.get("metadata", {}).pop("needs_background", None)
    notebook.metadata.pop("widgets", None)
    return notebook


def has_card(output: nbformat.NotebookNode, after: nbformat.NotebookNode | None) -> bool:
    """Return whether an output is a widget whose static card is the output after it."""
    following = "" if after is None else after.get("data", {}).get("text/html", "")
    return WIDGET in output.get("data", {}) and "nk-stored" in following


def is_spent_bar(output: nbformat.NotebookNode) -> bool:
    """Return whether an output is what is left of a progress bar, as on a slow machine."""
    return output.output_type == "display_data" and output.data == {"text/plain": ""}


if __name__ == "__main__":
    for found in sorted(NOTEBOOKS.glob("*.ipynb")):
        nbformat.write(execute(found), found)

"""Pictures of graphs as files: SVG, PNG and PDF."""

from __future__ import annotations

from os import PathLike
from typing import Any

from nnefkit.arguments import expected_path
from nnefkit.display.visible_text import visible
from nnefkit.errors import InputError
from nnefkit.graph import Graph
from nnefkit.pictures.graph_picture import svg
from nnefkit.storage import replacing_file

ENDINGS = (".svg", ".png", ".pdf")


def save_picture(
    graph: Graph, path: str | PathLike[str], overlay: Any = None, **options: Any
) -> None:
    """Save a picture of a graph: `Graph.save_picture`, whose documentation it has."""
    target = expected_path(path)
    ending = target.suffix.lower()
    if ending not in ENDINGS:
        raise InputError(
            f"the ending of a picture must be .svg, .png or .pdf, not '{ending}'",
            hint=f"For example: graph.save_picture('{target.stem or 'model'}.svg').",
            file=str(path),
        )
    document = svg(graph, overlay, **options)
    if ending == ".svg":
        content = document.encode()
    else:
        from nnefkit.pictures.painting import painted

        content = painted(document, ending, visible(graph.name, 80))
    with replacing_file(target) as file:
        file.write(content)

"""The graph picture as SVG 1.1 that needs nothing beside it: no fonts, scripts, styles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nnefkit.display.folding import Step


def graph_picture(
    operations: Iterable[Step],
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    budget: int = 150,
    width: int = 920,
) -> str:
    """The picture of a graph: folded, laid out, drawn.

    Args:
        operations: All operations in a valid order, ``external``, ``variable`` and ``constant`` too.
        inputs: Names of the tensors that enter the graph.
        outputs: Names of the tensors that leave it.
        budget: How many boxes at most.
        width: How wide at most, in pixels; longer pictures go on in a next row.

    Returns:
        An SVG document of its natural size, to be shown as it is or as data of an image.
    """
    raise NotImplementedError

"""Pictures of a graph as SVG documents, with an overlay and marked operations."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from nnefkit.arguments import expected_string, wrong_type
from nnefkit.collector import paused_collector
from nnefkit.display.folding import Box, Picture
from nnefkit.display.folding.stages import picture_of
from nnefkit.display.svg import draw
from nnefkit.display.svg.drawing import GUILTY, WIDTH
from nnefkit.display.svg.themes import THEMES
from nnefkit.errors import InputError, did_you_mean
from nnefkit.graph import Graph, Operation, expected_graph
from nnefkit.pictures.evidence import ViewEvidence, evidence
from nnefkit.pictures.known_overlays import NONE, Overlays, of_series
from nnefkit.pictures.legend import first_level, legend
from nnefkit.pictures.outline import Detail, Outline
from nnefkit.pictures.overlays import Overlay
from nnefkit.pictures.viewed_graph import ViewedGraph, viewed

MOST = 1_000
"""Maximum number of boxes with ``detail="operations"``."""
SUSPECTS = 3
"""Number of suspicious tensors that the mark of a box names."""
NARROWEST, WIDEST = 320, 20_000
Scale = tuple[float, float]


def svg(
    graph: Graph,
    overlay: Any = None,
    *,
    mark: Any = (),
    trace: Any = None,
    comparison: Any = None,
    cost: Any = None,
    blame: Any = None,
    theme: str = "light",
    detail: str = "blocks",
    width: int = WIDTH,
) -> str:
    """Return a graph as an SVG document: `Graph.svg`, whose documentation it has."""
    shown = viewed(expected_graph(graph))
    colors = _known(THEMES, theme, "theme")
    level: Detail = _known({each: each for each in get_args(Detail)}, detail, "detail")
    pixels: object = width
    if not isinstance(pixels, int) or not NARROWEST <= pixels <= WIDEST:
        raise InputError(
            f"width must be from {NARROWEST} to {WIDEST:,} pixels, not {width!r}",
            hint=f"The default is {WIDTH}.",
        )
    known = evidence(shown, trace, comparison, cost, blame, "graph.svg({})")
    overlays = Overlays(known)
    chosen = chosen_overlay(overlays, overlay)
    with paused_collector():
        outline = Outline(shown.operations, shown.inputs, shown.outputs, level)
        if len(outline.roots) > MOST:
            raise InputError(
                f"the picture would have {len(outline.roots):,} boxes, more than {MOST:,}",
                hint="detail='blocks' folds them; graph.between(inputs, outputs) cuts out a part.",
            )
        marks = marks_of(outline, known, mark, suspects=chosen is not None)
        groups = [block.group for block in outline.roots]
        picture = picture_of(groups, shown.operations, outline.shape_of)
        if level == "operations":
            # One operation is named by its tensor.
            picture = replace(picture, boxes=[outline.box(block) for block in outline.roots])
        picture, scale = dressed(picture, outline, chosen, marks)
        below = legend(picture, chosen, scale, colors, width)
        return draw(picture, width=width, theme=colors, legend=below)


def chosen_overlay(overlays: Overlays, given: Any) -> Overlay | None:
    """Return the overlay that an argument names; with None, the one that the evidence suggests.

    Raises:
        InputError: There is no data for it, or it has no numbers.
        UnknownNameError: There is no such overlay, or a Series names a tensor that is unknown.
    """
    if given is None:
        given = overlays.default()
    if isinstance(given, str):
        return None if given == NONE else overlays.overlay(given)
    return of_series(given, overlays.viewed)


def dressed(
    picture: Picture, outline: Outline, overlay: Overlay | None, marks: Mapping[int, Sequence[str]]
) -> tuple[Picture, Scale]:
    """Return a picture of an outline whose boxes name their tensors, with values and marks.

    Also returns the values at the ends of the scale of colors.
    """
    values = [math.nan] * len(picture.boxes)
    scale = (0.0, 0.0)
    if overlay is not None:
        values = [overlay.value(box.operations) for box in picture.boxes]
        scale = overlay.scale(values)
    boxes: list[Box] = []
    for box, block, value in zip(picture.boxes, outline.roots, values, strict=True):
        words, level = "", 0
        if overlay is not None and box.kind == "operation":
            words = overlay.words(value)
            level = overlay.level(value, scale)
            level += first_level(overlay) if level else 0
        tensors = block.group.names if box.kind != "operation" else outline.leaving(block)
        found = [text for n in box.operations for text in marks.get(n, ())]
        boxes.append(
            replace(box, value=words, level=level, tensors=tuple(tensors), mark=_words(found))
        )
    return replace(picture, boxes=boxes), scale


def _words(found: Sequence[str]) -> str:
    """Return the mark of a box: those that a user set, then those of suspects, counted."""
    guilty = [text.removeprefix(GUILTY) for text in found if text.startswith(GUILTY)]
    words = [text for text in found if not text.startswith(GUILTY)]
    if guilty:
        more = f" and {len(guilty) - SUSPECTS} more" if len(guilty) > SUSPECTS else ""
        words.insert(0, f"{GUILTY}{', '.join(guilty[:SUSPECTS])}{more}")
    return ", ".join(dict.fromkeys(words))


def marks_of(
    outline: Outline, known: ViewEvidence, given: Any, *, suspects: bool
) -> dict[int, list[str]]:
    """Return number of an operation -> what its box is marked with.

    Args:
        outline: The blocks.
        known: What is known about the graph.
        given: What a user marks: tensors, operations.
        suspects: Whether what introduces an error is marked.
    """
    found: dict[int, list[str]] = {}
    shown = known.viewed
    for name in _names(given, shown):
        found.setdefault(outline.drawn(shown.numbers[name]), []).append(name)
    if suspects and known.blame is not None:
        for number, each in known.blamed.items():
            if each.verdict == "guilty":
                found.setdefault(outline.drawn(number), []).append(f"{GUILTY}{each.tensor}")
    elif suspects and known.comparison is not None:
        for name, row in known.compared.items():
            if row.verdict == "introduces":
                words = f"introduces a difference: {name}"
                found.setdefault(outline.drawn(shown.numbers[name]), []).append(words)
    return found


def _names(given: Any, shown: ViewedGraph) -> Collection[str]:
    """Return the names of the tensors to mark.

    Raises:
        InputError: It is neither a name, an operation, nor several of these.
        UnknownNameError: The graph has no such tensor.
    """
    several: Any = [given] if isinstance(given, str | Operation) else given
    if not isinstance(several, Iterable) or isinstance(several, bytes):
        raise wrong_type("mark", "the name of a tensor, an operation, or a list of these", given)
    names = []
    for each in several:
        if isinstance(each, Operation) and each.output_names:
            each = each.output_names[0]
        names.append(shown.known(expected_string(each, "mark")))
    return dict.fromkeys(names)


def _known(choices: Mapping[str, Any], given: Any, argument: str) -> Any:
    if isinstance(given, str) and given in choices:
        return choices[given]
    listed = " or ".join(f"'{choice}'" for choice in choices)
    raise InputError(
        f"{argument} must be {listed}, not {given!r}",
        hint=did_you_mean(given, choices) if isinstance(given, str) else "",
    )

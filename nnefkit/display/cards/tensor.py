"""What a tensor says of itself: one line of numbers, and a picture of its values."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nnefkit.arrays import Array
from nnefkit.display import charts, images, numbers
from nnefkit.display.cards import statistics_cells as values
from nnefkit.display.colors import BLUE
from nnefkit.display.elements import Block, Card, Figure, Line, Paragraph, Phrase
from nnefkit.display.images import Scale
from nnefkit.display.summary import TensorSummary
from nnefkit.display.vocabulary import family

TILES, COLUMNS = 24, 12
"""How many channels are shown, and how many in a row."""
MAP = (200, 720)
"""Most points of a heat map: height, width."""


def tensor(summary: TensorSummary, *, brief: bool = False, detail: float = 1.0) -> Card:
    """The card of a tensor: its facts, its statistics, its values as a picture.

    `detail` is the share of the points, along each side, that a large picture is kept at.
    """
    color = family(summary.producer).color if summary.producer else BLUE
    blocks: list[Block] = []
    if summary.statistics is not None:
        logical = summary.dtype == "logical"
        blocks.append(Paragraph(values.line(summary.statistics, color, logical=logical)))
    if not brief and _drawable(summary):
        blocks += _pictures(summary, np.asarray(summary.values), color, detail)
    return Card(summary.name, color, tuple(_facts(summary)), tuple(blocks))


def _facts(summary: TensorSummary) -> Iterator[str]:
    yield f"{summary.dtype} {numbers.shape(summary.shape)}"
    if summary.items is not None:
        yield numbers.plural(summary.items, "item")
    if summary.values is not None:
        yield summary.item_type
        yield numbers.size(summary.values.nbytes)
    if summary.producer:
        line = f", line {summary.line:,}" if summary.line is not None else ""
        yield f"{numbers.shorten(summary.producer)}{line}"
    if summary.label:
        yield f"label {numbers.shorten(summary.label, 60)}"
    if summary.quantization:
        named = ", ".join(f"{key} {value}" for key, value in summary.quantization.items())
        yield f"quantization {numbers.shorten(named, 80)}"
    if summary.origin:
        yield f"from {numbers.shorten(summary.origin, 60)}"
    if summary.values is None:
        yield "no values" if summary.label else "no values before a run"


def _drawable(summary: TensorSummary) -> bool:
    """Whether there are values, and not all the same."""
    statistics = summary.statistics
    if summary.values is None or statistics is None or not statistics.examined:
        return False
    return statistics.minimum < statistics.maximum or not statistics.finite


def _pictures(summary: TensorSummary, array: Array, color: str, detail: float) -> Iterator[Block]:
    extents = [extent for extent in array.shape if extent > 1]
    if len(extents) == 1:
        some, part = images.thinned(array.reshape(-1, 1))
        what = "values in their order" + (f", {part.replace('rows', 'looked at')}" if part else "")
        yield Figure(charts.curve(some, color), _caption(what, "", summary))
        return
    if len(extents) == 2:
        yield _heat_map(summary, array.reshape(extents), detail)
        return
    maps, name, total = _maps(array, parameter=bool(summary.label))
    yield _grid(summary, maps, name, total, detail)


def _maps(array: Array, *, parameter: bool) -> tuple[Array, str, int]:
    """The first maps (K, H, W) of a tensor of rank 3 or more, what they are, how many there are."""
    item = ""
    if array.ndim >= 4 and not parameter:
        item = f"item 0 of {array.shape[0]:,}, " if array.shape[0] > 1 else ""
        array = array[0]
    last = _channels_last(array, parameter=parameter)
    if last:
        array = np.moveaxis(array, -1, -3)
    array = array.reshape([extent for extent in array.shape if extent > 1])
    # The items of a batch may be single maps, or vectors.
    array = array.reshape((1,) * (3 - array.ndim) + array.shape)
    if parameter:
        what = "slices of filters" if array.ndim > 3 else "filters"
    else:
        what = "slices" if array.ndim > 3 else "channels"
    total = math.prod(array.shape[:-2])
    first = array.reshape(total, *array.shape[-2:])[:TILES]
    return first, f"{item}{what}{' (last axis)' if last else ''}", total


def _channels_last(array: Array, *, parameter: bool) -> bool:
    """Whether the last axis looks like channels, as in tensors that other tools laid out.

    NNEF has them second; a guess that fails costs a strange picture, which says what it shows.
    """
    if array.ndim < 3:
        return False
    high, wide, deep = (int(extent) for extent in array.shape[-3:])
    if parameter:
        return array.ndim == 4 and high == wide != deep
    return deep <= 4 < min(high, wide)


def _heat_map(summary: TensorSummary, array: Array, detail: float) -> Figure:
    rows, columns = array.shape
    what = f"{rows:,} rows, {columns:,} columns"
    array, part = images.thinned(array)
    scale = images.robust_scale(array)
    alt = f"heat map of {numbers.shorten(summary.name)}: {what}"
    picture = images.heat_map(array, scale, alt, most=MAP, detail=detail)
    what += f", {part} looked at" if part else ""
    said = "" if summary.dtype == "logical" else f"scale {scale.text}"
    return Figure(picture, _caption(what, said, summary, scale))


def _grid(summary: TensorSummary, maps: Array, name: str, total: int, detail: float) -> Figure:
    maps, part = images.thinned(maps)
    scale = images.robust_scale(maps)
    shown = len(maps)
    what = f"{name} 0–{shown - 1} of {total:,}" if total > 1 else "one map"
    alt = f"{what} of {numbers.shorten(summary.name)}"
    tile = 60
    columns = min(COLUMNS, shown)
    # Wide maps (sequences) need the width for themselves.
    if maps.shape[-1] > 3 * maps.shape[-2]:
        columns, tile = 3, 240
    picture = images.grid(maps, scale, alt, tile=tile, columns=columns, detail=detail)
    what += f", {part} looked at" if part else ""
    said = "" if summary.dtype == "logical" else f"one scale, {scale.text}"
    return Figure(picture, _caption(what, said, summary, scale))


def _caption(
    what: str, scale_text: str, summary: TensorSummary, scale: Scale | None = None
) -> Line:
    parts = [what, scale_text, *_colors(summary, scale)] if scale else [what]
    return (
        Phrase("".join(f"{part} · " for part in parts if part), "muted", limit=0),
        Phrase(summary.access, "muted", code=True),
    )


def _colors(summary: TensorSummary, scale: Scale) -> Iterator[str]:
    if summary.dtype == "logical":
        yield "dark true"
    elif scale.low < 0 < scale.high:
        yield "blue negative, orange positive"
    else:
        yield "darker is larger" if scale.high > 0 else "darker is more negative"
    statistics = summary.statistics
    if statistics is not None and not statistics.finite:
        yield "magenta NaN, green Inf"

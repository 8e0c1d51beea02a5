"""What a tensor says of itself: one line of numbers, and a picture of its values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nnefkit.display import charts, images, numbers
from nnefkit.display.card import Block, Card, Figure, Line, Paragraph, Phrase
from nnefkit.display.cards import values
from nnefkit.display.families import BLUE, family
from nnefkit.display.images import Array
from nnefkit.display.summary import TensorSummary

TILES, COLUMNS = 24, 12
"""How many channels are shown, and how many in a row."""
MAP = (240, 720)
"""Most points of a heat map: height, width."""


def tensor(summary: TensorSummary, *, brief: bool = False) -> Card:
    """The card of a tensor: its facts, its statistics, its values as a picture."""
    color = family(summary.producer).color if summary.producer else BLUE
    blocks: list[Block] = []
    if summary.statistics is not None:
        logical = summary.dtype == "logical"
        blocks.append(Paragraph(values.line(summary.statistics, color, logical=logical)))
    if not brief and _drawable(summary.values):
        blocks += _pictures(summary, np.asarray(summary.values), color)
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
        yield "no values"


def _drawable(array: Array | None) -> bool:
    return array is not None and array.dtype.kind in "fiub" and array.size > 1


def _pictures(summary: TensorSummary, array: Array, color: str) -> Iterator[Block]:
    extents = [extent for extent in array.shape if extent > 1]
    if len(extents) == 1:
        yield Figure(charts.curve(array, color), _caption("in their order", "", summary))
        return
    if len(extents) == 2:
        yield _heat_map(summary, array.reshape(extents))
        return
    maps, name, total = _maps(array, parameter=bool(summary.label))
    yield _grid(summary, maps, name, total)


def _maps(array: Array, *, parameter: bool) -> tuple[Array, str, int]:
    """The first maps (K, H, W) of a tensor of rank 3 or more, what they are, how many there are."""
    what = "channels"
    item = ""
    if array.ndim >= 4 and not parameter:
        item = f"item 0 of {array.shape[0]:,}, " if array.shape[0] > 1 else ""
        array = array[0]
    extents = [extent for extent in array.shape if extent > 1]
    array = array.reshape(extents)
    if array.ndim < 3:
        # The items of a batch of vectors or of single maps.
        array = array.reshape((1,) * (3 - array.ndim) + array.shape)
    if array.shape[-1] <= 4 and array.ndim == 3 and min(array.shape[:2]) > 4:
        what = "channels (last axis)"
        array = np.moveaxis(array, -1, 0)
    elif parameter:
        what = "filters" if array.ndim == 3 else "slices of filters"
    elif array.ndim > 3:
        what = "slices"
    total = int(np.prod(array.shape[:-2]))
    first = array.reshape(total, *array.shape[-2:])[:TILES]
    return first, f"{item}{what}", total


def _heat_map(summary: TensorSummary, array: Array) -> Figure:
    scale = images.robust_scale(array)
    rows, columns = array.shape
    what = f"{rows:,} rows, {columns:,} columns"
    alt = f"heat map of {numbers.shorten(summary.name)}: {what}"
    picture = images.heat_map(array, scale, alt, most=MAP)
    return Figure(picture, _caption(what, f"scale {scale.text}", summary))


def _grid(summary: TensorSummary, maps: Array, name: str, total: int) -> Figure:
    scale = images.robust_scale(maps)
    shown = len(maps)
    what = f"{name} 0–{shown - 1} of {total:,}" if total > 1 else "one map"
    alt = f"{what} of {numbers.shorten(summary.name)}"
    tile = 64 if shown <= COLUMNS else 48
    columns = min(COLUMNS, shown)
    # Wide maps (sequences) need the width for themselves.
    if maps.shape[-1] > 3 * maps.shape[-2]:
        columns, tile = 3, 200
    picture = images.grid(maps, scale, alt, tile=tile, columns=columns)
    return Figure(picture, _caption(what, f"one scale, {scale.text}", summary))


def _caption(what: str, scale: str, summary: TensorSummary) -> Line:
    parts = [part for part in (what, scale) if part]
    colors = "blue negative, orange positive" if scale else ""
    statistics = summary.statistics
    if scale and statistics is not None and not statistics.finite:
        colors += ", magenta NaN, green Inf"
    text = " · ".join([*parts, colors] if colors else parts)
    return (
        Phrase(f"{text} · ", "muted", limit=0),
        Phrase(summary.access, "muted", code=True),
    )

"""The card of a tensor: its facts, a line of statistics, and a picture of its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from nnefkit.arrays import Array, check_mapped
from nnefkit.display import charts, images, numbers, text
from nnefkit.display.cards import statistics_cells
from nnefkit.display.channel_maps import channel_maps
from nnefkit.display.colors import BLUE
from nnefkit.display.elements import (
    LONGEST_FACT,
    Block,
    Card,
    Figure,
    Line,
    Paragraph,
    Phrase,
)
from nnefkit.display.images import Scale
from nnefkit.display.nnef_text import abbreviated
from nnefkit.display.operation_table import element_count
from nnefkit.display.protocols import TensorLike
from nnefkit.display.statistics import Statistics, statistics
from nnefkit.display.visible_text import visible
from nnefkit.display.vocabulary import family

TILES, COLUMNS = 24, 12
"""Maximum number of channels shown, and of channels in a row."""
MAP = (200, 720)
"""Maximum number of points of a heat map: height, width."""


QUANTIZED = 8
"""Maximum number of entries shown of the quantization of a tensor."""
SAMPLE = 4_000_000
"""Maximum number of values examined."""
DETAILS = (1.0, 0.75, 0.5)
"""Shares of the points, along each side, of ever smaller versions of a large picture."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A tensor and what is known about it."""

    tensor: TensorLike
    statistics: Statistics | None
    producer: str
    line: int | None
    label: str
    quantization: Mapping[str, Any] | None
    origin: str
    access: str

    @property
    def logical(self) -> bool:
        return self.tensor.dtype == "logical"

    @property
    def color(self) -> str:
        return family(self.producer).color if self.producer else BLUE


def tensor_card(
    tensor: TensorLike,
    *,
    brief: bool = False,
    known: Statistics | None = None,
    producer: str = "",
    line: int | None = None,
    label: str = "",
    quantization: Mapping[str, Any] | None = None,
    origin: str = "",
    access: str = "tensor.data",
    sample: int = SAMPLE,
) -> Card:
    """Return the card of a tensor of a graph or of a run.

    Args:
        tensor: Its name, dtype, shape and values.
        brief: Leave the picture out, and write the card in one line too.
        known: Statistics of the values, if they were computed before.
        producer: Name of the operation that computes it.
        line: The line of that operation in the text of the graph.
        label: The label of a variable.
        quantization: Its entry in ``graph.quant``.
        origin: The node or module that a converter made it from.
        access: Python code that returns the values.
        sample: Maximum number of values examined.
    """
    if known is None and tensor.data is not None:
        known = statistics(tensor.data, limit=sample)
    shown = _Shown(tensor, known, producer, line, label, quantization, origin, access)
    facts = tuple(_facts(shown))
    blocks: list[Block] = []
    if known is not None:
        blocks.append(Paragraph(statistics_cells.line(known, shown.color, logical=shown.logical)))
    if brief:
        return Card(tensor.name, shown.color, facts, tuple(blocks), line=_line(shown, facts))
    return _card(shown, facts, blocks, 0)


def _card(shown: _Shown, facts: tuple[str, ...], blocks: list[Block], size: int) -> Card:
    """Return the card with its picture, which has less detail with each `size`."""
    array = shown.tensor.data
    if array is None or not _varies(shown.statistics):
        return Card(shown.tensor.name, shown.color, facts, tuple(blocks))
    check_mapped(array)
    figure = _figure(shown, np.asarray(array), DETAILS[size])
    smaller = None
    if size + 1 < len(DETAILS):
        smaller = partial(_card, shown, facts, blocks, size + 1)
    return Card(shown.tensor.name, shown.color, facts, (*blocks, figure), smaller=smaller)


def _line(shown: _Shown, facts: tuple[str, ...]) -> str:
    """``<Tensor add1: float32 1×24×64×64 · 98,304 elements · [-6.36 ▁▂█▃ 5.31] ...>``."""
    parts = [visible(fact, LONGEST_FACT) for fact in facts]
    if shown.statistics is not None:
        line = statistics_cells.line(shown.statistics, shown.color, logical=shown.logical)
        parts.append(text.phrases(line))
    return f"<Tensor {visible(shown.tensor.name, 60)}: {' · '.join(parts)}>"


def _facts(shown: _Shown) -> Iterator[str]:
    tensor, values = shown.tensor, shown.tensor.data
    dtype = tensor.dtype if values is None else str(values.dtype)
    yield numbers.typed_shape(dtype, tensor.shape)
    if tensor.shape is not None:
        yield numbers.plural(element_count(tensor), "element")
    if values is not None:
        yield numbers.size(values.nbytes)
    if shown.producer:
        line = f", line {shown.line:,}" if shown.line is not None else ""
        yield f"{numbers.shorten(shown.producer)}{line}"
    if shown.label:
        yield f"label {numbers.shorten(shown.label, 60)}"
    if shown.quantization:
        entry = islice(shown.quantization.items(), QUANTIZED)
        named = ", ".join(f"{numbers.shorten(key)} {_plain(value)}" for key, value in entry)
        yield f"quantization {numbers.shorten(named, 80)}"
    if shown.origin:
        yield f"from {numbers.shorten(shown.origin, 60)}"
    if values is None:
        yield "no values" if shown.label else "no values before a run"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else abbreviated(value)


def _varies(statistics: Statistics | None) -> bool:
    """Return whether there are values, and not all the same."""
    if statistics is None or not statistics.examined:
        return False
    return statistics.minimum < statistics.maximum or not statistics.finite


def _figure(shown: _Shown, array: Array, detail: float) -> Figure:
    extents = [extent for extent in array.shape if extent > 1]
    if len(extents) == 1:
        values, part = images.thinned(array.reshape(-1, 1))
        description = "values in order" + (f", {part.replace('rows', 'drawn')}" if part else "")
        return Figure(charts.curve(values, shown.color), _caption(shown, description))
    if len(extents) == 2:
        return _heat_map(shown, array.reshape(extents), detail)
    maps, name = channel_maps(array, parameter=bool(shown.label))
    return _grid(shown, maps[:TILES], name, len(maps), detail)


def _heat_map(shown: _Shown, array: Array, detail: float) -> Figure:
    rows, columns = array.shape
    description = f"{rows:,} rows, {columns:,} columns"
    array, part = images.thinned(array)
    scale = images.robust_scale(array)
    alt = f"heat map of {numbers.shorten(shown.tensor.name)}: {description}"
    picture = images.heat_map(array, scale, alt, most=MAP, detail=detail)
    description += f", {part} drawn" if part else ""
    return Figure(picture, _caption(shown, description, scale, "scale "))


def _grid(shown: _Shown, maps: Array, name: str, total: int, detail: float) -> Figure:
    maps, part = images.thinned(maps)
    scale = images.robust_scale(maps)
    count = len(maps)
    description = f"{name} 0–{count - 1} of {total:,}" if total > 1 else "one map"
    alt = f"{description} of {numbers.shorten(shown.tensor.name)}"
    tile = 60
    columns = min(COLUMNS, count)
    # Wide maps (sequences) need the width for themselves.
    if maps.shape[-1] > 3 * maps.shape[-2]:
        columns, tile = 3, 240
    picture = images.grid(maps, scale, alt, tile=tile, columns=columns, detail=detail)
    description += f", {part} drawn" if part else ""
    return Figure(picture, _caption(shown, description, scale, "shared scale "))


def _caption(
    shown: _Shown, description: str, scale: Scale | None = None, scale_name: str = ""
) -> Line:
    """Return a description of a picture, its colors, and the code that returns the values."""
    parts = [description]
    if scale is not None and shown.logical:
        parts.append("colored is true")
    elif scale is not None:
        parts += [f"{scale_name}{scale.text}", _direction(scale)]
    if scale is not None and shown.statistics is not None and not shown.statistics.finite:
        parts.append("magenta NaN, green Inf")
    return (
        Phrase("".join(f"{part} · " for part in parts), "muted", limit=0),
        Phrase(shown.access, "muted", code=True),
    )


def _direction(scale: Scale) -> str:
    if scale.low < 0 < scale.high:
        return "blue negative, orange positive"
    return "stronger is larger" if scale.high > 0 else "stronger is more negative"

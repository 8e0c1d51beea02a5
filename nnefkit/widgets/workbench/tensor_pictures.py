"""Pictures of a tensor for the inspector: channels, heat map, histogram, values, an image.

Only pictures and a window of numbers go to the browser, never a tensor.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, converted
from nnefkit.display import charts, images, numbers, text
from nnefkit.display.cards import statistics_cells
from nnefkit.display.channel_maps import channel_maps
from nnefkit.display.colors import BLUE, RED
from nnefkit.display.elements import Image
from nnefkit.display.statistics import Statistics, statistics
from nnefkit.pictures.evidence import TensorSide

PAGE = 12
"""Number of channels in a page of one run; of several, a row of `ACROSS` each."""
ACROSS = 6
WIDTH = 320
"""Width of the pictures in pixels."""
ROWS, COLUMNS = 12, 6
"""Number of values in a page of the table."""
SAMPLE = 2_000_000
"""Maximum number of values examined."""
DIFFERENCE = "|a − b|"
LARGEST = 256
"""Extents of an image from which on it is reduced."""

Request = Mapping[str, Any]
Part = dict[str, Any]


def tabs(sides: Sequence[TensorSide]) -> list[str]:
    """Return the views that there are of a tensor, the best one first."""
    if not sides:
        return []
    array = sides[0].values
    if array.dtype.kind not in "fiub" or not array.size:
        return ["values"] if array.size else []
    extents = [extent for extent in array.shape if extent > 1]
    found = []
    if len(extents) > 2:
        found.append("channels")
    if len(extents) > 1:
        found.append("heat map")
    elif len(extents) == 1:
        found.append("curve")
    if len(extents):
        found.append("histogram")
    found.append("values")
    if _pixels(array, 0) is not None:
        found.append("image")
    return found


def picture(sides: Sequence[TensorSide], request: Request, *, parameter: bool) -> dict[str, Any]:
    """Return one view of a tensor.

    Args:
        sides: Its values, of one run or of both.
        request: The ``tab``, and where in the tensor: ``page``, ``item``, ``index``, ``row``,
            ``column``. Positions outside of the tensor are moved into it.
        parameter: Whether it is a weight.
    """
    tab = str(request.get("tab", ""))
    known = tabs(sides)
    if not known:
        return {"tab": tab, "parts": [], "note": "There are no values to show."}
    if tab not in known:
        tab = known[0]
    with np.errstate(all="ignore"):
        shown = _VIEWS[tab](sides, request, parameter)
    return {"tab": tab, **shown}


def summary_line(values: Array) -> str:
    """Return the statistics of a tensor in one line."""
    return _line(statistics(values, limit=SAMPLE), values)


def _line(known: Statistics, values: Array) -> str:
    logical = values.dtype == bool
    return text.phrases(statistics_cells.line(known, BLUE, logical=logical))


def _with_difference(sides: Sequence[TensorSide]) -> list[TensorSide]:
    """Return the sides, and the absolute difference of two, of large ones an even sample of it."""
    if len(sides) < 2:
        return list(sides)
    first, second = (side.values.reshape(-1) for side in sides)
    step = max(1, first.size // SAMPLE)
    label = DIFFERENCE if step == 1 else f"{DIFFERENCE}, 1 in {step:,} values"
    return [*sides, TensorSide(label, difference(first[::step], second[::step]))]


def largest_difference(a: Array, b: Array) -> float:
    """Return the largest finite absolute difference of two arrays; NaN if there is none."""
    first, second = a.reshape(-1), b.reshape(-1)
    largest = math.nan
    for start in range(0, first.size, SAMPLE):
        part = slice(start, start + SAMPLE)
        apart = difference(first[part], second[part])
        apart = apart[np.isfinite(apart)]
        if apart.size:
            largest = float(np.fmax(largest, apart.max()))
    return largest


def difference(a: Array, b: Array) -> Array:
    """Return the absolute difference of two arrays of one shape in double precision."""
    x, y = converted(a, np.float64), converted(b, np.float64)
    with np.errstate(all="ignore"):  # of infinities
        result: Array = np.abs(x - y)
    # Equal infinities do not differ.
    result[np.isinf(x) & (x == y)] = 0.0
    return result


def _part(label: str, image: Image, line: str = "", caption: str = "") -> Part:
    shrunk = min(1.0, WIDTH / image.width)
    return {
        "label": label,
        "line": line,
        "image": image.make(),
        "alt": image.alt,
        "width": round(image.width * shrunk),
        "height": round(image.height * shrunk),
        "caption": caption,
    }


def _clipped(value: Any, count: int) -> int:
    try:
        return min(max(int(value), 0), max(count - 1, 0))
    except (TypeError, ValueError, OverflowError):
        return 0


# -- channels and maps ----------------------------------------------------------------------------


def _channels(sides: Sequence[TensorSide], request: Request, parameter: bool) -> dict[str, Any]:
    array = sides[0].values
    items = array.shape[0] if array.ndim >= 4 and not parameter else 1
    item = _clipped(request.get("item", 0), items)
    size = PAGE if len(sides) == 1 else ACROSS * 2
    maps = [channel_maps(one.values, parameter=parameter, item=item) for one in sides]
    total = len(maps[0][0])
    pages = -(-total // size)
    page = _clipped(request.get("page", 0), pages)
    here = slice(page * size, (page + 1) * size)
    pieces = [images.thinned(one[here])[0] for one, _ in maps]
    scale = images.robust_scale(np.concatenate([piece.ravel() for piece in pieces]))
    parts = []
    for side, piece in zip(sides, pieces, strict=True):
        parts.append(_grid(side.label, piece, scale, summary_line(side.values)))
    if len(sides) > 1:
        apart = difference(pieces[0], pieces[1])
        largest = largest_difference(sides[0].values, sides[1].values)
        words = f"largest {numbers.number(largest)}"
        parts.append(_grid(DIFFERENCE, apart, images.robust_scale(apart), words))
    last = min((page + 1) * size, total) - 1
    name = maps[0][1]
    where = f"{name} {page * size}–{last} of {total:,}" if total > 1 else "one map"
    note = f"shared scale {scale.text}" if len(sides) > 1 else f"scale {scale.text}"
    return {
        "parts": parts,
        "page": page,
        "pages": pages,
        "where": where,
        "note": note,
        "item": item,
        "items": items,
    }


def _grid(label: str, maps: Array, scale: images.Scale, line: str) -> Part:
    wide = maps.shape[-1] > 3 * maps.shape[-2]
    columns = 2 if wide else min(ACROSS, len(maps))
    tile = (WIDTH - 2 * columns - 2) // max(columns, 1)
    tile = min(tile, 104)
    image = images.grid(maps, scale, f"{len(maps)} maps of {label}", tile=tile, columns=columns)
    return _part(label, image, line)


def _heat_map(sides: Sequence[TensorSide], request: Request, parameter: bool) -> dict[str, Any]:
    del parameter
    array = sides[0].values
    index, leading = _leading(array, request)
    matrices = [_matrix(one.values, index) for one in sides]
    thin = [images.thinned(matrix)[0] for matrix in matrices]
    scale = images.robust_scale(np.concatenate([matrix.ravel() for matrix in thin]))
    parts = [_heat(side.label, matrix, scale) for side, matrix in zip(sides, thin, strict=True)]
    if len(sides) > 1:
        apart = difference(thin[0], thin[1])
        parts.append(_heat(DIFFERENCE, apart, images.robust_scale(apart)))
    rows, columns = matrices[0].shape
    return {
        "parts": parts,
        "where": f"{rows:,} rows, {columns:,} columns",
        "note": f"scale {scale.text}",
        "index": list(index),
        "extents": list(leading),
    }


def _leading(array: Array, request: Request) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the position along all axes but the last two, and the extents of these axes."""
    extents = array.shape[: max(array.ndim - 2, 0)]
    given = request.get("index", ())
    given = list(given) if isinstance(given, (list, tuple)) else []
    given += [0] * (len(extents) - len(given))
    index = [_clipped(value, extent) for value, extent in zip(given, extents, strict=False)]
    return tuple(index), extents


def _matrix(array: Array, index: tuple[int, ...]) -> Array:
    part = array[index] if index else array
    return part.reshape(-1, part.shape[-1]) if part.ndim > 1 else part.reshape(1, -1)


def _heat(label: str, matrix: Array, scale: images.Scale) -> Part:
    image = images.heat_map(matrix, scale, f"heat map of {label}", most=(240, WIDTH - 2))
    return _part(label, image, summary_line(matrix))


def _curve(sides: Sequence[TensorSide], request: Request, parameter: bool) -> dict[str, Any]:
    del request, parameter
    parts = []
    for side in _with_difference(sides):
        column = images.thinned(side.values.reshape(-1, 1))[0]
        color = RED if side.label.startswith(DIFFERENCE) else BLUE
        image = charts.curve(column, color, width=WIDTH, height=90)
        parts.append(_part(side.label, image, summary_line(side.values)))
    return {"parts": parts, "where": f"{sides[0].values.size:,} values in order"}


def _histogram(sides: Sequence[TensorSide], request: Request, parameter: bool) -> dict[str, Any]:
    del request, parameter
    parts = []
    for side in _with_difference(sides):
        known = statistics(side.values, limit=SAMPLE)
        counts, edges = known.histogram
        color = RED if side.label.startswith(DIFFERENCE) else BLUE
        image = charts.histogram(counts, color, width=WIDTH, height=72)
        ends = f"{numbers.number(edges[0])} to {numbers.number(edges[-1])}" if edges else ""
        facts = [
            ends,
            f"largest bar {max(counts):,} of {known.examined:,}" if counts else "no finite values",
        ]
        parts.append(
            _part(side.label, image, _line(known, side.values), " · ".join(filter(None, facts)))
        )
    return {"parts": parts, "where": f"{sides[0].values.size:,} values"}


# -- numbers --------------------------------------------------------------------------------------


def _table(sides: Sequence[TensorSide], request: Request, parameter: bool) -> dict[str, Any]:
    del parameter
    array = sides[0].values
    index, extents = _leading(array, request)
    high, wide = _matrix(array, index).shape
    top = _clipped(request.get("row", 0), high) // ROWS * ROWS
    left = _clipped(request.get("column", 0), wide) // COLUMNS * COLUMNS
    window = (slice(top, top + ROWS), slice(left, left + COLUMNS))
    parts = []
    for side in sides:
        part = _matrix(side.values, index)[window]
        line = summary_line(side.values)
        parts.append({"label": side.label, "line": line, "rows": _written(part)})
    if len(sides) > 1:
        pieces = [_matrix(side.values, index)[window] for side in sides]
        apart = difference(pieces[0], pieces[1])
        parts.append({"label": DIFFERENCE, "rows": _written(apart)})
    return {
        "parts": parts,
        "index": list(index),
        "extents": list(extents),
        "row": top,
        "column": left,
        "shape": [high, wide],
        "where": f"rows {top}–{min(top + ROWS, high) - 1} of {high:,}, "
        f"columns {left}–{min(left + COLUMNS, wide) - 1} of {wide:,}",
    }


def _written(part: Array) -> list[list[str]]:
    return [[_value(value) for value in row] for row in part.tolist()]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return numbers.integer(value) if isinstance(value, int) else numbers.number(value)
    return numbers.shorten(str(value), 24)


# -- images ---------------------------------------------------------------------------------------


def _pixels(array: Array, item: int) -> Array | None:
    """Return the values (H, W, C) of a tensor that may be an image; None if it cannot be one."""
    if array.ndim == 4:
        array = array[item]
        channels = (1, 3)
    else:
        channels = (3, 3)
    if array.ndim != 3 or array.dtype.kind not in "fiu":
        return None
    if array.shape[0] in channels and min(array.shape[1:]) >= 8:
        return np.moveaxis(array, 0, -1)
    if array.shape[2] in channels and min(array.shape[:2]) >= 8:
        return array
    return None


def _image(sides: Sequence[TensorSide], request: Request, parameter: bool) -> dict[str, Any]:
    del parameter
    array = sides[0].values
    items = array.shape[0] if array.ndim == 4 else 1
    item = _clipped(request.get("item", 0), items)
    parts = []
    words = ""
    for side in sides:
        pixels = _pixels(side.values, item)
        if pixels is None:
            continue
        step = max(1, -(-max(pixels.shape[:2]) // LARGEST))
        pixels = converted(pixels[::step, ::step], np.float64)
        low, high = _range(pixels)
        words = f"{numbers.number(low)} is black, {numbers.number(high)} is white"
        share = np.nan_to_num((pixels - low) / (high - low))
        colors = np.clip(np.rint(share * 255), 0, 255).astype(np.uint8)
        parts.append(_part(side.label, _rgb(colors, side.label), summary_line(side.values)))
    return {"parts": parts, "where": "as an image", "note": words, "item": item, "items": items}


def _range(pixels: Array) -> tuple[float, float]:
    """Return the values of black and white: those of a common convention where they fit."""
    finite = pixels[np.isfinite(pixels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    for least, most in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        if low >= least and high <= most:
            return least, most
    return (low, high) if high > low else (low, low + 1.0)


def _rgb(colors: Array, label: str) -> Image:
    def make() -> str:
        from PIL import Image as Pictures

        mode = "RGB" if colors.shape[-1] == 3 else "L"
        height, width = colors.shape[:2]
        pixels = np.ascontiguousarray(colors).tobytes()
        file = io.BytesIO()
        Pictures.frombytes(mode, (width, height), pixels).save(file, "PNG")
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")

    height, width = colors.shape[:2]
    enlarged = max(1, WIDTH // max(width, height, 1))
    return Image(f"the tensor as an image {label}", make, width * enlarged, height * enlarged)


View = Callable[[Sequence[TensorSide], Request, bool], dict[str, Any]]
_VIEWS: Mapping[str, View] = {
    "channels": _channels,
    "heat map": _heat_map,
    "curve": _curve,
    "histogram": _histogram,
    "values": _table,
    "image": _image,
}

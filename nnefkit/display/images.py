"""Pictures of arrays: heat maps and grids of channels, as small PNG images.

Negative values are blue, positive values are orange, zero is transparent: white on a white page,
black on a black one. NaN and Inf have colors that are not in the scale. Large maps are reduced,
small ones enlarged.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nnefkit.arrays import Array, converted
from nnefkit.display import numbers
from nnefkit.display.elements import Image

LEVELS = 63
"""Number of steps of the color scale; odd, so that one is zero. More only make files larger."""
NAN, INFINITE, FRAME, EMPTY = range(LEVELS, LEVELS + 4)
"""Positions of the special colors in the palette."""

BELOW, ABOVE = (42, 120, 196), (200, 98, 12)
"""The colors of values below and above zero as red, green, blue.

Each has a contrast of 4 : 1 on white and on #111, so that large magnitudes stand out from any page.
"""
_SPECIAL = ((230, 0, 200), (0, 160, 60), (128, 128, 128), (128, 128, 128))
# Frames are light on white and dark on black; empty parts are transparent.
_SPECIAL_OPACITY = bytes([255, 255, 150, 0])
_PERCENT = 99.0
# Number of values that determine the scale.
_SCALE_SAMPLE = 200_000
# Number of values that are read for a picture, and of rows that remain at least.
_LOOKED_AT = 3_000_000
_FEWEST_ROWS = 800
# The short side of a heat map at least, in pixels.
_MIN_SIZE = 64


@dataclass(frozen=True, slots=True)
class Scale:
    """The values at the ends of the color scale; values beyond them have the colors of the ends."""

    low: float
    high: float

    @property
    def text(self) -> str:
        """The scale as captions state it, with the share of values that it covers."""
        if self.low == -self.high:
            ends = f"±{numbers.number(self.high)}"
        else:
            ends = f"{numbers.number(self.low)} to {numbers.number(self.high)}"
        return f"{ends} ({_PERCENT:.0f} % of values)"


def robust_scale(values: Array) -> Scale:
    """Return a scale that a few outliers do not spoil: it covers 99 % of the finite magnitudes.

    It is symmetric about zero if there are both signs. Otherwise it begins at zero, or at the
    smallest magnitudes where these are far from zero.
    """
    flat = values.ravel()
    step = -(-flat.size // _SCALE_SAMPLE)
    sample = converted(flat[:: max(step, 1)], np.float64)
    sample = sample[np.isfinite(sample)]
    if not sample.size or not sample.any():
        return Scale(0.0, 1.0)
    least, most = float(sample.min()), float(sample.max())
    magnitudes = np.abs(sample)
    reach = float(np.percentile(magnitudes, _PERCENT)) or float(magnitudes.max())
    if least < 0 < most:
        return Scale(-reach, reach)
    near = float(np.percentile(magnitudes, 100 - _PERCENT))
    near = near if near > reach / 4 and near < reach else 0.0
    return Scale(near, reach) if most > 0 else Scale(-reach, -near)


def levels(values: Array, scale: Scale) -> Array:
    """Return the position in the palette (uint8) of each value."""
    values = converted(values, np.float64)
    nan, infinite = np.isnan(values), np.isinf(values)
    low, high = scale.low, scale.high
    # For values of one sign, the half of the palette with its colors.
    first, last = (0, LEVELS - 1)
    if low >= 0:
        first = LEVELS // 2
    elif high <= 0:
        last = LEVELS // 2
    with np.errstate(invalid="ignore", divide="ignore"):
        # Halved, as the difference of two values may overflow.
        share = (np.clip(values, low, high) / 2 - low / 2) / (high / 2 - low / 2)
    share = np.nan_to_num(share)
    places: Array = np.rint(first + share * (last - first)).astype(np.uint8)
    places[nan] = NAN
    places[infinite] = INFINITE
    return places


def shaded(shares: Array) -> Array:
    """Return red, green, blue and opacity, 0 to 255, of shares (N) of the scale from -1 to 1."""
    colors = np.where(shares[:, None] < 0, BELOW, ABOVE)
    return np.column_stack([colors, np.rint(255 * np.abs(shares))])


def _palette() -> tuple[bytes, bytes]:
    """Return the colors of the palette, and their opacity."""
    scale = shaded(np.linspace(-1, 1, LEVELS)).astype(np.uint8)
    colors, opacity = scale[:, :3].tobytes(), scale[:, 3].tobytes()
    return colors + bytes(np.array(_SPECIAL, np.uint8)), opacity + _SPECIAL_OPACITY


def png(places: Array) -> bytes:
    """Return a PNG file of a map of palette positions; zero and empty ones are transparent."""
    # Imported with the first picture, because importing it is slow.
    from PIL import Image

    height, width = places.shape
    image = Image.frombytes("P", (width, height), np.ascontiguousarray(places, np.uint8).tobytes())
    colors, opacity = _palette()
    image.putpalette(colors)
    file = io.BytesIO()
    image.save(file, "PNG", transparency=opacity, optimize=True)
    return file.getvalue()


def png_uri(places: Array) -> str:
    """Return the ``data:`` URI of `png`."""
    return "data:image/png;base64," + base64.b64encode(png(places)).decode("ascii")


def reduced(values: Array, height: int, width: int) -> Array:
    """Reduce maps (..., H, W) to at most `height` by `width` by taking means of blocks.

    A block with NaN is NaN, and one with Inf is infinite, so that no such value gets lost.
    """
    tall, wide = values.shape[-2:]
    rows, columns = _edges(tall, height), _edges(wide, width)
    if len(rows) == tall and len(columns) == wide:
        return converted(values, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        # Row by row: `reduceat` takes five times as long along an axis that is not the last.
        total = np.empty((*values.shape[:-2], len(rows), wide))
        for i, (first, end) in enumerate(pairwise([*rows, tall])):
            np.add.reduce(
                values[..., first:end, :], axis=-2, dtype=np.float64, out=total[..., i, :]
            )
        total = np.add.reduceat(total, columns, axis=-1)
        sizes = np.outer(np.diff([*rows, tall]), np.diff([*columns, wide]))
        return np.asarray(total / sizes)


def thinned(values: Array) -> tuple[Array, str]:
    """Return maps (..., H, W), or only some of their rows and columns if they are very large.

    Returns:
        A view of the maps, and a description of the rows and columns that remain.
    """
    share = -(-values.size // _LOOKED_AT)
    if share <= 1:
        return values, ""
    # Rows first: those in between are not even read from a mapped file.
    rows = min(share, max(1, values.shape[-2] // _FEWEST_ROWS))
    columns = -(-share // rows)
    steps = ((rows, "rows"), (columns, "columns"))
    words = " and ".join(f"1 in {step:,} {name}" for step, name in steps if step > 1)
    return values[..., ::rows, ::columns], words


def _edges(extent: int, most: int) -> list[int]:
    pieces = min(extent, most)
    return [extent * i // pieces for i in range(pieces)]


def heat_map(
    values: Array, scale: Scale, alt: str, *, most: tuple[int, int], detail: float = 1.0
) -> Image:
    """Draw a matrix with at most `most` (height, width) points; narrow ones are stretched.

    With a `detail` below 1, a large picture is stored with fewer points and shown as large.
    """
    if detail < 1 and (values.shape[0] > most[0] or values.shape[1] > most[1]):
        coarse = int(most[0] * detail), int(most[1] * detail)
        picture = heat_map(values, scale, alt, most=coarse)
        width, height = round(picture.width / detail), round(picture.height / detail)
        return picture._replace(width=width, height=height)
    small = reduced(values, *most)
    rows, columns = small.shape
    factor = max(1, min(most[0] // rows, most[1] // columns, 8))
    tall, wide = max(factor, _MIN_SIZE // rows), max(factor, _MIN_SIZE // columns)
    places = levels(small, scale).repeat(tall, axis=0).repeat(wide, axis=1)
    canvas = np.pad(places, 1, constant_values=FRAME)
    return Image(alt, lambda: png_uri(canvas), canvas.shape[1], canvas.shape[0])


def grid(
    values: Array, scale: Scale, alt: str, *, tile: int, columns: int, detail: float = 1.0
) -> Image:
    """Draw maps (K, H, W) side by side, `columns` in a row, each about `tile` pixels wide or high.

    Large maps are stored with fewer points than they are shown with, and still fewer with a
    `detail` below 1, so that the file stays small.
    """
    fine = tile * 4 // 5
    tall, wide = (min(extent, fine) for extent in values.shape[-2:])
    small = reduced(values, max(1, round(tall * detail)), max(1, round(wide * detail)))
    extent = max(tall, wide)
    factor = max(1, round(tile / extent)) if extent < fine else 1
    places = levels(small, scale).repeat(factor, axis=-2).repeat(factor, axis=-1)
    count, height, width = places.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    canvas = np.full((rows * (height + 2) + 2, columns * (width + 2) + 2), EMPTY, np.uint8)
    for k in range(count):
        top, left = k // columns * (height + 2), k % columns * (width + 2)
        canvas[top : top + height + 4, left : left + width + 4] = FRAME
        canvas[top + 2 : top + height + 2, left + 2 : left + width + 2] = places[k]
    zoom = (tile / extent if extent >= fine else 1.0) * wide / small.shape[-1]
    high, broad = canvas.shape
    return Image(alt, lambda: png_uri(canvas), round(broad * zoom), round(high * zoom))

"""Small charts: bars of a histogram, a curve, the signal-to-noise ratio of a run.

They are self-contained SVG, legible on white and on black.
"""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Sequence

import numpy as np

from nnefkit.arrays import Array, converted
from nnefkit.display import numbers
from nnefkit.display.colors import BLUE, GRAY, RED
from nnefkit.display.elements import Image
from nnefkit.display.visible_text import printable

BLOCKS = "▁▂▃▄▅▆▇█"
FONT = "font-family='DejaVu Sans,Verdana,sans-serif' font-size='10'"
LEGIBLE = 0.7
"""Factor down to which pictures with words may shrink."""
LONGEST_LABEL = 24
"""Number of letters of the name of a tensor in a chart."""
_LETTER = 8.0
"""Room for one letter of a label, in pixels."""


def svg_uri(svg: str) -> str:
    """Return the ``data:`` URI of an SVG document."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")


def svg_document(width: int, height: int, body: str) -> str:
    """Return an SVG document with `body`, as a ``data:`` URI."""
    return svg_uri(
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
        f"viewBox='0 0 {width} {height}'>{body}</svg>"
    )


def bars(counts: Sequence[int], most: int = 12) -> str:
    """Return a histogram in a few characters, ``▁▂▅█▃▁``, with a blank for an empty bar."""
    merged = _merged(counts, most)
    peak = max(merged, default=0)
    return "".join(_block(count, peak) for count in merged)


def _block(count: int, peak: int) -> str:
    return BLOCKS[min(7, count * 8 // peak)] if count else " "


def _merged(counts: Sequence[int], most: int) -> list[int]:
    """Merge neighboring bars, so that at most `most` remain."""
    step = -(-len(counts) // most)
    if step <= 1:
        return list(counts)
    return [sum(counts[i : i + step]) for i in range(0, len(counts), step)]


def histogram(
    counts: Sequence[int], color: str, *, width: int = 84, height: int = 14, most: int = 24
) -> Image:
    """Draw the bars of a histogram, without axes: the ends of the range are written next to it."""
    merged = _merged(counts, most)

    def draw() -> str:
        return svg_document(width, height, _bars_path(merged, color, width, height))

    small = bars(counts)
    return Image(f"histogram {small}", draw, width, height, small)


def _bars_path(counts: Sequence[int], color: str, width: int, height: int) -> str:
    if len(counts) == 1:
        # All values are equal: a bar of the usual width.
        counts = [0] * 6 + [*counts] + [0] * 5
    peak = max(counts, default=0) or 1
    step = width / max(len(counts), 1)
    path = [f"M0 {height}"]
    for i, count in enumerate(counts):
        # Even a single value is visible.
        tall = max(1, round((height - 1) * count / peak)) if count else 0
        path.append(f"V{height - tall}H{(i + 1) * step:.4g}")
    path.append(f"V{height}z")
    return f"<path fill='{color}' d='{''.join(path)}'/>"


def curve(values: Array, color: str, *, width: int = 600, height: int = 110) -> Image:
    """Draw the values of a vector in order, with zero, minimum and maximum marked.

    Long vectors are drawn as ranges of a few neighboring values, so that no peak is lost. (Very
    long ones should be thinned before, by `nnefkit.display.images.thinned`.)
    """
    flat = np.asarray(values).ravel()
    alt = f"the {flat.size:,} values in order"
    return Image(
        alt,
        lambda: _curve(converted(flat, np.float64), color, width, height),
        width,
        height,
        legible=LEGIBLE,
    )


def _curve(flat: Array, color: str, width: int, height: int) -> str:
    finite = flat[np.isfinite(flat)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    bottom, top = min(low, 0.0), max(high, 0.0)
    # Halved before the subtraction, which might overflow.
    half = top / 2 - bottom / 2 or 0.5
    left, plot = 62, width - 66

    def y(value: float) -> float:
        return 8 + (height - 16) * (top / 2 - value / 2) / half

    lows, highs = _ranges(flat, min(flat.size, plot // 2))
    step = plot / max(lows.size, 1)
    body = [rule(left, width, y(0.0)), tick(left, y(0.0), "0")]
    body += [
        tick(left, y(value), numbers.number(value))
        for value in dict.fromkeys((low, high))
        if abs(y(value) - y(0.0)) > 10
    ]
    path, breaks = [], []
    for i, (least, most) in enumerate(zip(lows.tolist(), highs.tolist(), strict=True)):
        x = left + (i + 0.5) * step
        if math.isnan(least):
            breaks.append(f"M{x:.4g} 4V{height - 4}")
        else:
            path.append(f"M{x:.4g} {y(min(least, 0.0)):.4g}V{y(max(most, 0.0)):.4g}")
    thick = max(1.0, min(step * 0.8, 14))
    body.append(f"<path stroke='{color}' stroke-width='{thick:.3g}' d='{''.join(path)}'/>")
    if breaks:
        body.append(f"<path stroke='{RED}' stroke-dasharray='2 2' d='{''.join(breaks)}'/>")
    return svg_document(width, height, "".join(body))


def _ranges(flat: Array, pieces: int) -> tuple[Array, Array]:
    """Minimum and maximum of each of `pieces` stretches, NaN for a stretch with NaN or Inf."""
    if not flat.size:
        return flat, flat
    starts = np.linspace(0, flat.size, pieces, endpoint=False).astype(int)
    bad = np.add.reduceat(~np.isfinite(flat), starts) > 0
    lows, highs = np.minimum.reduceat(flat, starts), np.maximum.reduceat(flat, starts)
    return np.where(bad, np.nan, lows), np.where(bad, np.nan, highs)


def rule(left: float, right: float, y: float) -> str:
    """Return a thin horizontal line."""
    return f"<path stroke='{GRAY}' stroke-opacity='.35' d='M{left:g} {y:.4g}H{right:g}'/>"


def tick(left: float, y: float, text: str) -> str:
    """Return a label to the left of the axis."""
    return (
        f"<text x='{left - 6:g}' y='{y + 3.5:.4g}' text-anchor='end' fill='{GRAY}' {FONT}>"
        f"{html.escape(text)}</text>"
    )


def strokes(parts: Sequence[str], color: str, thick: float, opacity: float) -> str:
    """Return the bars of a chart as one path; nothing if there are none."""
    if not parts:
        return ""
    return (
        f"<path stroke='{color}' stroke-opacity='{opacity:g}' stroke-width='{thick:.3g}' "
        f"d='{''.join(parts)}'/>"
    )


def _anchor(x: float, width: int) -> str:
    return "start" if x < 60 else "end" if x > width - 60 else "middle"


def label_span(x: float, name: str, width: int) -> tuple[float, float]:
    """Return the left and right end, at most, of the name of a tensor above its bar."""
    room = _LETTER * min(len(name), LONGEST_LABEL)
    left = x - room * {"start": 0.0, "middle": 0.5, "end": 1.0}[_anchor(x, width)]
    return left, left + room


def name_label(x: float, y: float, name: str, width: int) -> str:
    """Return the name of a tensor above its bar, within a chart of some width."""
    anchor = _anchor(x, width)
    text = html.escape(printable(numbers.shorten(name, LONGEST_LABEL)))
    return (
        f"<text x='{x:.4g}' y='{y:.4g}' text-anchor='{anchor}' font-weight='bold' fill='{RED}' "
        f"{FONT}>{text}</text>"
    )


def known_ratio(ratio: float) -> float:
    """Return a ratio in dB, infinite if it is unknown (NaN)."""
    return math.inf if math.isnan(ratio) else ratio


SNR_TOP = 80.0
"""Ratios from here on (in dB) are drawn at the top: tensors agree to the precision of float32."""


def snr_chart(
    ratios: Sequence[float | None],
    marked: int | None,
    label: str,
    *,
    width: int = 760,
    height: int = 110,
) -> Image:
    """Draw the signal-to-noise ratio of each tensor in the order of the graph.

    `marked` is the tensor where the runs diverge. Points at the top are hollow: equal, or nearly.
    None (nothing to compare) breaks the line.
    """
    alt = "signal-to-noise ratio in dB of each tensor, in the order of the graph"
    if marked is not None:
        alt += f"; it drops at {label}"
    return Image(
        alt, lambda: _snr(ratios, marked, label, width, height), width, height, legible=LEGIBLE
    )


def _snr(
    ratios: Sequence[float | None], marked: int | None, label: str, width: int, height: int
) -> str:
    left, bottom = 40, height - 18
    plot = width - left - 12

    def place(position: int) -> float:
        return left + plot * (position + 0.5) / max(len(ratios), 1)

    def level(ratio: float) -> float:
        return 8 + (bottom - 8) * (1 - min(max(ratio, 0.0), SNR_TOP) / SNR_TOP)

    body = []
    for ratio in (0, 20, 40, 60, 80):
        body.append(rule(left, width - 12, level(ratio)))
        body.append(tick(left, level(ratio), f"≥{ratio}" if ratio == SNR_TOP else f"{ratio}"))
    runs = _runs(ratios, plot // 4, marked)
    for run in runs:
        path = "L".join(f"{place(i):.4g} {level(ratio):.4g}" for i, ratio in run)
        body.append(f"<path fill='none' stroke='{BLUE}' stroke-width='1.5' d='M{path}'/>")
    if sum(map(len, runs)) <= plot // 6:
        body += (_dot(place(i), level(ratio), ratio) for run in runs for i, ratio in run)
    if marked is not None and (worst := ratios[marked]) is not None and not math.isnan(worst):
        body.append(_flag(place(marked), level(worst), bottom, label, width))
    body.append(
        f"<text x='{left + plot / 2:g}' y='{height - 3}' text-anchor='middle' fill='{GRAY}' {FONT}>"
        "tensors in the order of the graph · SNR in dB</text>"
    )
    return svg_document(width, height, "".join(body))


def _runs(
    ratios: Sequence[float | None], pieces: int, marked: int | None
) -> list[list[tuple[int, float]]]:
    """Return the points of each unbroken stretch; of many, the worst and best of each few."""
    step = max(1, -(-len(ratios) // pieces))
    runs: list[list[tuple[int, float]]] = [[]]
    for start in range(0, len(ratios), step):
        piece = [
            (i, ratio)
            for i in range(start, min(start + step, len(ratios)))
            if (ratio := ratios[i]) is not None and not math.isnan(ratio)
        ]
        if not piece:
            runs.append([])
            continue
        chosen = {min(piece, key=_ratio), max(piece, key=_ratio)}
        chosen.update(point for point in piece if point[0] == marked)
        runs[-1] += sorted(chosen)
    return [run for run in runs if run]


def _ratio(point: tuple[int, float]) -> float:
    return point[1]


def _dot(x: float, y: float, ratio: float) -> str:
    """Draw a point, hollow at the top, where tensors agree."""
    if ratio >= SNR_TOP:
        return f"<circle cx='{x:.4g}' cy='{y:.4g}' r='2.2' fill='none' stroke='{BLUE}'/>"
    return f"<circle cx='{x:.4g}' cy='{y:.4g}' r='2.2' fill='{BLUE}'/>"


def _flag(x: float, y: float, bottom: float, label: str, width: int) -> str:
    """Draw a red point on a dashed line, labeled with the name of the tensor.

    The name is at the left, where the ratios are still high, if there is room.
    """
    anchor, shift = ("end", -6) if x > width * 0.4 or x > 60 + 7 * len(label) else ("start", 6)
    return (
        f"<path stroke='{RED}' stroke-dasharray='2 3' d='M{x:.4g} 8V{bottom}'/>"
        f"<circle cx='{x:.4g}' cy='{y:.4g}' r='4.5' fill='{RED}'/>"
        f"<text x='{x + shift:.4g}' y='21' text-anchor='{anchor}' font-weight='bold' "
        f"fill='{RED}' {FONT}>{html.escape(printable(numbers.shorten(label)))}</text>"
    )


def svg_image(svg: str, alt: str) -> Image:
    """Return the image of an SVG document; its ``aria-label`` is added to `alt`."""
    if label := svg_label(svg):
        alt += f": {label}"
    width, height = svg_size(svg)
    return Image(alt, lambda: svg_uri(svg), width, height, legible=LEGIBLE)


def svg_label(svg: str) -> str:
    """Return the ``aria-label`` of an SVG document, or an empty string."""
    match = re.search(r'aria-label="([^"]*)"', _root(svg))
    return html.unescape(match[1]) if match else ""


def _root(svg: str) -> str:
    start = svg.find("<svg")
    return svg[start : svg.find(">", start)]


def svg_size(svg: str) -> tuple[int, int]:
    """Width and height of an SVG document, in pixels."""
    root = _root(svg)
    matches = [re.search(rf"""\s{name}\s*=\s*["']([\d.]+)""", root) for name in ("width", "height")]
    width, height = (round(float(match[1])) if match else 0 for match in matches)
    return (width or 800), (height or 200)

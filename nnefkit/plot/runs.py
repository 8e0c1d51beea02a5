"""Plots of whole runs: the divergence of two runs, and the time of each operation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arguments import wrong_type
from nnefkit.display import numbers
from nnefkit.display.colors import BLUE, RED
from nnefkit.errors import InputError
from nnefkit.plot.figure import MANY_POINTS, MUTED, axes, label, refuse_below_one

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOP = 80.0
"""Decibels from which on two tensors are (nearly) equal."""
MOST_BARS = 100
"""Maximum number of operations with their own bar in a plot of times."""
LEAST = 30.0
"""Decibels below which a difference is marked if the differing tensors are not given."""


def comparison(
    compared: Any,
    ax: Axes | None = None,
    *,
    top: float = TOP,
    first: str | None = None,
    title: str = "",
) -> Axes:
    """Plot the signal-to-noise ratio of each tensor, in the order of the graph.

    Two runs diverge where the line drops; tensors after it inherit the difference.

    Args:
        compared: A comparison of two runs, or a mapping from tensor names to decibels.
        ax: The axes to draw into; by default those of a new figure.
        top: Decibels from which on all tensors are drawn at the upper edge.
        first: The tensor to mark as the first difference; by default the one of the comparison,
            or the first tensor below 30 dB.
        title: Title of the plot.

    Returns:
        The axes.

    Raises:
        InputError: There is nothing to draw.

    Example:
        >>> ax = nk.plot.comparison({"conv1": 95.0, "relu1": 93.0, "conv2": 12.0})
        >>> ax.get_ylabel()
        'SNR, dB'
    """
    try:
        names, ratios, where = _ratios(compared)
    except (TypeError, ValueError, AttributeError):
        wanted = "a comparison (nnefkit.compare(...)) or a mapping from names to decibels"
        raise wrong_type("compared", wanted, compared) from None
    if not names:
        raise InputError("there are no compared tensors to draw")
    ax = axes(ax, 8.0, 2.4)
    heights = np.clip(ratios, 0.0, top)
    places = np.arange(len(names))
    marker = "." if len(names) < 60 else ""
    [line] = ax.plot(places, heights, color=BLUE, linewidth=1.4, marker=marker)
    line.set_rasterized(len(names) > MANY_POINTS)
    first = first if first is not None else where
    if first is None:
        first = next((n for n, r in zip(names, ratios, strict=True) if r < LEAST), None)
    if first is not None and first in names:
        place = names.index(first)
        ax.plot([place], [heights[place]], "o", color=RED, markersize=6)
        # Tensors before it are far higher, those after it just as low.
        left = place > len(names) / 8
        ax.annotate(
            label(first),
            (place, heights[place]),
            xytext=(-7 if left else 7, -3),
            textcoords="offset points",
            ha="right" if left else "left",
            color=RED,
            fontweight="bold",
            fontsize=9,
        )
    ax.set_ylim(-0.04 * top, 1.06 * top)
    ticks = [0, top / 4, top / 2, 3 * top / 4, top]
    ax.set_yticks(ticks, [*(f"{tick:g}" for tick in ticks[:-1]), f"≥{top:g}"])
    ax.grid(axis="y", color=MUTED, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_ylabel("SNR, dB")
    ax.set_xlabel("tensors, in the order of the graph")
    ax.set_title(title, loc="left")
    return ax


def _ratios(compared: Any) -> tuple[list[str], list[float], str | None]:
    """Return names, decibels (NaN if unknown), and the first difference, if it is known."""
    if isinstance(compared, Mapping):
        pairs = [(str(name), _number(value)) for name, value in compared.items()]
        return [name for name, _ in pairs], [ratio for _, ratio in pairs], None
    rows = getattr(compared, "judged", None)
    rows = list(compared if rows is None else rows)
    names = [row.name for row in rows]
    ratios = [math.nan if row.metrics is None else _number(row.metrics.snr) for row in rows]
    divergence = getattr(compared, "first_divergence", None)
    return names, ratios, None if divergence is None else divergence.name


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def timings(run: Any, ax: Axes | None = None, *, limit: int = 20, title: str | None = None) -> Axes:
    """Plot the times of a run: its slowest operations, and all others as one bar.

    Args:
        run: A trace, a mapping from names to seconds, or rows (name, seconds).
        ax: The axes to draw into; by default those of a new figure.
        limit: Number of operations with their own bar, up to 100.
        title: Title of the plot; by default the total time.

    Returns:
        The axes.

    Raises:
        InputError: Nothing was timed.

    Example:
        >>> ax = nk.plot.timings({"conv1": 0.003, "relu1": 0.001})
        >>> ax.get_title(loc="left")
        '4 ms in total'
    """
    timed = _timed(run)
    refuse_below_one(limit=limit)
    if not timed:
        raise InputError("there are no times to draw")
    total = sum(time for _, time in timed)
    count = min(limit, MOST_BARS)
    bars, rest = timed[:count], timed[count:]
    colors = [BLUE] * len(bars)
    if rest:
        bars = [*bars, (f"{len(rest)} others", sum(time for _, time in rest))]
        colors.append(MUTED)
    ax = axes(ax, 6.0, 0.6 + 0.21 * len(bars))
    places = np.arange(len(bars))
    drawn = ax.barh(places, [1e3 * time for _, time in bars], color=colors, height=0.7)
    shares = [f"{time / total:.0%}" if total else "" for _, time in bars]
    ax.bar_label(drawn, shares, padding=3, fontsize=8, color=MUTED)
    ax.set_yticks(places, [label(name) for name, _ in bars])
    ax.set_ylim(len(bars) - 0.4, -0.6)
    ax.margins(x=0.1)
    ax.set_xlabel("ms")
    default = f"{numbers.number(1e3 * total)} ms in total"
    ax.set_title(default if title is None else title, loc="left")
    return ax


def _timed(run: Any) -> list[tuple[str, float]]:
    """Return names and seconds of the timed operations, the slowest first."""
    seconds = getattr(run, "seconds", run)
    try:
        rows: Iterable[tuple[str, float | None]] = (
            seconds.items() if isinstance(seconds, Mapping) else seconds
        )
        every = [(str(name), _number(time)) for name, time in rows]
    except (TypeError, ValueError):
        wanted = "a trace (nnefkit.trace(...)) or a mapping from names to seconds"
        raise wrong_type("run", wanted, run) from None
    timed = [(name, time) for name, time in every if math.isfinite(time)]
    return sorted(timed, key=lambda row: -row[1])

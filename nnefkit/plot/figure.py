"""Axes that read on white and on black, and the colours of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.display.images import COLORS, Scale
from nnefkit.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap


MUTED = "#797979"
"""Of words, ticks and rules: 4.3 : 1 on white and on #111."""
STYLE: Any = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.color": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "savefig.facecolor": "none",
}
"""Settings with which figures read on white and on black pages: `plt.rcParams.update(STYLE)`."""
LEVELS = 255
"""Colours of a scale; odd, so that zero has one of its own."""
_NOT_A_NUMBER = "#e600c8"


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """`ax`, or the axes of a new figure of so many inches, which pyplot knows of (and shows)."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        _, made = plt.subplots(figsize=(width, height), layout="constrained")
    return made


def values(tensor: Any) -> Array:
    """The array that `tensor` is or holds as ``data``.

    Raises:
        InputError: there are no values, or they are no numbers.
    """
    if not isinstance(tensor, np.ndarray) and not np.isscalar(tensor) and hasattr(tensor, "data"):
        tensor = tensor.data
    if tensor is None:
        raise InputError(
            "the tensor has no values",
            hint="Those of a run are in its trace: nnefkit.trace(graph, inputs)[name].",
        )
    array = np.asarray(tensor)
    if array.dtype.kind not in "fiub" or not array.size:
        raise InputError(f"there are no numbers to draw in {array.dtype} {list(array.shape)}")
    return array


def refuse_below_one(**counts: int | None) -> None:
    """Refuses counts (by the name of their parameter) of which nothing can be drawn.

    Raises:
        InputError: one of them is less than 1.
    """
    for name, count in counts.items():
        if count is not None and count < 1:
            raise InputError(f"{name} must be at least 1, not {count}")


def name_of(tensor: Any, title: str | None) -> str:
    """The title of a plot: the given one, or the name that the tensor has."""
    if title is not None:
        return title
    name = getattr(tensor, "name", "")
    return name if isinstance(name, str) else ""


def color_map(scale: Scale) -> Colormap:
    """The colours of `scale`: blue below zero, white at zero, orange above; NaN magenta."""
    from matplotlib.colors import LinearSegmentedColormap

    if scale.low >= 0:
        colors: Sequence[tuple[int, ...]] = COLORS[2:]
    elif scale.high <= 0:
        colors = COLORS[:3]
    else:
        colors = COLORS
    shares = [tuple(part / 255 for part in color) for color in colors]
    made = LinearSegmentedColormap.from_list("nnefkit", shares, N=LEVELS)
    return made.with_extremes(bad=_NOT_A_NUMBER)


def bare(ax: Axes) -> None:
    """Take ticks and frame away: pixels need none."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)

"""Axes that read on white and on black, and the colours of values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.display.images import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

Array = np.ndarray[Any, Any]

MUTED = "#797979"
"""Of words, ticks and rules: 4.3 : 1 on white and on #111."""
_NEGATIVE = ("#104080", "#428dd0", "#ffffff")
_POSITIVE = ("#ffffff", "#f28e32", "#963c08")
LEVELS = 255
"""Colours of a scale; odd, so that zero has one of its own."""
_NOT_A_NUMBER = "#e600c8"


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """`ax`, or the axes of a new figure of so many inches, which pyplot knows of (and shows)."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    style: Any = {
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
    with plt.rc_context(style):
        _, made = plt.subplots(figsize=(width, height), layout="constrained")
    return made


def values(tensor: Any) -> Array:
    """The array that `tensor` is or holds as ``data``.

    Raises:
        ValueError: there are no values, or they are no numbers.
    """
    if not isinstance(tensor, np.ndarray) and not np.isscalar(tensor) and hasattr(tensor, "data"):
        tensor = tensor.data
    if tensor is None:
        raise ValueError("the tensor has no values; those of a run are in its trace: trace[name]")
    array = np.asarray(tensor)
    if array.dtype.kind not in "fiub" or not array.size:
        raise ValueError(f"there are no numbers to draw in {array.dtype} {list(array.shape)}")
    return array


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
        colors: tuple[str, ...] = _POSITIVE
    elif scale.high <= 0:
        colors = _NEGATIVE
    else:
        colors = _NEGATIVE + _POSITIVE[1:]
    made = LinearSegmentedColormap.from_list("nnefkit", colors, N=LEVELS)
    return made.with_extremes(bad=_NOT_A_NUMBER)


def bare(ax: Axes) -> None:
    """Take ticks and frame away: pixels need none."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)

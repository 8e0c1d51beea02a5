"""Axes that are legible on white and on black, and the colors of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arguments import refuse_masked
from nnefkit.arrays import Array, check_mapped
from nnefkit.display.images import COLORS, Scale
from nnefkit.display.visible_text import visible
from nnefkit.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap


MUTED = "#797979"
"""Color of text, ticks and rules, with a contrast of 4.3 : 1 on white and on #111."""
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
"""Settings for figures on white and on black pages: ``plt.rcParams.update(nk.plot.STYLE)``."""
LONGEST_LABEL = 40
"""Maximum length of a name in a plot."""
LEVELS = 255
"""Number of colors of a scale; odd, so that one of them means zero."""
_NOT_A_NUMBER = "#e600c8"


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Return `ax`, or the axes of a new figure of that size in inches, which pyplot shows."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        _, made = plt.subplots(figsize=(width, height), layout="constrained")
    return made


def values(tensor: Any) -> Array:
    """Return `tensor` or its ``data`` as an array.

    Raises:
        InputError: There are no values, or they are not numeric.
    """
    if not isinstance(tensor, np.ndarray) and not np.isscalar(tensor) and hasattr(tensor, "data"):
        tensor = tensor.data
    if tensor is None:
        raise InputError(
            "the tensor has no values",
            hint="The values of a run are in its trace: nnefkit.trace(graph, inputs)[name].",
        )
    refuse_masked(tensor, "the tensor")
    array = np.asarray(tensor)
    check_mapped(array)
    if array.dtype.kind not in "fiub" or not array.size:
        raise InputError(
            f"an array of dtype {array.dtype} and shape {list(array.shape)} has no numbers to draw"
        )
    return array


def refuse_below_one(**counts: int | None) -> None:
    """Check that counts, given by the names of their parameters, are at least 1.

    Raises:
        InputError: One of them is less than 1.
    """
    for name, count in counts.items():
        if count is not None and count < 1:
            raise InputError(f"{name} must be at least 1, not {count}")


def name_of(tensor: Any, title: str | None) -> str:
    """Return the title of a plot: the given one, or the name of the tensor."""
    if title is not None:
        return title
    name = getattr(tensor, "name", "")
    return label(name) if isinstance(name, str) else ""


def label(name: str) -> str:
    """Return a name as text of a plot: shortened, visible, and not a formula."""
    return visible(name, LONGEST_LABEL).replace("$", r"\$")


def color_map(scale: Scale) -> Colormap:
    """Return the colors of `scale`: blue below zero, white at zero, orange above, NaN magenta."""
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
    """Remove ticks and frame, which images do not need."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)

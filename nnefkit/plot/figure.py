"""Axes that are legible on white and on black, and the colors of values."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arguments import refuse_masked, wrong_type
from nnefkit.arrays import Array, check_mapped
from nnefkit.display.images import Scale, shaded
from nnefkit.display.visible_text import visible
from nnefkit.errors import InputError, UnknownNameError, did_you_mean

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
MANY_POINTS = 4_000
"""Number of points from which on a curve is saved as an image in an SVG or PDF file."""
LEVELS = 255
"""Number of colors of a scale; odd, so that one of them means zero."""
_NOT_A_NUMBER = "#e600c8"


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Return `ax`, or the axes of a new figure of that size in inches, which a notebook shows.

    Pyplot knows nothing of a new figure: its figures, its backend and its mode stay as they are.
    """
    if ax is not None:
        return ax
    import matplotlib as mpl

    from nnefkit.plot.notebook_figure import notebook_axes

    with mpl.rc_context(STYLE):
        return notebook_axes(width, height)


def selected(tensor: Any, name: Any, ax: Axes | None) -> tuple[Any, Axes | None]:
    """Return the tensor to draw, and the axes to draw into.

    Args:
        tensor: Values, an object that holds them as ``data``, or a mapping from names to these,
            such as a trace or a graph.
        name: The name of one of its tensors, if it is a mapping; or the axes, as second argument.
        ax: The axes, if they are given by name.

    Raises:
        InputError: The name does not fit to the tensor, or the axes are not axes.
        UnknownNameError: There is no tensor of that name.
    """
    if not isinstance(name, str | None):
        name, ax = None, name
    if ax is not None and not hasattr(ax, "imshow"):
        hint = "plt.subplots() returns a figure and its axes." if not np.iterable(ax) else ""
        raise wrong_type("ax", "the axes of a figure", ax, hint or "Pass one of them: axes[0].")
    holds_many = isinstance(tensor, Mapping) or isinstance(
        getattr(tensor, "tensors", None), Mapping
    )
    if holds_many:
        return _of_name(tensor, name), ax
    if name is not None:
        raise InputError(
            f"'{name}' names no part of an array",
            hint="A name goes with a trace, a graph or a mapping; title='...' sets the title.",
        )
    return tensor, ax


def _of_name(tensors: Any, name: str | None) -> Any:
    names = tensors if isinstance(tensors, Mapping) else tensors.tensors
    if name is None:
        first = next(iter(names), "conv1")
        raise InputError(
            f"a {type(tensors).__name__} has many tensors: pass the name of one",
            hint=f"For example: nnefkit.plot.heat_map(trace, {first!r}).",
        )
    if hasattr(tensors, "tensor"):
        return tensors.tensor(name)
    if name not in names:
        raise UnknownNameError(f"there is no tensor '{name}'", hint=did_you_mean(name, names))
    return SimpleNamespace(name=name, data=tensors[name])


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
    """Return the colors of `scale`: blue below zero, orange above, NaN magenta.

    Zero is transparent, so that it has the color of the page.
    """
    from matplotlib.colors import ListedColormap

    first, last = (0.0 if scale.low >= 0 else -1.0), (0.0 if scale.high <= 0 else 1.0)
    made = ListedColormap(shaded(np.linspace(first, last, LEVELS)) / 255, "nnefkit")
    return made.with_extremes(bad=_NOT_A_NUMBER)


def bare(ax: Axes) -> None:
    """Remove ticks and frame, which images do not need."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)

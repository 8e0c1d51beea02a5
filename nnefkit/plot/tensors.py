"""Plots of one tensor."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arrays import Array, converted
from nnefkit.display import numbers
from nnefkit.display.colors import AMBER, BLUE
from nnefkit.display.images import Scale, reduced, robust_scale
from nnefkit.errors import InputError
from nnefkit.plot.figure import (
    MANY_POINTS,
    axes,
    bare,
    color_map,
    name_of,
    refuse_below_one,
    selected,
    values,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARP = 48
"""Minimum size of a tile of a montage in pixels; small tiles are enlarged."""
LARGEST_TILE = 256
"""Maximum size of the sides of a tile in pixels; larger tiles are reduced."""
FRAME = (128, 128, 128, 150)
"""Color between the tiles of a montage."""
LARGEST_MAP = 2_000
"""Maximum number of rows and columns of a heat map; of more, every second, third, ... is drawn."""


def histogram(
    tensor: Any,
    name: str | Axes | None = None,
    ax: Axes | None = None,
    *,
    bins: int = 60,
    log: bool = False,
    title: str | None = None,
) -> Axes:
    """Plot the distribution of values, with mean, deviation and counts of NaN and Inf in the title.

    Args:
        tensor: Values of any shape and numeric dtype.
        name: The name of the tensor, if `tensor` is a trace, a graph or a mapping; or the axes.
        ax: The axes to draw into; by default those of a new figure.
        bins: Number of bars.
        log: True for logarithmic heights, so that rare values are visible.
        title: Title of the plot; by default the name of the tensor.

    Returns:
        The axes.

    Raises:
        InputError: There are no numbers to draw.
        UnknownNameError: There is no tensor `name`.

    Example:
        >>> ax = nk.plot.histogram(np.arange(5), title="x")
        >>> ax.get_title(loc="left")
        'x   μ 2   σ 1.41'
    """
    refuse_below_one(bins=bins)
    tensor, ax = selected(tensor, name, ax)
    array = values(tensor).ravel()
    finite = array[np.isfinite(array)].astype(np.float64)
    ax = axes(ax, 6.0, 2.4)
    facts = [name_of(tensor, title)]
    if finite.size:
        counts, edges = np.histogram(finite, bins)
        bars = ax.stairs(counts, edges, fill=True, color=BLUE, alpha=0.85, baseline=0.5 * log)
        bars.set_rasterized(bins > MANY_POINTS)
        ax.axvline(float(finite.mean()), color=AMBER, linewidth=1.2)
        facts.append(f"μ {numbers.number(finite.mean())}")
        facts.append(f"σ {numbers.number(finite.std())}")
    if finite.size < array.size:
        facts.append(f"{array.size - finite.size:,} NaN or Inf")
    if log:
        ax.set_yscale("log")
    ax.set_title("   ".join(fact for fact in facts if fact), loc="left")
    ax.set_xlabel("value")
    ax.set_ylabel("elements")
    return ax


def heat_map(
    tensor: Any,
    name: str | Axes | None = None,
    ax: Axes | None = None,
    *,
    title: str | None = None,
    colorbar: bool = True,
) -> Axes:
    """Draw a matrix in colors: blue below zero, orange above, magenta for NaN.

    Zero has the color of the page. Tensors with more than two axes are reshaped to rows of the last
    axis. The scale covers 99 % of the magnitudes, so that a few outliers do not hide the rest.

    Args:
        tensor: Values of any shape and numeric dtype.
        name: The name of the tensor, if `tensor` is a trace, a graph or a mapping; or the axes.
        ax: The axes to draw into; by default those of a new figure.
        title: Title of the plot; by default the name of the tensor.
        colorbar: True to draw the color scale next to it.

    Returns:
        The axes.

    Raises:
        InputError: There are no numbers to draw.
        UnknownNameError: There is no tensor `name`.

    Example:
        >>> ax = nk.plot.heat_map(np.eye(3), title="identity")
        >>> ax.get_title(loc="left")
        'identity'
    """
    tensor, ax = selected(tensor, name, ax)
    array = values(tensor)
    matrix = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else np.atleast_2d(array)
    steps = [ceil(extent / LARGEST_MAP) for extent in matrix.shape]
    scale = robust_scale(matrix)
    height, width = matrix.shape
    ax = axes(ax, 6.0, min(6.0, max(1.2, 6.0 * height / width)))
    image = _show(
        ax, matrix[:: steps[0], :: steps[1]], scale, (-0.5, width - 0.5, height - 0.5, -0.5)
    )
    image.axes.set_aspect("equal" if max(width, height) <= 8 * min(width, height) else "auto")
    ax.set_title(name_of(tensor, title), loc="left")
    if colorbar:
        _add_color_bar(ax, image)
    return ax


def feature_maps(
    tensor: Any,
    name: str | Axes | None = None,
    ax: Axes | None = None,
    *,
    columns: int | None = None,
    limit: int = 32,
    axis: int = 1,
    item: int = 0,
    title: str | None = None,
) -> Axes:
    """Draw the channels of an activation side by side, with one color scale.

    Args:
        tensor: Shape (batch, channels, height, width), (channels, height, width) or
            (height, width); with `axis`, the channels may be another axis.
        name: The name of the tensor, if `tensor` is a trace, a graph or a mapping; or the axes.
        ax: The axes to draw into; by default those of a new figure.
        columns: Channels in a row; by default a number that suits the total.
        limit: Maximum number of channels.
        axis: The axis of the channels in a tensor with a batch; -1 for NHWC.
        item: Index in the batch.
        title: Title of the plot; by default the name of the tensor.

    Returns:
        The axes.

    Raises:
        InputError: There are no numbers to draw, or the shape is not one of these.
        UnknownNameError: There is no tensor `name`.

    Example:
        >>> ax = nk.plot.feature_maps(np.zeros((1, 40, 4, 4)), limit=8)
        >>> ax.get_title(loc="left")
        'channels 0–7 of 40'
    """
    refuse_below_one(limit=limit, columns=columns)
    tensor, ax = selected(tensor, name, ax)
    array = values(tensor)
    if array.ndim == 4:
        if not (-4 <= axis < 4 and axis % 4 != 0 and -len(array) <= item < len(array)):
            raise InputError(
                f"a tensor of shape {list(array.shape)} has no item {item} with channels on axis "
                f"{axis}",
                hint="In NNEF, the channels are on axis 1; axis=-1 is for channels last.",
            )
        maps = np.moveaxis(array, axis, 1)[item]
    elif array.ndim == 3:
        maps = np.moveaxis(array, -1, 0) if axis in (-1, 3) else array
    elif array.ndim == 2:
        maps = array[None]
    else:
        raise InputError(
            f"a tensor of shape {list(array.shape)} has no feature maps: it needs 2 to 4 axes"
        )
    shown = maps[:limit]
    ax = axes(ax, *_montage_size(len(shown), columns, shown.shape[1:]))
    rest = f"channels 0–{len(shown) - 1} of {len(maps)}" if len(maps) > len(shown) else ""
    _montage(ax, shown, columns, robust_scale(shown))
    ax.set_title("   ".join(words for words in (name_of(tensor, title), rest) if words), loc="left")
    return ax


def filters(
    weights: Any,
    name: str | Axes | None = None,
    ax: Axes | None = None,
    *,
    columns: int | None = None,
    limit: int = 64,
    title: str | None = None,
) -> Axes:
    """Draw the filters of a convolution: in color if they read three channels.

    Filters that read one channel (including depthwise ones) are drawn as one map each. Otherwise,
    each row is one filter, with its input channels side by side.

    Args:
        weights: Shape (output channels, input channels, height, width); or, with `name`, a graph.
        name: The name of the tensor, if `tensor` is a trace, a graph or a mapping; or the axes.
        ax: The axes to draw into; by default those of a new figure.
        columns: Filters in a row; ignored if a row is one filter.
        limit: Maximum number of filters, and of channels of each.
        title: Title of the plot; by default the name of the tensor.

    Returns:
        The axes.

    Raises:
        InputError: The weights have another rank.
        UnknownNameError: There is no tensor `name`.

    Example:
        >>> ax = nk.plot.filters(np.ones((8, 1, 3, 3)), title="conv1")
        >>> ax.get_title(loc="left")
        'conv1'
    """
    refuse_below_one(limit=limit, columns=columns)
    weights, ax = selected(weights, name, ax)
    array = values(weights)
    if array.ndim != 4:
        raise InputError(f"filters have 4 axes (output, input, height, width), not {array.ndim}")
    outputs, inputs = array.shape[:2]
    shown = array[:limit]
    words = [name_of(weights, title)]
    if outputs > limit:
        words.append(f"{limit} of {outputs} filters")
    if inputs == 3:
        tiles = _colored(np.moveaxis(shown, 1, -1))
        ax = axes(ax, *_montage_size(len(tiles), columns, tiles.shape[1:3]))
        _montage(ax, tiles, columns, None)
    else:
        if inputs > 1:
            columns = min(inputs, limit)
            shown = shown[: max(1, limit // 4), :columns]
            words[1:] = [f"{len(shown)} of {outputs} filters, {columns} of {inputs} channels"]
        tiles = shown.reshape(-1, *array.shape[2:])
        ax = axes(ax, *_montage_size(len(tiles), columns, tiles.shape[1:]))
        _montage(ax, tiles, columns, robust_scale(tiles))
    ax.set_title("   ".join(word for word in words if word), loc="left")
    return ax


def _colored(tiles: Array) -> Array:
    """Return filters of three channels as colors, each with its own scale; gray is zero.

    The scale is that of the finite values; NaN is gray, too, and Inf has the color of an end.
    """
    tiles = np.nan_to_num(converted(tiles, np.float64), posinf=np.inf, neginf=-np.inf)
    finite = np.where(np.isfinite(tiles), np.abs(tiles), 0.0)
    reach = finite.max(axis=(1, 2, 3), keepdims=True)
    shares: Array = 0.5 + np.clip(tiles / np.where(reach > 0, reach, 1.0), -1, 1) / 2
    return shares


def _columns(count: int, columns: int | None) -> int:
    return max(1, min(count, columns or max(4, ceil(sqrt(2 * count)))))


def _montage_size(count: int, columns: int | None, extent: tuple[int, ...]) -> tuple[float, float]:
    """Return the size of the figure of a montage in inches."""
    across = _columns(count, columns)
    down = ceil(count / across)
    width = min(8.0, 1.2 * across)
    height = width * (down * extent[0]) / (across * extent[1])
    return width, min(10.0, max(0.8, height) + 0.3)


def _montage(ax: Axes, tiles: Array, columns: int | None, scale: Scale | None) -> None:
    """Draw tiles (N, H, W), or (N, H, W, 3) with colors from 0 to 1, in framed rows."""
    painted = _painted(tiles, scale)
    factor = max(1, SHARP // max(painted.shape[1:3]))
    painted = painted.repeat(factor, axis=1).repeat(factor, axis=2)
    count, height, width = painted.shape[:3]
    across = _columns(count, columns)
    gap = max(1, height // 32, width // 32)
    down = ceil(count / across)
    canvas = np.zeros((down * (height + gap) + gap, across * (width + gap) + gap, 4), np.uint8)
    for number, tile in enumerate(painted):
        top, left = number // across * (height + gap), number % across * (width + gap)
        canvas[top : top + height + 2 * gap, left : left + width + 2 * gap] = FRAME
        canvas[top + gap : top + gap + height, left + gap : left + gap + width] = tile
    # A frame that is drawn later covers only the edge of a neighboring frame.
    ax.imshow(canvas, interpolation="antialiased")
    bare(ax)


def _painted(tiles: Array, scale: Scale | None) -> Array:
    """Return the tiles as colors (N, H, W, 4) of 8 bits."""
    if scale is None:
        opaque = np.ones((*tiles.shape[:3], 1))
        colored: Array = np.concatenate([tiles, opaque], axis=-1)
        return np.asarray(np.rint(255 * colored), np.uint8)
    small = np.clip(reduced(tiles, LARGEST_TILE, LARGEST_TILE), scale.low, scale.high)
    shares = (np.ma.masked_invalid(small) - scale.low) / (scale.high - scale.low)
    painted: Array = np.asarray(color_map(scale)(shares, bytes=True))
    return painted


def _show(ax: Axes, matrix: Array, scale: Scale, extent: tuple[float, float, float, float]) -> Any:
    return ax.imshow(
        np.ma.masked_invalid(converted(matrix, np.float64)),
        cmap=color_map(scale),
        vmin=scale.low,
        vmax=scale.high,
        interpolation="nearest",
        extent=extent,
    )


def _add_color_bar(ax: Axes, image: Any) -> None:
    bar = ax.get_figure(root=False).colorbar(image, ax=ax, fraction=0.05, pad=0.02)  # type: ignore[union-attr]
    ticks = ax.yaxis.get_ticklabels()
    bar.ax.set_facecolor(ax.get_facecolor())
    bar.ax.tick_params(labelsize=8, colors=ticks[0].get_color() if ticks else None)
    bar.outline.set_visible(False)


def picture_of(shape: tuple[int, ...]) -> Callable[..., Axes]:
    """Return the function that draws tensors of a shape: maps, a matrix, or a distribution."""
    if len(shape) in (3, 4) and min(shape[-2:]) > 1:
        return feature_maps
    return heat_map if len(shape) == 2 and min(shape) > 1 else histogram

"""The kinds of windows that pooling operators of frameworks support.

The geometry of windows itself is in `nnefkit.operations.window`.
"""

from __future__ import annotations

from nnefkit.operations.window import Window


def is_spatial(window: Window) -> bool:
    """Return whether a window slides over one to three spatial dimensions only."""
    return 3 <= len(window.size) <= 5 and not (window.slides(0) or window.slides(1))


def is_padded_inside(window: Window) -> bool:
    """Return whether all padding is less than the window, so that no window is all border."""
    return all(max(pair) < extent for pair, extent in zip(window.padding, window.size, strict=True))


def is_padded_evenly(window: Window) -> bool:
    """Return whether padding is the same on both sides, and at most half of the window."""
    return all(
        0 <= before == after <= extent // 2
        for (before, after), extent in zip(window.padding, window.size, strict=True)
    )

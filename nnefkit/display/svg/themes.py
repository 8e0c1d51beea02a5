"""The colors of a picture: for light pages, for dark ones, or for either."""

from __future__ import annotations

from typing import NamedTuple

from nnefkit.display.colors import RED

STEPS = 5
"""Number of colors of a scale."""
AMOUNTS, ERRORS, CHANGES = 0, STEPS, 2 * STEPS
"""Where the colors of each scale begin in `Theme.levels`, less one."""


class Theme(NamedTuple):
    """The colors of a picture."""

    paper: str
    """Of the background; empty for none."""
    ink: str
    muted: str
    edge: str
    wrong: str
    levels: tuple[str, ...] = ()
    """Those of amounts, of errors and of changes, from number 1."""
    live: bool = False
    """Whether a script of the page chooses colors and values."""


EITHER = Theme("", "#797979", "#797979", "#828282", RED)
"""Without a background: the text has equal contrast on white and on #111, 4.3 : 1 and more."""
LIGHT = Theme(
    "#ffffff",
    "#1a1f26",
    "#59636e",
    "#8c959f",
    "#c02f2b",
    (
        "",
        *("#e8f1fa", "#cfe2f4", "#aecdec", "#8cb8e2", "#6ba3d8"),
        *("#fdeceb", "#fad7d4", "#f5bab6", "#ee9c97", "#e67f79"),
        *("#f5dfae", "#b8e2c8", "#f5bab6"),
    ),
)
DARK = Theme(
    "#111418",
    "#e8ebef",
    "#a0a9b4",
    "#7d8792",
    "#f2847f",
    (
        "",
        *("#1d2935", "#213548", "#26435f", "#2b5278", "#306293"),
        *("#362123", "#4b2627", "#632c2c", "#7c3331", "#983b38"),
        *("#5b4616", "#1e5236", "#6c2d2b"),
    ),
)
THEMES = {"light": LIGHT, "dark": DARK}

"""A progress bar for what takes long."""

from __future__ import annotations

from nnefkit.display.progress_bar import ProgressBar

__all__ = ["ProgressBar", "progress"]


def progress(total: int, description: str) -> ProgressBar:
    """A bar over `total` bytes, which shows itself only if it takes more than a second."""
    return ProgressBar(total, description, "B", scaled=True)

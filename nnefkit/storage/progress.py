"""A progress bar for what takes long."""

from __future__ import annotations

from nnefkit.display.bar import Bar

__all__ = ["Bar", "progress"]


def progress(total: int, description: str) -> Bar:
    """A bar over `total` bytes, which shows itself only if it takes more than a second."""
    return Bar(total, description, "B", scaled=True)

"""A progress bar for what takes long."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

_LONG = 64 << 20
"""Bytes from which on a bar may be worth its import."""


class Bar(Protocol):
    """What is told of progress."""

    def update(self, n: int) -> Any:
        """Counts `n` more bytes."""


class _NoBar:
    def update(self, n: int) -> None:
        pass


def progress(total: int, description: str) -> contextlib.AbstractContextManager[Bar]:
    """A bar over `total` bytes, which shows itself only if it takes more than a second."""
    if total < _LONG:
        return contextlib.nullcontext(_NoBar())
    from tqdm.auto import tqdm

    bar: contextlib.AbstractContextManager[Bar] = tqdm(
        total=total, desc=description, unit="B", unit_scale=True, delay=1, leave=False
    )
    return bar

"""Progress bars, which appear when work takes a while and disappear when it is done."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Self

DELAY = 1.0
"""Seconds after which a bar appears."""


class ProgressBar:
    """A count of finished work, which appears as a bar once the work takes a while.

    Use it as a context: ``with ProgressBar(...) as bar``.
    """

    def __init__(
        self, total: int, name: str, unit: str, *, delay: float | None = None, scaled: bool = False
    ) -> None:
        self._settings: dict[str, Any] = {
            "total": total,
            "desc": name,
            "unit": unit,
            "unit_scale": scaled,
        }
        self._due = perf_counter() + (DELAY if delay is None else delay)
        self._done = 0
        self._shown: Any = None
        self._output: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown is not None:
            self._shown.close()
        if self._output is not None:
            # A notebook would store the last state of the bar, which is not "100 %".
            self._output.update({"text/plain": ""}, raw=True)

    def update(self, count: int) -> None:
        """Add `count` to the finished work."""
        self._done += count
        if self._shown is not None:
            self._shown.update(count)
        elif perf_counter() >= self._due:
            self._open()

    def _open(self) -> None:
        # Importing it takes longer than most tasks do.
        from tqdm.auto import tqdm

        settings: Any = {**self._settings, "initial": self._done, "leave": False}
        if not any(base.__module__ == "tqdm.notebook" for base in tqdm.__mro__):
            self._shown = tqdm(**settings)
            return
        from IPython.display import display

        self._shown = tqdm(**settings, display=False)
        put: Any = display
        self._output = put(self._shown.container, display_id=True)

"""Progress bars, which appear when work takes a while and disappear when it is done."""

from __future__ import annotations

import math
from contextvars import copy_context
from threading import Event, Lock, Thread
from time import perf_counter, time
from typing import Any, Self

DELAY = 1.0
"""Seconds after which a bar appears."""
_REFRESH = 1.0
"""Seconds after which a bar shows the time again, if nothing was counted."""


def bar_delay(progress: bool | None) -> float | None:
    """Return the delay for an argument `progress`: at once, never, or None for the usual one."""
    return 0.0 if progress else math.inf if progress is False else None


class ProgressBar:
    """A count of finished work, which appears as a bar once the work takes a while.

    Use it as a context: ``with ProgressBar(...) as bar``.
    """

    def __init__(
        self,
        total: int | None,
        name: str,
        unit: str,
        *,
        delay: float | None = None,
        scaled: bool = False,
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


class StagedProgressBar(ProgressBar):
    """The progress of work in stages, which need not be countable.

    The bar also appears while one stage goes on, and shows how long it has taken.

    Args:
        name: What is worked on.
        shown: Whether to show a bar; None shows it once the work takes a while.
    """

    def __init__(self, name: str, shown: bool | None) -> None:
        super().__init__(0, name, "step", delay=0.0 if shown else None)
        self._name = name
        self._is_off = shown is False
        self._began = time()
        self._lock = Lock()
        self._finished = Event()

    def __enter__(self) -> Self:
        if not self._is_off:
            # The context lets a notebook know the cell that the bar belongs to.
            Thread(target=copy_context().run, args=(self._watch,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finished.set()
        with self._lock:
            super().__exit__()

    def stage(self, title: str, total: int | None = None, unit: str = "step") -> None:
        """Begin a stage.

        Args:
            title: What is done.
            total: The number of its steps, if it can be counted.
            unit: What a step is.
        """
        with self._lock:
            self._done = 0
            self._began = time()
            self._settings = {
                "desc": f"{self._name}: {title}: ",
                "total": total,
                "unit": unit,
                "bar_format": None if total else "{desc}{elapsed}",
            }
            if self._shown is not None:
                for name in ("total", "unit", "bar_format"):
                    setattr(self._shown, name, self._settings[name])
                self._shown.set_description_str(self._settings["desc"], refresh=False)
                self._shown.reset(total)
            elif self._due <= perf_counter():
                self._show()

    def update(self, count: int) -> None:
        """Add `count` to the finished work of the stage."""
        with self._lock:
            self._done += count
            if self._shown is not None:
                self._shown.update(count)

    def _watch(self) -> None:
        """Open the bar when it is due, and show each second that time passes."""
        wait = max(self._due - perf_counter(), 0.0)
        while not self._finished.wait(wait):
            with self._lock:
                if self._finished.is_set():
                    return
                if self._shown is not None:
                    self._shown.refresh()
                else:
                    self._show()
            wait = _REFRESH

    def _show(self) -> None:
        """Open the bar; if that fails, the work goes on without one."""
        if self._is_off:
            return
        try:
            self._open()
            self._shown.start_t = self._began
        except Exception:  # noqa: BLE001
            self._is_off = True

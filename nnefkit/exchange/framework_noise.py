"""What frameworks print, log and warn of while a model is converted, and how it is silenced.

Errors have the reason; the rest means nothing to somebody who calls nnefkit. What the user's own
module prints, logs and warns of is shown, as it is when the module runs.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

import numpy as np

from nnefkit.execution.engine import ProcessLock

_FRAMEWORKS = frozenset(
    ("torch", "torchgen", "functorch", "onnx", "onnx_ir", "onnxruntime", "onnxscript", "sympy")
) | frozenset(("absl", "keras", "tensorflow"))
"""Packages that are silenced."""
_PYTHON = frozenset((*sys.stdlib_module_names, "typing_extensions")) - {"__main__"}
"""Packages that warn in the name of their callers."""
_LOCK = ProcessLock()


@contextmanager
def quiet_frameworks() -> Iterator[None]:
    """Silence frameworks, and NumPy where numbers overflow; also a decorator."""
    with np.errstate(all="ignore"):
        _SILENCE.enter()
        try:
            yield
        finally:
            _SILENCE.leave()


class _Silence:
    """The silence of a process: it begins with the first thread that needs it, ends with the last.

    Filters of warnings, streams and loggers belong to the process.
    """

    def __init__(self) -> None:
        self._users = 0
        self._end = ExitStack()

    def enter(self) -> None:
        with _LOCK.here():
            if not self._users:
                with ExitStack() as begun:
                    begun.enter_context(_without_warnings())
                    begun.enter_context(_without_logs())
                    for name in ("stdout", "stderr"):
                        begun.enter_context(_without_prints(name))
                    self._end = begun.pop_all()
            self._users += 1

    def leave(self) -> None:
        with _LOCK.here():
            self._users -= 1
            if not self._users:
                self._end.close()


_SILENCE = _Silence()


@contextmanager
def _without_warnings() -> Iterator[None]:
    # The module that a warning is attributed to is any caller of the function that warns: a filter
    # by modules would ignore warnings of the user's, and show or raise those of frameworks.
    warn = warnings.warn

    def filtered(
        message: Any,
        category: Any = None,
        stacklevel: int = 1,
        source: Any = None,
        **more: Any,
    ) -> None:
        if not _is_framework(_first_module(sys._getframe(1))):
            warn(message, category, stacklevel + 1, source, **more)

    with warnings.catch_warnings():
        # Warnings of C++ do not call the function in Python.
        warnings.filterwarnings("ignore", message=r"(?s).*\(Triggered internally at")
        warnings.warn = filtered
        try:
            yield
        finally:
            if warnings.warn is filtered:
                warnings.warn = warn


def _first_module(frame: FrameType | None) -> str:
    """Return the name of the innermost module that is not part of Python."""
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""
        if name.partition(".")[0] not in _PYTHON:
            return name
        frame = frame.f_back
    return ""


@contextmanager
def _without_logs() -> Iterator[None]:
    if os.environ.get("TORCH_LOGS"):
        yield  # Somebody asked for them.
        return
    loggers = [
        logger
        for name, logger in [*logging.root.manager.loggerDict.items()]
        if isinstance(logger, logging.Logger) and _is_framework(name) and not logger.disabled
    ]
    # Loggers that are made later have the level of their package.
    packages = {name: logging.getLogger(name) for name in _FRAMEWORKS}
    levels = {name: logger.level for name, logger in packages.items()}
    for logger in loggers:
        logger.disabled = True
    for logger in packages.values():
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, logger in packages.items():
            logger.setLevel(levels[name])
        for logger in loggers:
            logger.disabled = False


@contextmanager
def _without_prints(name: str) -> Iterator[None]:
    stream = getattr(sys, name)
    if stream is None:
        yield
        return
    filtered = _FilteredStream(stream)
    setattr(sys, name, filtered)
    try:
        yield
    finally:
        if getattr(sys, name) is filtered:
            setattr(sys, name, stream)


class _FilteredStream:
    """A stream without what modules of frameworks write to it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, unless the function that prints it is one of a framework."""
        if _is_framework(sys._getframe(1).f_globals.get("__name__") or ""):
            return len(text)
        written: int = self._stream.write(text)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _is_framework(module: str) -> bool:
    return module.partition(".")[0] in _FRAMEWORKS

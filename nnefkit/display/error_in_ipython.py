"""What IPython shows of an error: its message, not the way through this package to it."""

from __future__ import annotations

import sys
from typing import Any

from nnefkit.display.visible_text import visible

_DEFAULT_MODES = ("Context", "Minimal")
"""Modes of ``%xmode`` in which an error is shown by its message; the first is IPython's default."""
_LONGEST_LINE = 80
_OWN = "nnefkit"


def shown_in_ipython(error: BaseException) -> list[str]:
    """Return the parts of what IPython shows of `error`, in the mode that ``%xmode`` has set."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    traceback = getattr(shell, "InteractiveTB", None)
    if traceback is not None and traceback.mode not in _DEFAULT_MODES:
        parts: list[str] = traceback.structured_traceback(
            type(error), error, error.__traceback__, tb_offset=1
        )
        return parts
    place = _line_of_caller(error)
    whole = "the whole traceback: %tb Verbose"
    return [f"{type(error).__name__}: {error}", f"({place}; {whole})" if place else f"({whole})"]


def _line_of_caller(error: BaseException) -> str:
    """Return the line of the cell or file that called this package, if it is known."""
    found: Any = None
    trace = error.__traceback__
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == _OWN:
            break
        # The wrapper of a function that is decorated by a context manager is nobody's line.
        if trace.tb_frame.f_globals.get("__name__") != "contextlib":
            found = trace
        trace = trace.tb_next
    if found is None or trace is None:
        return ""
    name = found.tb_frame.f_code.co_filename
    is_cell = "ipykernel" in name or "ipython" in name
    place = "the cell" if is_cell else visible(name, _LONGEST_LINE)
    return f"line {found.tb_lineno} of {place}"

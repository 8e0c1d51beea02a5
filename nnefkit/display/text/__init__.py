"""Plain-text displays: good in a terminal and in a diff, without colours or control codes."""

from nnefkit.display.text.diagnostics import diagnostic

__all__ = ["diagnostic"]

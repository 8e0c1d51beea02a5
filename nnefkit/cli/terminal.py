"""What the commands write: text, JSON, and diagnostics, in colour where somebody looks at them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from nnefkit.errors import Diagnostic

FAILED = 1
"""Exit status: the answer is no, or something failed."""
USAGE = 2
"""Exit status: the command was used wrongly."""

# Bold and plain colours differ in many palettes: of each colour the one that reads on white and on
# black, in notebooks too.
_RED, _GREEN, _YELLOW, _BLUE, _DIM, _BOLD = "31", "32", "1;33", "34", "2", "1"
_COLORS = {"error": _RED, "warning": _YELLOW, "note": _BLUE}
_HEAD = re.compile(r"(error|warning|note)(\[[^]]*\]): (.*)")
_CARET = re.compile(r"( *\| +)(\^+)")
_ASIDE = re.compile(r" *(?:-->|\|$|= section )")


def prepare() -> None:
    """Lets terminals that lack a character show another one instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def line(text: str) -> None:
    """Writes a line."""
    sys.stdout.write(f"{text}\n")


def error_line(text: str) -> None:
    """Writes a line to the error stream."""
    sys.stderr.write(f"{text}\n")


def document(text: str) -> None:
    """Writes a document as it is, its line ends and its bytes that are no text included."""
    sys.stdout.flush()
    content = memoryview(text.encode(errors="surrogateescape"))
    # Where Python does not buffer, a part may be written before the reader goes away.
    while content:
        content = content[sys.stdout.buffer.write(content) :]
    sys.stdout.buffer.flush()


def as_json(value: Any) -> None:
    """Writes a value as JSON; numbers that are not finite are null."""
    line(json.dumps(_finite(value), indent=2, ensure_ascii=True, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and value - value != 0:
        return None
    return value


def diagnostics(found: Iterable[Diagnostic]) -> None:
    """Writes diagnostics, each followed by an empty line."""
    _write(sys.stdout, found)


def error_diagnostics(found: Iterable[Diagnostic]) -> None:
    """Writes diagnostics to the error stream."""
    sys.stdout.flush()
    _write(sys.stderr, found)


def _write(stream: TextIO, found: Iterable[Diagnostic]) -> None:
    colored = has_color(stream)
    for diagnostic in found:
        text = str(diagnostic)
        stream.write(f"{_painted(text, _COLORS[diagnostic.severity]) if colored else text}\n\n")


def verdict(text: str, *, ok: bool) -> None:
    """Writes the last line of a report."""
    if has_color(sys.stdout):
        text = _colored(text, _GREEN if ok else _RED)
    line(text)


def has_color(stream: TextIO) -> bool:
    """Whether somebody looks at `stream` and wants colours (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def _colored(text: str, color: str) -> str:
    return f"\x1b[{color}m{text}\x1b[0m"


def _painted(text: str, color: str) -> str:
    """A diagnostic with its severity, its caret and its asides coloured."""
    lines = []
    for one in text.split("\n"):
        if head := _HEAD.fullmatch(one):
            painted = f"{_colored(head[1] + head[2], color)}: {_colored(head[3], _BOLD)}"
        elif caret := _CARET.fullmatch(one):
            painted = f"{_colored(caret[1], _DIM)}{_colored(caret[2], color)}"
        elif _ASIDE.match(one):
            painted = _colored(one, _DIM)
        else:
            painted = one
        lines.append(painted)
    return "\n".join(lines)

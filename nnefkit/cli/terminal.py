"""Output of the commands: text, JSON and diagnostics, colored on a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any, TextIO

from nnefkit.display.diagnostic_text import repeated_text
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import ALL, Block, Fold, Phrase, Table
from nnefkit.display.repetition import repetitions
from nnefkit.display.text import write
from nnefkit.display.visible_text import printable
from nnefkit.errors import Diagnostic, InputError

FAILED = 1
"""Exit status: a negative result, or a failure."""
USAGE = 2
"""Exit status: wrong usage of the command."""

# Bold and plain colors differ in many palettes; these are readable on white and on black, in
# notebooks too.
_RED, _GREEN, _YELLOW, _BLUE, _DIM, _BOLD = "31", "32", "1;33", "34", "2", "1"
_COLORS = {"error": _RED, "warning": _YELLOW, "note": _BLUE}
_HEAD = re.compile(r"(error|warning|note)(\[[^]]*\]): (.*)")
_CARET = re.compile(r"( *\| +)(\^+)")
_ASIDE = re.compile(r" *(?:-->|\|$|= section )")


def prepare() -> None:
    """Replace characters that the terminal cannot encode, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def line(text: str) -> None:
    """Write one or several lines, with control characters made visible."""
    sys.stdout.write(f"{_visible(text)}\n")


def may_write(target: Path, *, force: bool) -> bool:
    """Return whether a target may be written: it is new, ``--force`` was given, or the user agrees.

    Raises:
        InputError: It exists, and there is nobody to ask.
    """
    if force or not os.path.lexists(target) or _is_empty(target):
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError(f"'{target}' exists already", hint="--force replaces it.")
    sys.stderr.write(f"{printable(str(target))} exists already: replace it? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _is_empty(target: Path) -> bool:
    return target.is_dir() and not any(target.iterdir())


def error_line(text: str) -> None:
    """Write a line to the error stream."""
    sys.stderr.write(f"{_visible(text)}\n")


def _visible(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def document(text: str) -> None:
    """Write a document unchanged, including its line breaks and bytes that are not UTF-8."""
    sys.stdout.flush()
    content = memoryview(text.encode(errors="surrogateescape"))
    # An unbuffered stream may write only part of the data at a time.
    while content:
        content = content[sys.stdout.buffer.write(content) :]
    sys.stdout.buffer.flush()


def as_json(value: Any) -> None:
    """Write a value as JSON, with null for numbers that are not finite."""
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


def card(shown: Displayed, everything: str = "") -> None:
    """Write the card of an object, with notes that speak of the command line.

    Args:
        shown: The object.
        everything: The option that writes what the card leaves out, such as ``--json``.
    """
    brief = shown._card(brief=True)
    blocks = tuple(_of_command_line(block, everything) for block in brief.blocks)
    line(brief.line or write(replace(brief, blocks=blocks)))


def _of_command_line(block: Block, everything: str) -> Block:
    """Return a block whose notes name an option, in the place of code in Python."""
    if isinstance(block, Fold):
        inner = tuple(_of_command_line(each, everything) for each in block.blocks)
        return replace(block, blocks=inner)
    if not isinstance(block, Table):
        return block
    phrases = [part for part in block.note if isinstance(part, Phrase)]
    words = tuple(takewhile(lambda part: not part.code, phrases))
    if not words or not words[-1].text.endswith(ALL):
        return replace(block, note=words)
    *others, last = words
    kept = last.text.removesuffix(ALL)
    more = f"{ALL}{everything}" if everything else ""
    return replace(block, note=(*others, last._replace(text=f"{kept}{more}")))


def is_missing(reported: Iterable[Diagnostic], arguments: Sequence[str]) -> bool:
    """Return whether a diagnostic is about a path among the arguments that does not exist."""
    files = {diagnostic.file for diagnostic in reported if diagnostic.file}
    given = {part for word in arguments for part in (word, word.partition("=")[2])}
    return any(not os.path.lexists(file) for file in files & given)


def diagnostics(reported: Iterable[Diagnostic]) -> None:
    """Write diagnostics, each followed by an empty line; many of one kind only once."""
    _write(sys.stdout, reported)


def error_diagnostics(reported: Iterable[Diagnostic]) -> None:
    """Write diagnostics to the error stream."""
    sys.stdout.flush()
    _write(sys.stderr, reported)


def _write(stream: TextIO, reported: Iterable[Diagnostic]) -> None:
    colored = has_color(stream)
    for group in repetitions(reported):
        text = repeated_text(group)
        stream.write(f"{_painted(text, _COLORS[group.first.severity]) if colored else text}\n\n")


def verdict(text: str, *, ok: bool) -> None:
    """Write the last line of a report."""
    text = _visible(text)
    if has_color(sys.stdout):
        text = _colored(text, _GREEN if ok else _RED)
    sys.stdout.write(f"{text}\n")


def has_color(stream: TextIO) -> bool:
    """Return whether `stream` is a terminal and colors are wanted (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def _colored(text: str, color: str) -> str:
    return f"\x1b[{color}m{text}\x1b[0m"


def _painted(text: str, color: str) -> str:
    """Color the severity, the caret and the secondary lines of a diagnostic."""
    lines = []
    for row in text.split("\n"):
        if head := _HEAD.fullmatch(row):
            painted = f"{_colored(head[1] + head[2], color)}: {_colored(head[3], _BOLD)}"
        elif caret := _CARET.fullmatch(row):
            painted = f"{_colored(caret[1], _DIM)}{_colored(caret[2], color)}"
        elif _ASIDE.match(row):
            painted = _colored(row, _DIM)
        else:
            painted = row
        lines.append(painted)
    return "\n".join(lines)

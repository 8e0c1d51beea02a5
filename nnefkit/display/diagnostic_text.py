"""A diagnostic in the style of compilers: the line that it refers to, marked with carets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nnefkit.display.excerpt import marked_excerpt
from nnefkit.display.numbers import plural, shorten
from nnefkit.display.protocols import DiagnosticLike, marked_length
from nnefkit.display.repetition import Repetition, repetitions
from nnefkit.display.visible_text import LONGEST, visible

MAX_CODES = 6
"""Maximum number of codes in the command that explains them."""
LONGEST_NAME = 200
"""Maximum length of a code or a section."""
BUDGET = 16 * 1024
"""Maximum size of the message of an error in bytes, without its last line."""
MORE = "more about the codes: "


def explaining_command(diagnostics: Iterable[DiagnosticLike]) -> str:
    """Return the command that explains the codes of diagnostics, each once, the first few."""
    codes = dict.fromkeys(visible(diagnostic.code, LONGEST_NAME) for diagnostic in diagnostics)
    return " ".join(["nnefkit explain", *list(codes)[:MAX_CODES]])


def message_of(diagnostics: Iterable[DiagnosticLike]) -> str:
    """Return the message of an error: all its diagnostics, or the first ones and their number."""
    every = tuple(diagnostics)
    texts: list[str] = []
    room, left_out = BUDGET, len(every)
    is_complete = True
    for group in repetitions(every):
        text = repeated_text(group)
        room -= len(text.encode()) + 2
        if room < 0:
            texts.append(f"{plural(left_out, 'more problem')}: error.diagnostics has all of them")
            return "\n\n".join(texts)
        texts.append(text)
        left_out -= 1 + len(group.others)
        is_complete = is_complete and not group.others
    if not is_complete:
        texts.append(f"{len(every):,} problems: error.diagnostics has all of them")
    return "\n\n".join(texts)


def repeated_text(group: Repetition[Any]) -> str:
    """Return the text of a diagnostic, and how many more there are like it."""
    text = diagnostic_text(group.first)
    return f"{text}\n... {group.note}" if group.others else text


def diagnostic_text(diagnostic: DiagnosticLike) -> str:
    """Return the diagnostic with its place, its line, its hint and its section.

    ::

        error[unknown-argument]: conv has no parameter 'bordr'
          --> graph.nnef:8:33
          |
        8 | conv1 = conv(input, filter, bordr = 'ignore');
          |                             ^^^^^
          = hint: Did you mean 'border'?
          = section 3.3.2 of NNEF 1.0.5
    """
    has_excerpt = diagnostic.line is not None and diagnostic.excerpt.strip()
    number = str(diagnostic.line) if has_excerpt else ""
    gutter = " " * len(number)
    code = visible(diagnostic.code, LONGEST_NAME)
    lines = [f"{diagnostic.severity}[{code}]: {visible(diagnostic.message, LONGEST)}"]
    place = _place(diagnostic)
    if place:
        lines.append(f"{gutter} --> {place}")
    if number:
        lines += _marked_lines(diagnostic, number, gutter)
    if diagnostic.hint:
        parts = shorten(diagnostic.hint, LONGEST).splitlines()
        head, *more = (visible(part, LONGEST) for part in parts or [""])
        lines.append(f"{gutter} = hint: {head}")
        lines += (f"{gutter}         {part}" for part in more)
    if diagnostic.section:
        lines.append(
            f"{gutter} = section {visible(diagnostic.section, LONGEST_NAME)} of NNEF 1.0.5"
        )
    for name in ("message", "hint"):
        if (length := len(getattr(diagnostic, name))) > LONGEST:
            lines.append(f"{gutter} = the {name} has {length:,} characters: diagnostic.{name}")
    return "\n".join(lines)


def _place(diagnostic: DiagnosticLike) -> str:
    """``file:line:column``, as far as they are known."""
    file, line, column = diagnostic.file, diagnostic.line, diagnostic.column
    parts = [visible(file, LONGEST)] if file else []
    if line is not None:
        parts.append(f"{line}" if file else f"line {line}")
        if column is not None:
            parts.append(f"{column}")
    return ":".join(parts)


def _marked_lines(diagnostic: DiagnosticLike, number: str, gutter: str) -> list[str]:
    column, length = diagnostic.column or 1, marked_length(diagnostic)
    marked = marked_excerpt(diagnostic.excerpt, column, length)
    return [
        f"{gutter} |",
        f"{number} | {marked.line}".rstrip(),
        f"{gutter} | {' ' * marked.indent}{'^' * marked.length}",
    ]

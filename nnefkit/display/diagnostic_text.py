"""A diagnostic in the style of compilers: the line that it refers to, marked with carets."""

from __future__ import annotations

from collections.abc import Iterable

from nnefkit.display.excerpt import marked_excerpt, printable
from nnefkit.display.protocols import DiagnosticLike, marked_length

MAX_CODES = 6
"""Maximum number of codes in the command that explains them."""
MORE = "more about the codes: "


def explaining_command(diagnostics: Iterable[DiagnosticLike]) -> str:
    """Return the command that explains the codes of diagnostics, each once, the first few."""
    codes = dict.fromkeys(printable(diagnostic.code) for diagnostic in diagnostics)
    return " ".join(["nnefkit explain", *list(codes)[:MAX_CODES]])


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
    lines = [
        f"{diagnostic.severity}[{printable(diagnostic.code)}]: {printable(diagnostic.message)}"
    ]
    place = _place(diagnostic)
    if place:
        lines.append(f"{gutter} --> {place}")
    if number:
        lines += _marked_lines(diagnostic, number, gutter)
    if diagnostic.hint:
        head, *more = (printable(part) for part in diagnostic.hint.splitlines())
        lines.append(f"{gutter} = hint: {head}")
        lines += (f"{gutter}         {part}" for part in more)
    if diagnostic.section:
        lines.append(f"{gutter} = section {printable(diagnostic.section)} of NNEF 1.0.5")
    return "\n".join(lines)


def _place(diagnostic: DiagnosticLike) -> str:
    """``file:line:column``, as far as they are known."""
    file, line, column = diagnostic.file, diagnostic.line, diagnostic.column
    parts = [printable(file)] if file else []
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

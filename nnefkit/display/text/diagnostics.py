"""A diagnostic as a compiler would tell it, with the line that it is about and a caret."""

from __future__ import annotations

from nnefkit.display.excerpt import marked_excerpt, printable


def diagnostic(
    *,
    code: str,
    severity: str,
    message: str,
    file: str,
    line: int | None,
    column: int | None,
    length: int,
    excerpt: str,
    hint: str,
    section: str,
) -> str:
    """The lines that tell one diagnostic; `length` is the number of characters to mark.

    ::

        error[unknown-argument]: conv has no parameter 'bordr'
          --> graph.nnef:8:33
          |
        8 | conv1 = conv(input, filter, bordr = 'ignore');
          |                             ^^^^^
          = hint: Did you mean 'border'?
          = section 3.3.2 of NNEF 1.0.5
    """
    number = "" if line is None or not excerpt.strip() else str(line)
    gutter = " " * len(number)
    lines = [f"{severity}[{printable(code)}]: {printable(message)}"]
    place = location(file, line, column)
    if place:
        lines.append(f"{gutter} --> {place}")
    if number:
        lines += _marked_lines(number, excerpt, column or 1, length)
    if hint:
        head, *more = (printable(part) for part in hint.splitlines())
        lines.append(f"{gutter} = hint: {head}")
        lines += (f"{gutter}         {part}" for part in more)
    if section:
        lines.append(f"{gutter} = section {printable(section)} of NNEF 1.0.5")
    return "\n".join(lines)


def location(file: str, line: int | None, column: int | None) -> str:
    """``file:line:column`` of what is known."""
    parts = [printable(file)] if file else []
    if line is not None:
        parts.append(f"{line}" if file else f"line {line}")
        if column is not None:
            parts.append(f"{column}")
    return ":".join(parts)


def _marked_lines(number: str, excerpt: str, column: int, length: int) -> list[str]:
    marked = marked_excerpt(excerpt, column, length)
    gutter = " " * len(number)
    return [
        f"{gutter} |",
        f"{number} | {marked.line}".rstrip(),
        f"{gutter} | {' ' * marked.indent}{'^' * marked.length}",
    ]

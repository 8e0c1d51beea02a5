"""The positions of arguments in the text of an assignment."""

from __future__ import annotations

from nnefkit.errors import Source, Span
from nnefkit.language.declarations.declaration import Declaration, declarations
from nnefkit.language.syntax.lexer import IDENTIFIER, Tokens

_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")


def locate(source: Source, span: Span, argument: str, operation: str = "") -> Span:
    """Return the span of an argument of an operation.

    Args:
        source: The text that the operation was parsed from.
        span: The span of the assignment or the invocation.
        argument: The name of a parameter or a result of the operation.
        operation: The name of the operation; by default that of the first invocation in the text.

    Returns:
        The span of the argument with its name, or for a result that of the tensor on the left-hand
        side; the span of the name of the operation if the argument is omitted; `span` itself if
        the text is an expression with operators instead of an invocation of the operation.
    """
    tokens = Tokens(Source(source.text[span.start : span.end]))
    call = next((at for at in range(tokens.count) if _is_call(tokens, at)), None)
    if call is None or operation not in ("", tokens.texts[call]):
        return span
    located = _argument(tokens, call, argument) or tokens.span(call, call + 1)
    return Span(located.start + span.start, located.end + span.start)


def _is_call(tokens: Tokens, at: int) -> bool:
    texts = tokens.texts
    if tokens.kinds[texts[at]] != IDENTIFIER:
        return False
    following = texts[at + 1 : at + 5]
    return following[:1] == ["("] or (following[::2] == ["<", ">"] and following[3:] == ["("])


def _argument(tokens: Tokens, call: int, argument: str) -> Span | None:
    texts = tokens.texts
    declaration = declarations().get(texts[call])
    opening = texts.index("(", call)
    arguments = _parts(tokens, opening + 1, tokens.count)
    for first, end in arguments:
        if texts[first] == argument and texts[first + 1] == "=":
            return tokens.span(first, end)
    if declaration is None:
        return None
    if argument in declaration.by_name:
        position = declaration.by_name[argument].position
        if position < len(arguments):
            first, end = arguments[position]
            if texts[first + 1] != "=":
                return tokens.span(first, end)
        return None
    return _result(tokens, call, argument, declaration)


def _result(tokens: Tokens, call: int, argument: str, declaration: Declaration) -> Span | None:
    names = [result.name for result in declaration.results]
    if argument not in names or call < 2:
        return None
    if len(names) == 1:
        return tokens.span(0, call - 1)
    targets = _parts(tokens, int(tokens.texts[0] == "("), call - 1)
    position = names.index(argument)
    return tokens.span(*targets[position]) if position < len(targets) else None


def _parts(tokens: Tokens, first: int, end: int) -> list[tuple[int, int]]:
    """Return the tokens (first, end) of comma-separated parts, up to `end` or a closing bracket."""
    parts: list[tuple[int, int]] = []
    depth = 0
    for index in range(first, end):
        text = tokens.texts[index]
        if depth == 0 and (text == "," or text in _CLOSING):
            parts.append((first, index))
            first = index + 1
            if text != ",":
                return parts
        elif text in _OPENING:
            depth += 1
        elif text in _CLOSING:
            depth -= 1
    parts.append((first, end))
    return parts

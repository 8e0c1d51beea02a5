"""The places of arguments in the text of an assignment."""

from __future__ import annotations

from nnefkit.errors import Source, Span
from nnefkit.language.declarations.declaration import Declaration, declarations
from nnefkit.language.syntax.lexer import IDENTIFIER, Tokens

_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")


def locate(source: Source, span: Span, argument: str) -> Span:
    """Where `argument` of the operation stands that `span` covers.

    Args:
        source: the text that the operation was parsed from.
        span: of the assignment or the invocation.
        argument: the formal name of a parameter or a result of the operation.

    Returns:
        The span of the argument with its name, of the tensor on the left-hand side for a result;
        of the name of the operation where the argument is left out or cannot be found.
    """
    tokens = Tokens(Source(source.text[span.start : span.end]))
    call = next(
        (
            at
            for at in range(tokens.count)
            if tokens.kinds[tokens.texts[at]] == IDENTIFIER and tokens.texts[at + 1] in ("(", "<")
        ),
        None,
    )
    if call is None:
        return span
    found = _place(tokens, call, argument) or tokens.span(call, call + 1)
    return Span(found.start + span.start, found.end + span.start)


def _place(tokens: Tokens, call: int, argument: str) -> Span | None:
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
    """First and end tokens of what commas separate, up to a bracket that closes or to `end`."""
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

"""Places where a text does not follow the grammar, and what is said of them."""

from __future__ import annotations

from nnefkit.language.syntax.lexer import KEYWORD, LITERAL, WRONG, Problem, Tokens, describe

_CURLY = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u00b4`"
_STRAIGHT = "Strings stand between straight quotes: ' or \"."
_ASCII = "Outside of strings only ASCII letters, digits, _ and the operators occur."


class SyntaxProblem(Exception):  # noqa: N818 - it is caught, and told as a diagnostic
    """A place where the text does not follow the grammar; caught where parsing can go on."""

    def __init__(self, index: int, message: str, hint: str = "", section: str = "3.2.1") -> None:
        super().__init__(message)
        self.index = index
        self.message = message
        self.hint = hint
        self.section = section


def found(tokens: Tokens, index: int) -> str:
    """What stands at a token, in the words of a message."""
    text = tokens.texts[index]
    if not text:
        return "the end of the text"
    if tokens.kinds[text] == WRONG:
        return describe(text[0])
    return f"'{text}'" if len(text) < 40 else f"'{text[:36]}...'"


def expected(tokens: Tokens, index: int, what: str, hint: str, section: str) -> SyntaxProblem:
    """The problem that something else than `what` stands at a token."""
    text = tokens.texts[index]
    kind = tokens.kinds[text]
    if kind == WRONG:
        return SyntaxProblem(
            index,
            f"{describe(text[0])} has no meaning in NNEF",
            _STRAIGHT if text[0] in _CURLY else _ASCII,
            "3.1",
        )
    told = found(tokens, index)
    if kind == LITERAL and type(tokens.values[text]) is Problem:
        problem = tokens.values[text]
        return SyntaxProblem(index, f"{told} {problem.message}", problem.hint, "3.1")
    if kind == KEYWORD and (not hint or what.startswith("the name")):
        hint = f"'{text}' is a keyword, and keywords cannot be used as identifiers."
    return SyntaxProblem(index, f"expected {what} but found {told}", hint, section)

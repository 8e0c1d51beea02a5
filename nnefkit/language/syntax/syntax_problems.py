"""Syntax errors, and the wording of their messages."""

from __future__ import annotations

from nnefkit.language.syntax.lexer import KEYWORD, LITERAL, WRONG, Problem, Tokens, describe

_CURLY = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u00b4`"
_STRAIGHT = "Strings are enclosed in straight quotes: ' or \"."
_ASCII = "Outside of strings and comments, only ASCII letters, digits, _ and operators are allowed."


class SyntaxProblem(Exception):  # noqa: N818 - caught, and turned into a diagnostic
    """A violation of the grammar, caught where parsing can continue."""

    def __init__(self, index: int, message: str, hint: str = "", section: str = "3.2.1") -> None:
        super().__init__(message)
        self.index = index
        self.message = message
        self.hint = hint
        self.section = section


def described(tokens: Tokens, index: int) -> str:
    """Describe the token at an index in a message."""
    text = tokens.texts[index]
    if not text:
        return "the end of the text"
    if tokens.kinds[text] == WRONG:
        return describe(text[0])
    return f"'{text}'" if len(text) < 40 else f"'{text[:36]}...'"


def expected(tokens: Tokens, index: int, wanted: str, hint: str, section: str) -> SyntaxProblem:
    """Return the problem that the token at an index is not what `wanted` describes."""
    text = tokens.texts[index]
    kind = tokens.kinds[text]
    if kind == WRONG:
        return SyntaxProblem(
            index,
            f"{describe(text[0])} has no meaning in NNEF",
            _STRAIGHT if text[0] in _CURLY else _ASCII,
            "3.1",
        )
    actual = described(tokens, index)
    if kind == LITERAL and type(tokens.values[text]) is Problem:
        problem = tokens.values[text]
        return SyntaxProblem(index, f"{actual} {problem.message}", problem.hint, "3.1")
    if kind == KEYWORD and (not hint or wanted.startswith("the name")):
        hint = f"'{text}' is a keyword and cannot be used as an identifier."
    return SyntaxProblem(index, f"expected {wanted} but found {actual}", hint, section)

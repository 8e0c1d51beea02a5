"""The lexer (3.1).

One regular expression splits the whole text. Tokens are not objects, but strings in a list, beside
a list of the offsets at which they end. Each different string is classified once, not once for
each token.
"""

from __future__ import annotations

import re
from itertools import accumulate, repeat
from typing import Any, NamedTuple

from nnefkit.errors import Source, Span

IDENTIFIER = 1
KEYWORD = 2
LITERAL = 3
SYMBOL = 4
WRONG = 5
END = 6

KEYWORDS = frozenset(
    [
        "version",
        "extension",
        "graph",
        "fragment",
        "tensor",
        "integer",
        "scalar",
        "logical",
        "string",
        "shape_of",
        "length_of",
        "range_of",
        "for",
        "in",
        "yield",
        "if",
        "else",
    ]
)
LOGICALS = {"true": True, "false": False}
END_TEXT = ""

# A minus sign directly after one of ( [ , = begins a numeric literal, as in flat syntax. Elsewhere
# it is an operator, and the parser folds it where it is a sign: a - 1 is a subtraction.
_TOKEN = re.compile(
    r"""\s*(?:
      [A-Za-z_]\w*
    | [()\[\],;{}:+*/^?]
    | [0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?
    | [=<>!]=?
    | '[^'\\\n]*(?:\\[^\n][^'\\\n]*)*(?:'|\\?(?=\n|\Z))
    | -(?:>|(?:(?<=[(\[,=]-)|(?<=[(\[,=]\ -))[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)?
    | "[^"\\\n]*(?:\\[^\n][^"\\\n]*)*(?:"|\\?(?=\n|\Z))
    | \#[^\n\f]*
    | &&|\|\|
    | [^\x20-\x7e\t\n\v\f\r]+
    | [^\x20\t\n\v\f\r]
    )""",
    re.VERBOSE | re.ASCII,
)
_WHITE_SPACE = " \t\n\v\f\r"
_NUMBER_START = frozenset("0123456789-")
_SYMBOLS = frozenset(
    [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        "=",
        ",",
        ";",
        "?",
        "<",
        ">",
        "+",
        "-",
        "*",
        "/",
        "^",
        "!",
        "->",
        "<=",
        ">=",
        "==",
        "!=",
        "&&",
        "||",
    ]
)
_INTEGER_LIMIT = 2**63
_MAX_DIGITS = 19
_INTEGERS = "Integers are between -9223372036854775808 and 9223372036854775807."
_SCALARS = "The largest scalar is about 1.8e308."


class Problem(NamedTuple):
    """The reason why a literal has no value; replaces the value until it is used."""

    message: str
    hint: str


class Tokens:
    """The tokens of a source.

    Attributes:
        texts: The strings of the tokens, and three empty strings, so that parsers can look ahead.
        ends: The offset at which each token ends.
        kinds: The kind of each token, such as `IDENTIFIER`, by string.
        values: The value of each literal, or the `Problem` with it, by string.
        count: The number of tokens.
        byte_order_mark: True if the text begins with a byte order mark, which is not a token.
    """

    __slots__ = ("byte_order_mark", "count", "ends", "kinds", "source", "texts", "values")

    def __init__(self, source: Source) -> None:
        self.source = source
        text = source.text
        # White space without a token after it would be searched again from each of its characters.
        pieces = _TOKEN.findall(text.rstrip(_WHITE_SPACE))
        # Tokens and the white space before them cover the text without gaps.
        ends = list(accumulate(map(len, pieces)))
        texts = list(map(str.lstrip, pieces, repeat(_WHITE_SPACE)))
        if "#" in text:
            tokens = [index for index, token in enumerate(texts) if token[0] != "#"]
            if len(tokens) != len(texts):
                texts = [texts[index] for index in tokens]
                ends = [ends[index] for index in tokens]
        self.byte_order_mark = bool(texts) and texts[0] == "\ufeff"
        if self.byte_order_mark:
            texts, ends = texts[1:], ends[1:]
        self.count = len(texts)
        self.texts: list[str] = texts
        self.ends: list[int] = ends
        self.kinds: dict[str, int] = {END_TEXT: END}
        self.values: dict[str, Any] = {}
        self._classify()
        texts += [END_TEXT] * 3
        ends += [len(text)] * 3

    def _classify(self) -> None:
        kinds, values = self.kinds, self.values
        for token in set(self.texts):
            first = token[0]
            if token in _SYMBOLS:
                kinds[token] = SYMBOL
            elif first in _NUMBER_START:
                kinds[token] = LITERAL
                values[token] = number(token)
            elif first in "'\"":
                kinds[token] = LITERAL
                values[token] = string(token)
            elif token in LOGICALS:
                kinds[token] = LITERAL
                values[token] = LOGICALS[token]
            elif token in KEYWORDS:
                kinds[token] = KEYWORD
            elif first.isascii() and (first.isalpha() or first == "_"):
                kinds[token] = IDENTIFIER
            else:
                kinds[token] = WRONG

    def span(self, first: int, end: int) -> Span:
        """Return the span of the tokens from `first` up to but not including `end`."""
        last = max(first, end - 1)
        return Span(self.ends[first] - len(self.texts[first]), self.ends[last])

    @property
    def starts(self) -> list[int]:
        """The offset at which each token begins."""
        return [end - len(text) for end, text in zip(self.ends, self.texts, strict=True)]

    def start(self, index: int) -> int:
        """Return the offset at which a token begins."""
        return self.ends[index] - len(self.texts[index])

    def after(self, index: int) -> Span:
        """Return the empty span right after token `index`, or at the start of the text for -1."""
        end = self.ends[index] if index >= 0 else 0
        return Span(end, end)


def number(text: str) -> int | float | Problem:
    """Return the value of a numeric literal: an integer if it has neither point nor exponent."""
    if "." in text or "e" in text or "E" in text:
        real = float(text)
        return real if abs(real) != float("inf") else Problem("is too large for a scalar", _SCALARS)
    if len(text) < _MAX_DIGITS:
        return int(text)
    digits = text.lstrip("-").lstrip("0") or "0"
    if len(digits) > _MAX_DIGITS:
        return Problem("does not fit into 64 bits", _INTEGERS)
    value = int(digits) if text[0] != "-" else -int(digits)
    if -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        return value
    return Problem("does not fit into 64 bits", _INTEGERS)


def string(text: str) -> str | Problem:
    """Return the value of a string literal, with its escapes resolved."""
    quote = text[0]
    if len(text) < 2 or text[-1] != quote or _ends_in_escape(text):
        return Problem(
            "is a string without a closing quote",
            "A string ends on the line on which it begins, with the same quote.",
        )
    body = text[1:-1]
    if not body.isprintable() or not body.isascii():
        other = next(c for c in body if not (c.isascii() and c.isprintable()))
        return Problem(
            f"contains {describe(other)}", "Strings consist of printable ASCII characters."
        )
    if "\\" not in body:
        return body
    unknown = re.search(r"(?:[^\\]|\A)(?:\\\\)*\\([^\\'\"])", body)
    if unknown:
        return Problem(
            f"contains the unknown escape \\{unknown[1]}",
            "Only quotes and backslashes can be escaped; write a backslash as \\\\.",
        )
    return re.sub(r"\\(.)", r"\1", body)


def _ends_in_escape(text: str) -> bool:
    body = text[1:-1]
    return (len(body) - len(body.rstrip("\\"))) % 2 == 1


def describe(character: str) -> str:
    """Describe a character in a message."""
    if character.isprintable():
        return f"'{character}' (U+{ord(character):04X})"
    return f"the character U+{ord(character):04X}"

"""Text for displays: of bounded length, and without characters that hide or move others."""

from __future__ import annotations

import re
import unicodedata

from nnefkit.display.numbers import shorten

TAB = "    "
LONGEST = 2_000
"""Default maximum length of a text."""
MARKS = 4
"""Maximum number of accents on one character; towers of them would cover other lines."""
# Letters and marks that nothing is drawn for; names that differ in them look alike.
_HIDDEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0").union(
    map(chr, [*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
)
_EMOJI_STYLE = "\ufe0f"
_MARKS = ("Mn", "Me")
# Latin letters, punctuation, arrows, formula signs, boxes and shapes: all but these is looked at.
_PLAIN = re.compile("[ -~¡-¬®-\u02ff\u2010-\u2027\u2030-\u205e\u2190-\u27ff\u2900-\u2bff]*")


def printable(text: str) -> str:
    """`text` with tabs as blanks, and characters made visible that are not, or that move others.

    These are control characters, characters that change the direction of text, that have no width
    or nothing to draw, halves of surrogate pairs, and more than a few accents on one character.
    """
    if text.isprintable() and _PLAIN.fullmatch(text):
        return text
    shown = []
    marks = 0
    before = ""
    for c in text:
        marks = marks + 1 if unicodedata.category(c) in _MARKS else 0
        hidden = c in _HIDDEN and not (c == _EMOJI_STYLE and _is_symbol(before))
        shown.append(_escaped(c) if hidden or marks > MARKS else _visible(c))
        before = c
    return "".join(shown)


def _is_symbol(character: str) -> bool:
    return character != "" and unicodedata.category(character) == "So"


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if character == "\t":
        return TAB
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if unicodedata.category(character) == "Zs":
        return " "
    return _escaped(character)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str, limit: int) -> str:
    """`text` as `printable` shows it, without its middle if that is longer than `limit`."""
    return shorten(printable(shorten(text, limit)), limit)


def width(text: str) -> int:
    """Number of terminal columns that `text` occupies; East Asian wide characters occupy two."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in _MARKS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

"""Upper bounds of the widths of texts, so that boxes are wide enough for any font."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Weight = Literal["regular", "bold"]

# Thousandths of the font size, of a wide sans-serif font (DejaVu Sans); most others are narrower.
_REGULAR = {
    280: "'ijl",
    320: "IJ ,.·",
    340: "/:;\\|",
    360: "f",
    380: "-",
    400: "()[]t",
    420: "!r",
    460: '"',
    500: "*_`∥",
    540: "?sz",
    580: "LcFk",
    620: "vxyPTYaeo",
    640: "$0123456789ESbdghnpqu{}µ",
    700: "KABCRVXZ",
    760: "UHN",
    800: "&DGOQ",
    840: "w#+<=>^~×→−",
    880: "M",
    980: "%m",
    1000: "@W…",
}
_BOLD = {
    320: "'",
    380: " ijl,./IJ\\|·",
    420: ":;-",
    460: "f!()[]",
    500: "t_`r∥",
    540: '"*',
    600: "?csz",
    660: "Lvxy",
    700: "aek$0123456789EFTo",
    740: "Sbdghnpqu{}CPYZµ",
    780: "ABKRVX",
    840: "U#+<=>DGHN^~×→−",
    880: "OQ&",
    940: "w",
    1000: "@M…",
    1060: "%m",
    1120: "W",
}


def _by_character(table: Mapping[int, str]) -> dict[str, int]:
    return {character: width for width, characters in table.items() for character in characters}


_WIDTHS: Mapping[Weight, Mapping[str, int]] = {
    "regular": _by_character(_REGULAR),
    "bold": _by_character(_BOLD),
}
OTHER = 1250
"""Width of characters that are not in the tables, such as wide Asian and Cyrillic ones."""


def text_width(text: str, size: float, weight: Weight = "regular") -> float:
    """Return the width of a line of text in pixels, for a font of `size` pixels."""
    widths = _WIDTHS[weight]
    return sum([widths.get(character, OTHER) for character in text]) * size / 1000


def fitted(text: str, room: float, size: float, weight: Weight = "regular") -> str:
    """`text`, or as much of its ends as fits into `room` pixels."""
    if text_width(text, size, weight) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(_cut(text, middle), size, weight) <= room:
            low = middle
        else:
            high = middle - 1
    return _cut(text, low)


def _cut(text: str, count: int) -> str:
    tail = count // 3
    return f"{text[: count - tail]}…{text[len(text) - tail :]}"


def wrapped(text: str, room: float, size: float, separator: str = " · ") -> list[str]:
    """`text` in lines that fit into `room` pixels, broken at separators; longer words are cut."""
    lines: list[str] = []
    line = ""
    for word in text.split(separator):
        longer = f"{line}{separator}{word}" if line else word
        if line and text_width(longer, size) > room:
            lines.append(line)
            line = word
        else:
            line = longer
    return [fitted(line, room, size) for line in [*lines, line]]

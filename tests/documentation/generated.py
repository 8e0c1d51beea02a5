"""The generated tables, and their places in the documentation."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
NOTE = "generated: NNEFKIT_WRITE_TABLES=1 pytest tests/documentation"


class Table(NamedTuple):
    """A table that is generated."""

    file: str
    """Path of the Markdown file that contains it, relative to the repository."""
    make: Callable[[], str]
    """Returns its Markdown."""


TABLES: dict[str, Table] = {}


def table(name: str, file: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Register the function that makes the table `name` of a file."""

    def register(make: Callable[[], str]) -> Callable[[], str]:
        if name in TABLES:
            raise ValueError(f"there are two tables '{name}'")
        TABLES[name] = Table(file, make)
        return make

    return register


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown; vertical bars in cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def committed(name: str) -> str:
    """Return the table in its file.

    Raises:
        LookupError: The file has no place for it.
    """
    return _place(name).group("table")


def write(name: str) -> None:
    """Write the table into its file, and leave the rest unchanged."""
    place = _place(name)
    file = ROOT / TABLES[name].file
    text = place.string
    begin = f"<!-- begin {name} ({NOTE}) -->\n"
    new = f"{begin}{TABLES[name].make()}\n<!-- end {name} -->"
    file.write_text(text[: place.start()] + new + text[place.end() :], encoding="utf-8")


def places(text: str) -> list[str]:
    """Return the names of the tables that a file has a place for."""
    return re.findall(r"<!-- begin (\w+)", text)


def _place(name: str) -> re.Match[str]:
    file = ROOT / TABLES[name].file
    found = re.search(
        rf"<!-- begin {name}\b[^>]*-->\n(?P<table>.*?)\n?<!-- end {name} -->",
        file.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    if found is None:
        raise LookupError(f"{file} lacks '<!-- begin {name} -->' and '<!-- end {name} -->'")
    return found

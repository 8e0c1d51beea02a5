"""Diagnostics that repeat one problem, shown once with their number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from nnefkit.display.protocols import DiagnosticLike
from nnefkit.display.visible_text import visible

FEW = 5
"""Up to this number, diagnostics of one kind are shown one by one."""
_PLACES = 6
"""Maximum number of lines or names that are listed."""
_LONGEST_NAME = 40
_LOOKED_AT = 500
"""Number of characters of a message that tell its kind."""
# What differs between repetitions: names in quotes, shapes in brackets, numbers.
_VARYING = re.compile(r"'[^']*'|\[[\d, ]*\]|\d[\d.,]*")

Reported = TypeVar("Reported", bound=DiagnosticLike)


class Repetition(NamedTuple, Generic[Reported]):
    """A diagnostic, and the others that differ from it only in names, numbers and place."""

    first: Reported
    others: Sequence[Reported] = ()

    @property
    def note(self) -> str:
        """How many more there are, and where; empty if there are none."""
        if not self.others:
            return ""
        places = _places(self.first, self.others)
        return f"and {len(self.others):,} more like this{f': {places}' if places else ''}"


def repetitions(diagnostics: Iterable[Reported]) -> list[Repetition[Reported]]:
    """Group diagnostics by their kind, in the order in which the kinds first occur.

    Kinds with few members are not grouped: each member is a group of one, at its own place.
    """
    every = list(diagnostics)
    kinds: dict[tuple[str, ...], list[Reported]] = {}
    for diagnostic in every:
        kinds.setdefault(_kind(diagnostic), []).append(diagnostic)
    groups = []
    for diagnostic in every:
        kind = _kind(diagnostic)
        members = kinds[kind]
        if 0 < len(members) <= FEW:
            groups.append(Repetition(diagnostic))
        elif members:
            groups.append(Repetition(members[0], members[1:]))
            kinds[kind] = []
    return groups


def _kind(diagnostic: DiagnosticLike) -> tuple[str, ...]:
    message, hint = diagnostic.message[:_LOOKED_AT], diagnostic.hint[:_LOOKED_AT]
    shape = _VARYING.sub("?", message), _VARYING.sub("?", hint)
    return diagnostic.severity, diagnostic.code, diagnostic.section, *shape


def _places(first: DiagnosticLike, others: Sequence[DiagnosticLike]) -> str:
    lines = dict.fromkeys(d.line for d in others if d.line is not None)
    if lines:
        noun = "line" if len(lines) == 1 else "lines"
        return f"{noun} {_listed([f'{line:,}' for line in lines])}"
    names = dict.fromkeys(name for d in others if (name := _name(first, d)))
    return _listed([*names])


def _name(first: DiagnosticLike, other: DiagnosticLike) -> str:
    """Return the first name in a message that the message of `first` does not have, or its file."""
    known = set(_VARYING.findall(first.message[:_LOOKED_AT]))
    for name in _VARYING.findall(other.message[:_LOOKED_AT]):
        if name not in known and name.startswith("'"):
            return visible(name, _LONGEST_NAME)
    return visible(other.file, _LONGEST_NAME) if other.file != first.file else ""


def _listed(words: Sequence[str]) -> str:
    if len(words) <= _PLACES:
        return ", ".join(words)
    return f"{', '.join(words[: _PLACES - 1])}, … {words[-1]}"

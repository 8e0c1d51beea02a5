"""Diagnostics, and the family of errors that nnefkit raises.

Everything that goes wrong with a document, a file or a run is told as one or more `Diagnostic`s,
and raised, where it must be raised, as an `NnefError` that carries them.
"""

from __future__ import annotations

import difflib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Literal, NamedTuple

from nnefkit.display.diagnostic_text import diagnostic_text

Severity = Literal["error", "warning", "note"]

NO_EMPTY_TENSORS = "NNEF has no empty tensors: all extents are positive (4.1.1)."
"""The hint of every error about an empty tensor."""


class Span(NamedTuple):
    """A stretch of a source text: offsets of its first and one past its last character."""

    start: int
    end: int


@dataclass(frozen=True)
class Source:
    """A text with a name, which finds the line and the column of an offset.

    `name` is what messages call it: a path, or ``"graph.nnef"`` for a text without one.
    """

    text: str = field(repr=False)
    name: str = "graph.nnef"

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        find = self.text.find
        position = find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = find("\n", position + 1)
        return starts

    @property
    def line_count(self) -> int:
        """Number of lines, a last one without a line end included."""
        return len(self._line_starts)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column (both from 1) of the character at `offset`."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), without its line end."""
        start = self._line_starts[number - 1]
        end = self._line_starts[number] if number < self.line_count else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def diagnostic(
        self,
        code: str,
        message: str,
        span: Span | None,
        *,
        severity: Severity = "error",
        hint: str = "",
        section: str = "",
    ) -> Diagnostic:
        """A `Diagnostic` that points into this text, its excerpt filled in."""
        if span is None:
            return Diagnostic(code, message, severity, self.name, hint=hint, section=section)
        line, column = self.position(span.start)
        return Diagnostic(
            code, message, severity, self.name, line, column, span, hint, section, self.line(line)
        )


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong, deprecated or worth knowing, with its place and its remedy."""

    code: str
    """A stable name of the kind of problem, such as ``"unknown-argument"``."""
    message: str
    """What is the matter, in one sentence without an end point."""
    severity: Severity = "error"
    file: str = ""
    """The file or the name of the text that it is about; may be empty."""
    line: int | None = None
    column: int | None = None
    span: Span | None = None
    hint: str = ""
    """What would mend it, one or more sentences; may be empty."""
    section: str = ""
    """The section of the NNEF 1.0.5 specification that decides it, such as ``"3.3.2"``."""
    excerpt: str = field(default="", repr=False)
    """The line of the source that `line` names."""

    def __str__(self) -> str:
        return diagnostic_text(self)

    @property
    def documentation(self) -> str:
        """The page about the code, relative to the root of the documentation."""
        return f"reference/diagnostics/{self.code}"

    def within(self, file: str) -> Diagnostic:
        """The same, said of `file`."""
        return replace(self, file=file)


class NnefError(Exception):
    """Base of all errors that nnefkit raises; `diagnostics` says what, where and what to do."""

    code = "error"

    def __init__(
        self,
        problem: str | Diagnostic | Iterable[Diagnostic],
        *,
        hint: str = "",
        file: str = "",
        section: str = "",
    ) -> None:
        if isinstance(problem, str):
            problem = Diagnostic(self.code, problem, "error", file, hint=hint, section=section)
        if isinstance(problem, Diagnostic):
            problem = (problem,)
        self.diagnostics: tuple[Diagnostic, ...] = tuple(problem)
        super().__init__("\n\n".join(map(str, self.diagnostics)))

    def __str__(self) -> str:
        # KeyError, a base of some of the family, would show its argument quoted.
        return str(self.args[0])

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.diagnostics,)


class DocumentError(NnefError):
    """The text of a graph or of a quantization file is not valid (chapters 3, 4, 5.3)."""

    code = "invalid-document"


class StorageError(NnefError):
    """A tensor file, a folder or an archive cannot be read or written (chapter 5)."""

    code = "storage"


class ArgumentError(NnefError):
    """An operation's arguments break its rules (chapter 4): all the problems of one operation.

    Raised by the rules of `nnefkit.operations`, which know no source text: each diagnostic's
    `code` is the kind of problem and `arguments` (one for each diagnostic) names the formal
    parameter to point at, or ``""`` for the operation as a whole.
    """

    code = "invalid-argument"

    def __init__(
        self,
        problem: str | Diagnostic | Iterable[Diagnostic],
        *,
        argument: str = "",
        arguments: Sequence[str] | None = None,
        hint: str = "",
        file: str = "",
        section: str = "",
    ) -> None:
        super().__init__(problem, hint=hint, file=file, section=section)
        self.arguments: tuple[str, ...] = (
            tuple(arguments) if arguments is not None else (argument,) * len(self.diagnostics)
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _argument_error, (self.diagnostics, self.arguments)


def _argument_error(diagnostics: Sequence[Diagnostic], arguments: Sequence[str]) -> ArgumentError:
    return ArgumentError(diagnostics, arguments=arguments)


class InputError(NnefError, ValueError):
    """What was fed to a graph does not fit it: a name, a shape or a dtype."""

    code = "wrong-input"


class UnknownNameError(NnefError, KeyError):
    """A tensor, operation, engine or option of that name does not exist."""

    code = "unknown-name"


class ExecutionError(NnefError, RuntimeError):
    """A graph cannot be run, or failed while it ran."""

    code = "execution"


class FrozenError(NnefError, TypeError):
    """Somebody tried to change a value that does not change (a graph, an operation)."""

    code = "frozen"


class MissingPackageError(NnefError, ImportError):
    """An optional package is not installed; the hint is the line that installs it."""

    code = "missing-package"


_CANDIDATES = 10_000
"""How many names are looked through for the nearest: 0.1 s at most."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """``"Did you mean 'relu'?"`` for the nearest of the `known` names, or an empty string."""
    candidates = list(dict.fromkeys(islice(known, _CANDIDATES)))
    lowered = {candidate.lower(): candidate for candidate in reversed(candidates)}
    near = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.6)
    return f"Did you mean '{lowered[near[0]]}'?" if near else ""

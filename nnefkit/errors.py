"""Diagnostics, and the exceptions that carry them.

A `Diagnostic` describes one problem of a document, a file or a run. An exception, always a subclass
of `NnefError`, carries every diagnostic that was found, not only the first one.
"""

from __future__ import annotations

import difflib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, metadata
from itertools import islice
from typing import Any, Literal, NamedTuple

from nnefkit.display.diagnostic_text import diagnostic_text, message_of
from nnefkit.display.error_in_ipython import shown_in_ipython
from nnefkit.display.text import brief_repr

Severity = Literal["error", "warning", "note"]

MAX_LISTED: Mapping[Severity, int] = {"error": 1000, "warning": 200, "note": 200}
"""Beyond these numbers, the problems of a text are counted, but not listed."""

NO_EMPTY_TENSORS = "NNEF has no empty tensors: all extents are positive (4.1.1)."
"""Hint of every error about an empty tensor."""


class Span(NamedTuple):
    """Range of characters in a source text: the offset of the first, and one past the last."""

    start: int
    end: int


@dataclass(frozen=True)
class Source:
    r"""The text of a document, with the lines and columns of its characters.

    Attributes:
        text: The whole text.
        name: The name shown in messages: a path, or ``"graph.nnef"`` for a text without one.

    Example:
        >>> from nnefkit.errors import Source
        >>> Source("version 1.0;\ngraph g").position(13)
        (2, 1)
    """

    text: str = field(repr=False)
    name: str = "graph.nnef"
    _last_line: tuple[int, str] = field(default=(0, ""), init=False, repr=False, compare=False)

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
        """The number of lines, including a last line without a line break."""
        return len(self._line_starts)

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and the column, both counted from 1, of the character at `offset`."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return the text of line `number`, counted from 1, without its line break."""
        # The diagnostics of one long line share its text.
        if self._last_line[0] != number:
            object.__setattr__(self, "_last_line", (number, self._line(number)))
        return self._last_line[1]

    def _line(self, number: int) -> str:
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
        """Return a `Diagnostic` at a position in this text, with the line as its excerpt."""
        if span is None:
            return Diagnostic(code, message, severity, self.name, hint=hint, section=section)
        line, column = self.position(span.start)
        return Diagnostic(
            code, message, severity, self.name, line, column, span, hint, section, self.line(line)
        )


@cache
def _documentation_site() -> str:
    """Return the URL of the documentation with a trailing slash; empty if unknown."""
    try:
        urls = metadata("nnefkit").get_all("Project-URL") or []
    except PackageNotFoundError:  # a checkout that is not installed
        return ""
    named = dict(url.split(", ", 1) for url in urls)
    site = named.get("Documentation", "")
    return f"{site.rstrip('/')}/" if site else ""


@dataclass(frozen=True, repr=False)
class Diagnostic:
    """A problem in a document, a file or a call: its location, and a hint on how to fix it.

    Attributes:
        code: Stable identifier of the kind of problem, such as ``"unknown-argument"``.
        message: The problem, in one sentence without a final period.
        severity: ``"error"``, ``"warning"`` or ``"note"``.
        file: The file or the name of the text; may be empty.
        line: The line in it, from 1, if known.
        column: The column in it, from 1, if known.
        span: The characters in the text, if known.
        hint: How to fix it, one or more sentences; may be empty.
        section: The section of NNEF 1.0.5 that decides it, such as ``"3.3.2"``; may be empty.
        excerpt: The text of the line.

    Example:
        >>> report = nk.validate("version 1.0; graph g(x) -> (x) { x = external(shape = [0]); }")
        >>> diagnostic = report.errors[0]
        >>> diagnostic.code, diagnostic.line, diagnostic.section
        ('invalid-argument', 1, '4.1.1')
    """

    code: str
    message: str
    severity: Severity = "error"
    file: str = ""
    line: int | None = None
    column: int | None = None
    span: Span | None = None
    hint: str = ""
    section: str = ""
    excerpt: str = field(default="", repr=False)

    def __repr__(self) -> str:
        shown = {f.name: getattr(self, f.name) for f in fields(self) if f.repr}
        return f"Diagnostic({', '.join(f'{key}={brief_repr(shown[key])}' for key in shown)})"

    def __str__(self) -> str:
        return diagnostic_text(self)

    @property
    def documentation(self) -> str:
        """The page about the code: a URL, or a path relative to the root of the documentation.

        It is a URL if the metadata of the installed package names a documentation site.
        """
        return f"{_documentation_site()}reference/diagnostics/{self.code}.html"

    def within(self, file: str) -> Diagnostic:
        """Return a copy of the diagnostic that is about `file`."""
        return replace(self, file=file)


def unlisted_problems(count: int, file: str = "") -> Diagnostic:
    """Return the note that problems beyond `MAX_LISTED` are not listed."""
    message = f"{count} more problems are not listed"
    return Diagnostic("too-many-problems", message, "note", file)


class NnefError(Exception):
    """Base class of all errors that nnefkit raises.

    IPython and notebooks show its message alone; ``%tb Verbose`` shows the whole traceback of the
    last error, ``%xmode Verbose`` those of all that follow.

    Attributes:
        diagnostics: All problems that were found, each with its location and a hint.

    Example:
        >>> try:
        ...     nk.parse("version 1.0; graph g(x) -> (y) { x = external(shape = [1]); }")
        ... except nk.NnefError as error:
        ...     print(error.diagnostics[0].code)
        undefined-result
    """

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
        super().__init__(message_of(self.diagnostics))

    def __str__(self) -> str:
        # KeyError, a base class of some of these errors, would show its argument in quotes.
        return str(self.args[0])

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.diagnostics,)

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows: the message, or the traceback if its mode was changed."""
        return shown_in_ipython(self)


class DocumentError(NnefError):
    """An invalid graph or quantization file (chapters 3, 4 and 5.3).

    Example:
        >>> try:
        ...     nk.parse("version 1.0; graph g(x) -> (x) { x = external(shape = [2]) }")
        ... except nk.DocumentError as error:
        ...     print(error.diagnostics[0].message)
        expected ';' but found '}'
    """

    code = "invalid-document"


class StorageError(NnefError):
    """A tensor file, a folder or an archive that cannot be read or written (chapter 5).

    Example:
        >>> try:
        ...     nk.load("missing.nnef.tgz")
        ... except nk.StorageError as error:
        ...     print(error.diagnostics[0].file)
        missing.nnef.tgz
    """

    code = "storage"


class ArgumentError(NnefError):
    """Arguments that violate the rules of an operation; carries all violations (chapter 4).

    Attributes:
        arguments: The parameter that each diagnostic is about, ``""`` for the operation as a whole.
            Rules do not see the source text; the caller points at the argument by this name.

    Example:
        >>> from nnefkit.operations import SHAPE_RULES
        >>> try:
        ...     SHAPE_RULES["transpose"]((2, 3), axes=[0, 0])
        ... except nk.ArgumentError as error:
        ...     print(error.arguments)
        ('axes',)
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
    """An argument of a call that does not fit: its type, a name, a shape or a dtype.

    Example:
        >>> try:
        ...     nk.run("model.nnef", {})
        ... except nk.InputError as error:
        ...     print(error.diagnostics[0].hint)
        nnefkit.load(path) opens a model, nnefkit.parse(text) parses a string.
    """

    code = "wrong-input"


class UnknownNameError(NnefError, KeyError):
    """An unknown name of a tensor, operation, engine or option; the hint suggests a similar one.

    Example:
        >>> graph = nk.parse(
        ...     "version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = relu(x); }"
        ... )
        >>> try:
        ...     nk.run(graph, [1.0, 2.0], engine="nunpy")
        ... except nk.UnknownNameError as error:
        ...     print(error.diagnostics[0].hint)
        Did you mean 'numpy'?
    """

    code = "unknown-name"


class ExecutionError(NnefError, RuntimeError):
    """A graph that cannot be run, or whose run failed.

    Attributes:
        trace: The tensors until the failure, if it was a traced run, else None. A trace that is
            spilled to files is discarded.

    Example:
        >>> text = (
        ...     "version 1.0; graph g(x) -> (y) { x = external(shape = [1]);"
        ...     " w = variable(shape = [1], label = 'w'); y = add(x, w); }"
        ... )
        >>> try:
        ...     nk.run(nk.parse(text), [1.0])
        ... except nk.ExecutionError as error:
        ...     print(error.diagnostics[0].code)
        missing-values
    """

    code = "execution"
    trace: Any = None


class FrozenError(NnefError, TypeError):
    """An attempt to change an immutable value, such as a graph or an operation.

    Example:
        >>> graph = nk.parse(
        ...     "version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = relu(x); }"
        ... )
        >>> try:
        ...     graph.name = "other"
        ... except nk.FrozenError as error:
        ...     print(error.diagnostics[0].code)
        frozen
    """

    code = "frozen"


class MissingPackageError(NnefError, ImportError):
    """An optional package that is not installed; the hint has the command that installs it.

    Example:
        >>> error = nk.MissingPackageError(
        ...     "the package 'onnx' is not installed", hint='pip install "nnefkit[onnx]"'
        ... )
        >>> isinstance(error, ImportError), error.diagnostics[0].hint
        (True, 'pip install "nnefkit[onnx]"')
    """

    code = "missing-package"


_CANDIDATES = 10_000
"""Largest number of names that are searched for a similar one, to take at most 0.1 s."""


_LONGEST = 200
"""Names longer than this are not compared: the time grows with the square of their length."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return "Did you mean ...?" with the most similar `known` name, or an empty string.

    Example:
        >>> from nnefkit.errors import did_you_mean
        >>> did_you_mean("rellu", ["relu", "elu", "sigmoid"])
        "Did you mean 'relu'?"
    """
    if len(str(name)) > _LONGEST:
        return ""
    candidates = [
        each for each in dict.fromkeys(islice(known, _CANDIDATES)) if len(each) < _LONGEST
    ]
    lowered = {candidate.lower(): candidate for candidate in reversed(candidates)}
    near = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.6)
    return f"Did you mean '{lowered[near[0]]}'?" if near else ""

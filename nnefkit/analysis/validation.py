"""`validate`: all problems of a model, reported without raising."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nnefkit import io, language, storage
from nnefkit.analysis.metrics import non_finite
from nnefkit.arrays import check_mapped
from nnefkit.custom_operations import CustomOperations, declarations_in_effect, using
from nnefkit.display.cards.report import report_card
from nnefkit.display.diagnostic_text import MORE, explaining_command, repeated_text
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.display.numbers import plural
from nnefkit.display.repetition import repetitions
from nnefkit.display.visible_text import LONGEST, visible
from nnefkit.errors import Diagnostic, DocumentError, InputError, NnefError, Severity, Source
from nnefkit.graph import Graph
from nnefkit.graph.dialect import is_of_tract
from nnefkit.graph.not_finite import stands_for_its_value
from nnefkit.operations.repair import repaired
from nnefkit.operations.shape_inference import check_shapes, known_shapes
from nnefkit.operations.tract_differences import tract_differences

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class ValidationReport(Displayed):
    """All problems of a model, and the number of checks, as `nnefkit.validate` returns them.

    Example:
        >>> report = nk.validate("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [2]); y = rellu(x); }")
        >>> report.ok, report.errors[0].code, report.errors[0].hint
        (False, 'unknown-operation', "Did you mean 'relu'?")
    """

    name: str
    """The path, or the name of the text."""
    diagnostics: tuple[Diagnostic, ...] = field(repr=False)
    """All diagnostics in the order of the text, those about other files last."""
    graph: Graph | None = field(default=None, repr=False)
    """The graph as far as it could be read, with all known shapes; None if it could not."""
    source: Source | None = field(default=None, repr=False)
    """The text that was validated; None if there was none."""

    @property
    def ok(self) -> bool:
        """Whether there is no error (there may be warnings)."""
        return not self.errors

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that make the model invalid."""
        return self._of("error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The diagnostics about things that are valid, but deprecated or suspicious."""
        return self._of("warning")

    @property
    def notes(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that only inform."""
        return self._of("note")

    def _of(self, severity: Severity) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.diagnostics if d.severity == severity)

    def raise_for_errors(self) -> None:
        """Raise the errors, if there are any; for scripts and tests.

        Raises:
            DocumentError: With all the errors.
        """
        if self.errors:
            raise DocumentError(self.errors)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each diagnostic."""
        import pandas as pd

        columns = ["severity", "code", "file", "line", "column", "message", "hint", "section"]
        records = [[getattr(d, column) for column in columns] for d in self.diagnostics]
        frame = pd.DataFrame(records, columns=columns)
        return frame.astype({"line": "Int64", "column": "Int64"})

    def __str__(self) -> str:
        more = [MORE + explaining_command(self.diagnostics)] if self.diagnostics else []
        texts = map(repeated_text, repetitions(self.diagnostics))
        return "\n\n".join([*texts, *more, self._verdict])

    @property
    def _verdict(self) -> str:
        """The last line of the report: valid or not, and the numbers of problems and checks."""
        counts = [plural(len(self.errors), "error"), plural(len(self.warnings), "warning")]
        if self.notes:
            counts.append(plural(len(self.notes), "note"))
        checked = ""
        if self.graph is not None:
            operations = plural(len(self.graph.computations), "operation")
            checked = f"; checked {operations}, {plural(len(self.graph.variables), 'variable')}"
        verdict = "valid" if self.ok else "not valid"
        name = visible(self.name, LONGEST)
        return f"{name}: {verdict}: {', '.join(counts)}{checked}"

    def _card(self, *, brief: bool) -> Card:
        from nnefkit.diagnostic_codes import DIAGNOSTIC_CODES

        return report_card(self, DIAGNOSTIC_CODES, brief=brief)


def validate(
    source: str | os.PathLike[str] | Graph,
    *,
    strict: bool = True,
    custom_operations: CustomOperations | None = None,
) -> ValidationReport:
    """Check a model: its text, types, arguments, shapes, files, and the values of its weights.

    The report contains every problem, including a missing file or a file that is not a model.

    Args:
        source: The path of a model (a folder, a ``graph.nnef``, an archive), the text of a graph,
            or a `Graph`. A string is a text if it has a line end, ``{`` or ``;`` in it, or is
            blank, and no file of that name exists; else it is a path.
        strict: Whether unknown operations, and what else `nnefkit.parse` lists, are errors;
            otherwise they are accepted with a warning.
        custom_operations: Custom operations in addition to those of `nnefkit.register_operation`.

    Raises:
        InputError: `source` is of another type.

    Example:
        >>> nk.validate("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [2]); y = relu(x); }").ok
        True
    """
    with using(custom_operations):
        if isinstance(source, Graph):
            return _validate_graph(source, strict)
        if isinstance(source, str) and _is_text(source):
            return _validate_text(source, strict)
        if isinstance(source, (str, os.PathLike)):
            return _validate_path(source, strict)
    raise InputError(
        f"a {type(source).__name__} cannot be validated",
        hint="Pass a path, the text of a graph, or a Graph.",
    )


def _is_text(source: str) -> bool:
    if not source.strip():
        return True
    if not any(mark in source for mark in "\n\r{;"):
        return False
    try:
        return not os.path.exists(source)  # noqa: PTH110 - the string may be a whole text, not a path
    except (OSError, ValueError):
        return True


def _validate_text(text: str, strict: bool) -> ValidationReport:
    source = Source(text, "graph.nnef")
    graph, diagnostics = _check(source, None, strict)
    return ValidationReport(source.name, _in_order(diagnostics, source.name), graph, source)


def _validate_path(path: str | os.PathLike[str], strict: bool) -> ValidationReport:
    name = os.fspath(path)
    try:
        graph, diagnostics = io.read(path, strict=strict)
    except NnefError as error:
        graph, diagnostics = None, list(error.diagnostics)
    read = graph.source if graph is not None else _text_at(path)
    diagnostics += _weights(graph)
    main = "" if read is None else read.name
    return ValidationReport(str(name), _in_order(diagnostics, main), graph, read)


def _text_at(path: str | os.PathLike[str]) -> Source | None:
    """Return the text of a model whose graph cannot be read."""
    try:
        with storage.open_model(path) as files:
            return Source(files.text, files.text_name)
    except NnefError:
        return None


def _validate_graph(graph: Graph, strict: bool) -> ValidationReport:
    """Print a graph and parse it again: it has to obey the same rules as a text.

    Where the text that it was parsed from still describes the graph, the report is about that text.
    """
    if problems := language.inexpressible(graph):
        return ValidationReport(f"graph '{graph.name}'", tuple(problems), graph)
    printed = str(graph)
    quantization = language.print_quantization(graph) or None
    if graph.source is not None:
        name = graph.source.name
        read, diagnostics = _check(graph.source, quantization, strict)
        if read is not None and str(read) == printed:
            diagnostics += _weights(graph)
            return ValidationReport(name, _in_order(diagnostics, name), graph, graph.source)
    name = f"graph '{graph.name}'"
    source = Source(printed, name)
    read, diagnostics = _check(source, quantization, strict)
    if read is not None:
        # Diagnostics of the values then point into the same text.
        read = replace(read, tensors=graph.tensors)
    return ValidationReport(name, _in_order([*diagnostics, *_weights(read)], name), graph, source)


def _check(
    source: Source, quantization: str | None, strict: bool
) -> tuple[Graph | None, list[Diagnostic]]:
    graph, diagnostics = language.parse(
        source.text,
        name=source.name,
        quantization=quantization,
        strict=strict,
        infer=known_shapes,
        customs=declarations_in_effect(),
    )
    if graph is None:
        return None, diagnostics
    repairs: list[Diagnostic] = []
    of_tract = is_of_tract(graph.extensions)
    if not strict or of_tract:
        graph, repairs = repaired(graph, language.locate)
    graph, more = check_shapes(graph, language.locate)
    if of_tract:
        more = [*more, *tract_differences(graph, language.locate)]
    return graph, [*diagnostics, *repairs, *more]


def _weights(graph: Graph | None) -> Iterator[Diagnostic]:
    """Warn about variables that hold NaN or infinite values."""
    if graph is None:
        return
    for variable in graph.variables:
        values = variable.data
        if values is None or values.dtype.kind != "f":
            continue
        check_mapped(values)
        if stands_for_its_value(variable):
            continue  # A mask is filled with it, say.
        nan, infinite = non_finite(values)
        if not nan and not infinite:
            continue
        counts = [f"{nan:,} NaN"] * bool(nan) + [f"{infinite:,} infinite"] * bool(infinite)
        source = graph.source or Source("", f"graph '{graph.name}'")
        yield source.diagnostic(
            "non-finite-data",
            f"variable '{variable.name}' has {' and '.join(counts)} among "
            f"{plural(values.size, 'value')}",
            graph.producers[variable.name].span if graph.source is not None else None,
            severity="warning",
            hint="Results that depend on them are probably not finite either.",
        )


def _in_order(diagnostics: Iterable[Diagnostic], main: str) -> tuple[Diagnostic, ...]:
    """Sort diagnostics: by place in the text `main`, then in other texts, then without a place."""
    unique = list(dict.fromkeys(diagnostics))
    placed = [d for d in unique if d.line is not None]
    placed.sort(key=lambda d: (d.file != main, d.file, d.line or 0, d.column or 0))
    return tuple(placed + [d for d in unique if d.line is None])

"""The attributes that displays read from the objects they show.

The classes of the model match these protocols by structure, so displays do not import them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from nnefkit.arrays import Array, Shape


class TensorLike(Protocol):
    """A tensor, with its values if they are known."""

    @property
    def name(self) -> str:
        """Its name in the graph."""

    @property
    def dtype(self) -> str:
        """The NNEF data-type: ``"scalar"``, ``"integer"``, ``"logical"`` or ``"string"``."""

    @property
    def shape(self) -> Shape | None:
        """Its extents, None if they are not known."""

    @property
    def data(self) -> Array | None:
        """The values, or None."""


class GraphTensorLike(TensorLike, Protocol):
    """A tensor of a graph."""

    @property
    def label(self) -> str | None:
        """The label of a variable."""

    @property
    def quantization(self) -> Mapping[str, Any] | None:
        """Its entry in ``graph.quant``."""


class OperationLike(Protocol):
    """An operation of a graph."""

    @property
    def name(self) -> str:
        """The operation, such as ``"conv"``."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        """By parameter, the name of a tensor, a literal, or a list of these."""

    @property
    def outputs(self) -> Mapping[str, Any]:
        """By result, the name of a tensor, or a list of names."""

    @property
    def attribs(self) -> Mapping[str, Any]:
        """Values by attribute."""

    @property
    def dtype(self) -> str | None:
        """The argument of a generic type."""

    @property
    def scope(self) -> tuple[str, ...]:
        """The fragment calls that contain it, outermost first."""

    @property
    def macs(self) -> int | None:
        """Number of multiply-accumulates of one run, None if shapes are missing."""

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the tensors that it reads."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the tensors that it computes."""


class TextLike(Protocol):
    """The text of a document."""

    @property
    def text(self) -> str:
        """The whole text."""

    @property
    def name(self) -> str:
        """Its file name in diagnostics."""


class GraphLike(Protocol):
    """A graph."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def version(self) -> str:
        """The version of NNEF."""

    @property
    def extensions(self) -> tuple[str, ...]:
        """The extensions that it enables, those of vendors with their arguments."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of its input tensors."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of its output tensors."""

    @property
    def operations(self) -> Sequence[OperationLike]:
        """All operations in a valid order."""

    @property
    def tensors(self) -> Mapping[str, GraphTensorLike]:
        """All tensors by name."""

    @property
    def variables(self) -> Sequence[GraphTensorLike]:
        """The results of its ``variable`` operations."""

    @property
    def provenance(self) -> Mapping[str, Any]:
        """The path of a loaded model, or records of a converter."""

    @property
    def source(self) -> TextLike | None:
        """The text that it was parsed from."""

    def line(self, operation: Any, /) -> int | None:
        """Return the line of one of its operations in that text."""


class SpanLike(Protocol):
    """A range of characters."""

    @property
    def start(self) -> int:
        """The position of the first one."""

    @property
    def end(self) -> int:
        """The position after the last one."""


class DiagnosticLike(Protocol):
    """One finding about a document."""

    @property
    def code(self) -> str:
        """Stable name of the kind of problem."""

    @property
    def message(self) -> str:
        """The problem in one sentence."""

    @property
    def severity(self) -> str:
        """``"error"``, ``"warning"`` or ``"note"``."""

    @property
    def file(self) -> str:
        """The document."""

    @property
    def line(self) -> int | None:
        """Counted from 1."""

    @property
    def column(self) -> int | None:
        """Counted from 1."""

    @property
    def span(self) -> SpanLike | None:
        """The characters that it refers to."""

    @property
    def hint(self) -> str:
        """How to fix it."""

    @property
    def section(self) -> str:
        """The section of the specification."""

    @property
    def excerpt(self) -> str:
        """The line of the document."""

    @property
    def documentation(self) -> str:
        """The page that explains the code."""


def marked_length(diagnostic: DiagnosticLike) -> int:
    """Return the number of characters that a diagnostic refers to."""
    span = diagnostic.span
    return 0 if span is None else span.end - span.start

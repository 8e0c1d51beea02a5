"""``load``, ``parse`` and ``save``: joins language, storage and the shapes of operations."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nnefkit import language, storage
from nnefkit.arguments import expected_names, expected_path, expected_string
from nnefkit.custom_operations import CustomOperations, declarations_in_effect, using
from nnefkit.errors import Diagnostic, DocumentError, NnefError, StorageError
from nnefkit.graph import FrozenDict, Graph, Operation, expected_graph
from nnefkit.operations import shape_inference

Path = str | os.PathLike[str]


def load(
    path: Path,
    *,
    strict: bool = True,
    expand: bool | Collection[str] = True,
    custom_operations: CustomOperations | None = None,
) -> Graph:
    """The graph of the model at `path`, with shapes and with the data of its variables.

    Data is mapped from its file, not read, until it is touched; data in compressed archives is
    unpacked into memory. Quantized items become the real numbers that they stand for.

    Args:
        path: a folder, a ``graph.nnef``, or an archive (tar, tar.gz, zip; told by its content).
        strict: whether unknown operations are errors; otherwise they stay as opaque operations.
        expand: as in `parse`.
        custom_operations: as in `parse`.

    Raises:
        InputError: `path` is no path.
        UnknownNameError: `expand` names what is no fragment of the document.
        DocumentError: the text is not valid; all the errors at once, those of the files too.
        StorageError: files are missing, damaged, or do not fit the graph; all of them at once.
    """
    with using(custom_operations):
        return _read(path, strict, _fragments(expand)).graph_or_raise()


def parse(
    text: str,
    quantization: str | None = None,
    *,
    strict: bool = True,
    expand: bool | Collection[str] = True,
    name: str = storage.GRAPH,
    custom_operations: CustomOperations | None = None,
) -> Graph:
    """The graph that a text describes, with shapes; its variables have no data.

    Args:
        text: the content of a ``graph.nnef``.
        quantization: the content of a ``graph.quant``.
        strict: whether unknown operations are errors; otherwise they stay as opaque operations.
        expand: whether the fragments that the text defines are expanded to standard operations, or
            the names of those that are. The others stay calls, their definitions in
            ``graph.declarations``; `lower` expands them later, and so does every run.
        name: what messages call the text.
        custom_operations: Custom operations beside those of `nnefkit.register_operation`.

    Raises:
        InputError: `text` is no text.
        UnknownNameError: `expand` names what is no fragment of the document.
        DocumentError: the text is not valid; all the errors at once.
    """
    if quantization is not None:
        expected_string(quantization, "quantization")
    reading = _Reading(name)
    with using(custom_operations):
        reading.take_text(
            expected_string(text, "text"),
            quantization,
            storage.QUANTIZATION,
            strict,
            _fragments(expand),
        )
        reading.infer_shapes()
    return reading.graph_or_raise()


def read(path: Path, *, strict: bool = True) -> tuple[Graph | None, list[Diagnostic]]:
    """What `load` reads, and all that is to be said about it; never an exception for a bad model.

    Returns:
        The graph as far as it could be made sense of, None if not at all, and the errors, warnings
        and notes in the order of the text, those about other files last.
    """
    reading = _read(path, strict, True)
    return reading.graph, reading.diagnostics


def infer_shapes(
    graph: Graph,
    /,
    *,
    custom_operations: CustomOperations | None = None,
    **input_shapes: Sequence[int],
) -> Graph:
    """A copy of `graph` with the shape of every tensor and the MACs of every operation.

    Fragments that were kept as calls have the shapes that their bodies give.

    Args:
        graph: as parsed, loaded or built.
        custom_operations: Custom operations beside those of `nnefkit.register_operation`.
        **input_shapes: other shapes for some of its inputs, by name.

    Returns:
        The graph. What follows from a custom operation without a shape rule stays None.

    Raises:
        DocumentError: with all that breaks the argument rules of chapter 4.
        UnknownNameError: there is no input of such a name.
        InputError: an input shape does not consist of positive integers.
    """
    graph = expected_graph(graph)
    if input_shapes:
        graph = graph.with_input_shapes(**input_shapes)
    with using(custom_operations):
        simpler = language.expand_calls(graph)
        inferred = shape_inference.infer_shapes(simpler)
    return inferred if simpler is graph else _with_shapes(graph, inferred)


def to_text(graph: Graph, *, shapes: bool = False, defaults: bool = True) -> str:
    """The NNEF text of the graph, as `str(graph)` gives it, with choices.

    Args:
        graph: the graph.
        shapes: whether each assignment is followed by a comment with the shapes of its results.
        defaults: whether arguments that equal their default values are written as well.
    """
    return language.print_graph(expected_graph(graph), shapes=shapes, defaults=defaults)


def save(graph: Graph, path: Path, *, shapes: bool = False, defaults: bool = True) -> None:
    """Writes the graph, its quantization and the data of its variables.

    The old model at `path` stays whole until the new one is complete, and is replaced at once.
    Files that a vendor put into the model that the graph was loaded from are written, too.

    Args:
        graph: the graph; all of its variables need data.
        path: an archive if it ends with ``.nnef.tgz``, ``.tgz``, ``.tar.gz``, ``.tar`` or ``.zip``,
            else a folder. In the folder of an existing model, files that do not belong to it stay.
        shapes: as in `to_text`.
        defaults: as in `to_text`.

    Raises:
        InputError: `graph` is no graph, or `path` no path.
        DocumentError: the graph holds what no text can say, such as an infinite attribute.
        StorageError: variables have no data, or data that cannot be stored; or `path` cannot be
            written.
    """
    graph = expected_graph(graph)
    target = expected_path(path)
    if unsaid := language.inexpressible(graph):
        raise DocumentError(unsaid)
    if target.name == storage.GRAPH:
        target = target.parent
    written = to_text(graph, shapes=shapes, defaults=defaults)
    files: dict[str, Any] = {storage.GRAPH: written.encode()}
    quantization = language.print_quantization(graph)
    if quantization:
        files[storage.QUANTIZATION] = quantization.encode()
    files |= storage.data_files(graph, str(target))
    extra = graph.provenance.get("files")
    if isinstance(extra, storage.ExtraFiles):
        taken = {name.lower() for name in files}
        files |= {n: content for n, content in extra.contents.items() if n.lower() not in taken}
    storage.write_model(target, files)


# -- reading -----------------------------------------------------------------------------------


@dataclass
class _Reading:
    """A graph in the making, and what was found on the way."""

    name: str = ""
    """What messages call the text of the graph."""
    graph: Graph | None = None
    of_text: list[Diagnostic] = field(default_factory=list)
    of_files: list[Diagnostic] = field(default_factory=list)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        everything = [*self.of_text, *self.of_files]
        placed = [d for d in everything if d.line is not None]
        # Line by line through the graph, then through the quantization file.
        placed.sort(key=lambda d: (d.file != self.name, d.line or 0, d.column or 0))
        return placed + [d for d in everything if d.line is None]

    def graph_or_raise(self) -> Graph:
        errors = [d for d in self.diagnostics if d.severity == "error"]
        if errors:
            text_is_wrong = any(d.severity == "error" for d in self.of_text)
            kind: type[NnefError] = DocumentError if text_is_wrong else StorageError
            raise kind(errors)
        if self.graph is None:
            raise DocumentError("the document describes no graph")
        return self.graph

    def take_text(
        self,
        text: str,
        quantization: str | None,
        quantization_name: str,
        strict: bool,
        expand: bool | Collection[str],
    ) -> None:
        self.graph, found = language.parse(
            text,
            self.name,
            quantization=quantization,
            quantization_name=quantization_name,
            strict=strict,
            expand=expand,
            infer=shape_inference.known_shapes,
            customs=declarations_in_effect(),
        )
        self.of_text += found

    def infer_shapes(self) -> None:
        if self.graph is None:
            return
        try:
            simpler = language.expand_calls(self.graph)
        except DocumentError as error:
            self.of_text += error.diagnostics
            return
        inferred, found = shape_inference.check_shapes(simpler, language.locate)
        self.of_text += found
        self.graph = inferred if simpler is self.graph else _with_shapes(self.graph, inferred)

    def take_files(self, files: storage.ModelFiles, strict: bool) -> None:
        if self.graph is not None:
            # A text with errors is read without its quantization.
            complete = not any(d.severity == "error" for d in self.of_text)
            self.graph, found = storage.attach_data(
                self.graph, files, strict=strict, complete=complete
            )
            self.of_files += found


def _fragments(expand: bool | Collection[str]) -> bool | Collection[str]:
    return expand if isinstance(expand, bool) else expected_names(expand, "expand")


def _with_shapes(graph: Graph, simpler: Graph) -> Graph:
    """`graph` with the shapes and MACs of the same graph in which fragments are expanded."""
    calls = {op.output_names[0] for op in graph.operations if op.output_names}
    macs: dict[str, int | None] = {}
    for op in simpler.operations:
        # A call is named after its first result in the scopes of what it consists of.
        owner = next((name for name in _owners(op) if name in calls), "")
        before = macs.get(owner, 0)
        macs[owner] = None if before is None or op.macs is None else before + op.macs
    operations = tuple(
        replace(op, macs=macs.get(op.output_names[0], 0)) if op.output_names else op
        for op in graph.operations
    )
    tensors = {
        name: replace(tensor, shape=simpler.tensors[name].shape)
        for name, tensor in graph.tensors.items()
    }
    return replace(graph, operations=operations, tensors=FrozenDict(tensors))


def _owners(op: Operation) -> list[str]:
    return [*(call.partition(":")[2] for call in op.scope), *op.output_names]


def _read(path: Path, strict: bool, expand: bool | Collection[str]) -> _Reading:
    reading = _Reading()
    try:
        with storage.open_model(path) as files:
            reading.name = files.text_name
            quantization = None
            try:
                quantization = files.quantization
            except StorageError as error:
                reading.of_files += error.diagnostics
            reading.take_text(files.text, quantization, files.quantization_name, strict, expand)
            reading.take_files(files, strict)
    except StorageError as error:
        reading.of_files += error.diagnostics
        return reading
    reading.infer_shapes()
    return reading

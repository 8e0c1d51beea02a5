"""``load``, ``parse`` and ``save``, which combine language, storage and shape inference."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic, sleep
from typing import Any

from nnefkit import language, storage
from nnefkit.arguments import expected_names, expected_path, expected_string
from nnefkit.custom_operations import CustomOperations, declarations_in_effect, using
from nnefkit.errors import Diagnostic, DocumentError, NnefError, StorageError
from nnefkit.graph import FrozenDict, Graph, expected_graph
from nnefkit.graph.call_macs import with_macs_of
from nnefkit.graph.dialect import is_of_tract
from nnefkit.graph.input_shapes import reshaped
from nnefkit.operations import shape_inference
from nnefkit.operations.repair import repaired
from nnefkit.operations.tract_differences import tract_differences

Path = str | os.PathLike[str]


def load(
    path: Path,
    *,
    strict: bool = True,
    expand: bool | Collection[str] = True,
    custom_operations: CustomOperations | None = None,
    copy: bool | None = None,
) -> Graph:
    """Load a model: its graph with all shapes and with the data of its variables.

    Data in a folder is mapped from its file and not read until it is used; data in archives is read
    into memory. Quantized elements are converted to the real numbers that they represent.

    The result is the model as it was at one moment: if another program saves it meanwhile, it is
    read again. A mapped file that is overwritten later is refused when its data is used.

    Args:
        path: A folder, a ``graph.nnef``, or an archive (tar, tar.gz or zip, recognized by its
            content).
        strict: Whether unknown operations are errors; otherwise they become opaque operations, and
            missing extensions, redefined compound operations, characters that labels cannot have,
            and biases of rank 1 are warnings.
        expand: As in `parse`.
        custom_operations: As in `parse`.
        copy: Whether to read all data into memory, where no other program can change it; False maps
            the data in uncompressed archives as well. By default folders are mapped.

    Returns:
        The graph. Each variable has its `data` as a read-only array of the shape of the variable;
        the dtype is that of the file.

    Raises:
        InputError: `path` is not a path.
        UnknownNameError: `expand` names something that is not a fragment of the document.
        DocumentError: The text is not valid (chapters 3 and 4); carries all errors, those of the
            files too.
        StorageError: Files are missing, damaged, or do not match the graph (chapter 5); carries all
            errors.

    Warns:
        UserWarning: Tensor files have the header of 132 bytes that the NNEF Tools wrote in 2018.

    Example:
        >>> import tempfile
        >>> graph = nk.parse("version 1.0; graph net( x ) -> ( y ) { x = external(shape = [1, 2]);"
        ...                  " w = variable(shape = [1, 2], label = 'w'); y = add(x, w); }")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     nk.save(graph.with_data({"w": np.ones((1, 2), np.float32)}), f"{folder}/model")
        ...     loaded = nk.load(f"{folder}/model")
        ...     print(loaded.tensors["w"].data)
        [[1. 1.]]
    """
    with using(custom_operations):
        reading = _read(path, strict, _expanded(expand), copy)
        graph = reading.graph_or_raise()
    storage.warn_of_long_headers(reading.of_files)
    return graph


def parse(
    text: str,
    quantization: str | None = None,
    *,
    strict: bool = True,
    expand: bool | Collection[str] = True,
    name: str = storage.GRAPH,
    custom_operations: CustomOperations | None = None,
) -> Graph:
    """Parse the text of a graph, and infer all shapes. Its variables have no data.

    Args:
        text: The content of a ``graph.nnef`` (chapter 3).
        quantization: The content of a ``graph.quant`` (section 5.3).
        strict: Whether unknown operations are errors; otherwise they become opaque operations, and
            missing extensions, redefined compound operations, characters that labels cannot have,
            and biases of rank 1 are warnings.
        expand: Whether to expand the fragments that the text defines to standard operations, or
            the names of the fragments to expand. The others remain calls, with their definitions in
            ``graph.declarations``; `nnefkit.lower` and every run expand them later.
        name: The name of the text in messages.
        custom_operations: Custom operations in addition to those of `nnefkit.register_operation`.

    Returns:
        The graph.

    Raises:
        InputError: `text` is not a string.
        UnknownNameError: `expand` names something that is not a fragment of the document.
        DocumentError: The text is not valid; carries all errors.

    Example:
        >>> graph = nk.parse("version 1.0; graph net( x ) -> ( y ) { x = external(shape = [1, 3]);"
        ...                  " y = softmax(x); }")
        >>> graph.tensors["y"].shape
        (1, 3)
    """
    if quantization is not None:
        expected_string(quantization, "quantization")
    reading = _ModelReading(name)
    with using(custom_operations):
        reading.read_text(
            expected_string(text, "text"),
            quantization,
            storage.QUANTIZATION,
            strict,
            _expanded(expand),
        )
        reading.repair(strict)
        reading.infer_shapes()
    return reading.graph_or_raise()


def read(path: Path, *, strict: bool = True) -> tuple[Graph | None, list[Diagnostic]]:
    """Read a model; errors in it are returned, not raised.

    Returns:
        The graph as far as it could be read, or None; and all errors, warnings and notes in
        the order of the text, those about other files last.
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
    """Return a copy of the graph with the shape of every tensor and the MACs of every operation.

    Calls of fragments that are not expanded have the shapes that their bodies compute.

    Args:
        graph: The graph.
        custom_operations: Custom operations in addition to those of `nnefkit.register_operation`.
        **input_shapes: New shapes for some of the inputs, by name, as sequences of positive ints.

    Returns:
        The graph. A shape stays None if it depends on a custom operation without a shape rule.

    Raises:
        DocumentError: Arguments break the rules of chapter 4; carries one diagnostic for each.
        UnknownNameError: The graph has no input of that name.
        InputError: An input shape does not consist of positive integers.

    Example:
        >>> graph = nk.parse("version 1.0; graph net( x ) -> ( y ) { x = external(shape = [1, 3]);"
        ...                  " y = transpose(x, axes = [1, 0]); }")
        >>> nk.infer_shapes(graph, x=[8, 3]).tensors["y"].shape
        (3, 8)
    """
    graph = expected_graph(graph)
    if input_shapes:
        graph = reshaped(graph, input_shapes)
    with using(custom_operations):
        simpler = language.expand_calls(graph)
        inferred = shape_inference.infer_shapes(simpler)
    return inferred if simpler is graph else _with_shapes(graph, inferred)


def to_text(graph: Graph, *, shapes: bool = False, defaults: bool = True) -> str:
    """Return the NNEF text of a graph; ``str(graph)`` is the same without options.

    Args:
        graph: The graph.
        shapes: Whether a comment after each assignment states the shapes of its results.
        defaults: Whether to write arguments that equal their default values.

    Raises:
        InputError: `graph` is not a graph.

    Example:
        >>> graph = nk.parse("version 1.0; graph net( x ) -> ( y ) { x = external(shape = [1, 3]);"
        ...                  " y = softmax(x); }")
        >>> print(nk.to_text(graph, shapes=True, defaults=False))
        version 1.0;
        <BLANKLINE>
        graph net( x ) -> ( y )
        {
            x = external<scalar>(shape = [1, 3]);  # [1, 3]
            y = softmax(x);  # [1, 3]
        }
        <BLANKLINE>
    """
    return language.print_graph(expected_graph(graph), shapes=shapes, defaults=defaults)


def save(
    graph: Graph,
    path: Path,
    *,
    shapes: bool = False,
    defaults: bool = True,
    quantized: bool | None = None,
) -> None:
    """Save a graph with its quantization and the data of its variables.

    An existing model at `path` remains complete until the new one is written, and is then replaced
    at once. Vendor files in the model that the graph was loaded from are saved as well.

    Args:
        graph: The graph; every variable needs data.
        path: An archive if it ends with ``.nnef.tgz``, ``.tgz``, ``.tar.gz``, ``.tar`` or ``.zip``,
            else a folder. Other files in an existing folder remain.
        shapes: As in `to_text`.
        defaults: As in `to_text`.
        quantized: True to store the variables that have quantization as its codes (section 5.2.1):
            of 8 bits they take a quarter of the space, and their values become those of the nearest
            codes. Algorithms that are not linear and more than 32 bits have no codes. False to
            store floats. By default codes are stored as codes: those of a model that was loaded,
            and of a quantized TFLite or ONNX model, as long as the values are exactly theirs.

    Raises:
        InputError: `graph` is not a graph, or `path` is not a path, or ends like a file of another
            framework.
        DocumentError: The graph contains something that NNEF text cannot express (section 3.1),
            such as an infinite attribute.
        StorageError: A variable has no data, or data that cannot be stored (section 5.2), or `path`
            cannot be written.

    Example:
        >>> import tempfile
        >>> graph = nk.parse("version 1.0; graph net( x ) -> ( y ) { x = external(shape = [1, 3]);"
        ...                  " y = relu(x); }")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     nk.save(graph, f"{folder}/model.nnef.tgz")
        ...     print(nk.load(f"{folder}/model.nnef.tgz").name)
        net
    """
    graph = expected_graph(graph, data=True)
    target = expected_path(path)
    storage.refuse_other_target(target)
    if inexpressible := language.inexpressible(graph):
        raise DocumentError(inexpressible)
    if target.name == storage.GRAPH:
        target = target.parent
    text = to_text(graph, shapes=shapes, defaults=defaults)
    files: dict[str, Any] = {storage.GRAPH: text.encode()}
    quantization = language.print_quantization(graph)
    if quantization:
        files[storage.QUANTIZATION] = quantization.encode()
    files |= storage.data_files(graph, str(target), quantized)
    extra = graph.provenance.get("files")
    if isinstance(extra, storage.ExtraFiles):
        taken = {name.lower() for name in files}
        files |= {n: content for n, content in extra.contents.items() if n.lower() not in taken}
    storage.write_model(target, files)


# -- reading -----------------------------------------------------------------------------------


@dataclass
class _ModelReading:
    """The state of reading a model: the graph so far, and the diagnostics."""

    name: str = ""
    """The name of the graph's text in messages."""
    graph: Graph | None = None
    of_text: list[Diagnostic] = field(default_factory=list)
    of_files: list[Diagnostic] = field(default_factory=list)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        everything = [*self.of_text, *self.of_files]
        placed = [d for d in everything if d.line is not None]
        # The text of the graph comes first, then the quantization file, each in its own order.
        placed.sort(key=lambda d: (d.file != self.name, d.line or 0, d.column or 0))
        return placed + [d for d in everything if d.line is None]

    def graph_or_raise(self) -> Graph:
        errors = [d for d in self.diagnostics if d.severity == "error"]
        if errors:
            text_is_wrong = any(d.severity == "error" for d in self.of_text)
            error_class: type[NnefError] = DocumentError if text_is_wrong else StorageError
            raise error_class(errors)
        if self.graph is None:
            raise DocumentError("the document has no graph")
        return self.graph

    def read_text(
        self,
        text: str,
        quantization: str | None,
        quantization_name: str,
        strict: bool,
        expand: bool | Collection[str],
    ) -> None:
        self.graph, diagnostics = language.parse(
            text,
            self.name,
            quantization=quantization,
            quantization_name=quantization_name,
            strict=strict,
            expand=expand,
            infer=shape_inference.known_shapes,
            customs=declarations_in_effect(),
        )
        self.of_text += diagnostics

    def infer_shapes(self) -> None:
        if self.graph is None:
            return
        try:
            simpler = language.expand_calls(self.graph)
        except DocumentError as error:
            self.of_text += error.diagnostics
            return
        inferred, diagnostics = shape_inference.check_shapes(simpler, language.locate)
        self.of_text += diagnostics
        if is_of_tract(inferred.extensions):
            self.of_text += tract_differences(inferred, language.locate)
        self.graph = inferred if simpler is self.graph else _with_shapes(self.graph, inferred)

    def repair(self, strict: bool) -> None:
        """Let labels and biases follow the rules where their meaning is certain."""
        if self.graph is not None and (not strict or is_of_tract(self.graph.extensions)):
            self.graph, diagnostics = repaired(self.graph, language.locate)
            self.of_text += diagnostics

    def attach_data(self, files: storage.ModelFiles, strict: bool) -> None:
        if self.graph is not None:
            # The quantization of a text with errors was not read.
            complete = not any(d.severity == "error" for d in self.of_text)
            self.graph, diagnostics = storage.attach_data(
                self.graph, files, strict=strict, complete=complete
            )
            self.of_files += diagnostics


def _expanded(expand: bool | Collection[str]) -> bool | Collection[str]:
    return expand if isinstance(expand, bool) else expected_names(expand, "expand")


def _with_shapes(graph: Graph, simpler: Graph) -> Graph:
    """Return `graph` with the shapes and MACs of `simpler`, in which fragments are expanded."""
    tensors = {
        name: replace(tensor, shape=simpler.tensors[name].shape)
        for name, tensor in graph.tensors.items()
    }
    return replace(with_macs_of(graph, simpler), tensors=FrozenDict(tensors))


PATIENCE = 10.0
"""Seconds after which a model that is changed all the time is given up."""
_PAUSE = 0.02
"""Seconds before a model that was changed is read again; twice as many each time, up to 0.25."""


def _read(
    path: Path, strict: bool, expand: bool | Collection[str], copy: bool | None = None
) -> _ModelReading:
    """Read a model, again if it was changed meanwhile."""
    end = monotonic() + PATIENCE
    pause = _PAUSE
    reading = _ModelReading()
    is_whole = _read_once(path, strict, expand, copy, reading)
    while not is_whole and monotonic() < end:
        sleep(pause)
        pause = min(2 * pause, 0.25)
        reading = _ModelReading()
        is_whole = _read_once(path, strict, expand, copy, reading, at_once=True)
    if not is_whole and reading.graph is not None:
        reading.of_files.append(
            Diagnostic(
                "storage",
                "the model is written to by another program again and again",
                file=str(path),
                hint="Wait until it is complete, and load it then.",
            )
        )
    reading.infer_shapes()
    return reading


def _read_once(
    path: Path,
    strict: bool,
    expand: bool | Collection[str],
    copy: bool | None,
    reading: _ModelReading,
    *,
    at_once: bool = False,
) -> bool:
    """Read a model, and return whether it stayed the same while it was read."""
    before = storage.identity(path)
    try:
        with storage.open_model(path, copy=copy, at_once=at_once) as files:
            reading.name = files.text_name
            quantization = None
            try:
                quantization = files.quantization
            except StorageError as error:
                reading.of_files += error.diagnostics
            reading.read_text(files.text, quantization, files.quantization_name, strict, expand)
            reading.attach_data(files, strict)
            reading.repair(strict)
            return not files.changed
    except StorageError as error:
        reading.of_files += error.diagnostics
        # Before and after, so that saves that end or begin in between are noticed.
        return (
            storage.identity(path) == before
            and not storage.is_being_saved(path)
            and storage.identity(path) == before
        )

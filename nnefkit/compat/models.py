"""Drafts in files: `load_graph` and `save_graph`."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from nnefkit import storage
from nnefkit.arguments import expected_path
from nnefkit.arrays import Array
from nnefkit.compat.drafts import Graph, document, quantization_text
from nnefkit.compat.errors import ExistingFolderError
from nnefkit.compat.parsing import parse_file, parsed
from nnefkit.errors import Diagnostic, DocumentError, StorageError, UnknownNameError


def load_graph(
    path: str | os.PathLike[str],
    stdlib: str | None = None,
    lowered: Collection[str] | None = None,
    load_variables: bool = True,
) -> Graph:
    """Load a model as a draft. Shapes are those of the variables; `infer_shapes` adds the others.

    Args:
        path: A folder, the text of a graph (whose variables are then not loaded), or an archive
            (tar, tar.gz or zip), which the Khronos package does not read.
        stdlib: As in `parse_string`.
        lowered: As in `parse_string`.
        load_variables: Whether to read the data of the variables into memory. Codes of a variable
            with a line in ``graph.quant`` are loaded as integers; those that a range in their own
            file defines, as real numbers.

    Returns:
        The draft.

    Raises:
        Error: The model is not valid, or files are missing or do not fit; carries all errors.

    Example:
        >>> import tempfile
        >>> draft = nk.compat.parse_string("version 1.0; graph net( x ) -> ( y ) {"
        ...     " x = external(shape = [1, 2]); w = variable(shape = [1, 2], label = 'w');"
        ...     " y = add(x, w); }")
        >>> draft.tensors["w"] = draft.tensors["w"]._replace(data=np.ones((1, 2), np.float32))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     nk.compat.save_graph(draft, f"{folder}/model")
        ...     nk.compat.load_graph(f"{folder}/model").tensors["w"].data
        array([[1., 1.]], dtype=float32)
    """
    path = expected_path(path)
    with storage.open_model(path) as files:
        if path.is_file() and files.text_name == str(path):
            return parse_file(path, stdlib=stdlib, lowered=lowered)
        graph = parsed(
            files.text,
            files.text_name,
            files.quantization,
            files.quantization_name,
            stdlib,
            lowered,
        )
        if load_variables:
            _load_variables(graph, files)
    return graph


def _load_variables(graph: Graph, files: storage.ModelFiles) -> None:
    """Add the data of all variables to a draft.

    Raises:
        StorageError: Files are missing, or do not fit; carries one diagnostic for each.
    """
    problems: list[Diagnostic] = []
    for name, label, shape in variables(graph):
        try:
            data = _data(files, label, graph.tensors[name].quantization)
            if [*data.shape] != shape:
                raise StorageError(
                    f"the data of '{label}' has shape {[*data.shape]}, "
                    f"but the variable '{name}' has shape {shape}",
                    file=files.name,
                    section="5.2",
                )
        except StorageError as error:
            problems += error.diagnostics
            continue
        graph.tensors[name] = graph.tensors[name]._replace(shape=[*data.shape], data=data)
    if problems:
        raise StorageError(problems)


def _data(files: storage.ModelFiles, label: str, quantization: Any) -> Array:
    stored = files.tensor(label)
    if stored is None:
        raise StorageError(
            f"there is no data file for the variable of label '{label}'",
            hint=f"It should be {storage.data_name(label)}; load_variables=False loads the graph "
            "without data.",
            file=files.name,
            section="5.1",
        )
    header = stored.header
    if header.item.quantized and not (quantization and header.range is None):
        return np.array(storage.dequantize(stored.data, header, quantization or None, stored.name))
    return np.array(stored.data)


def variables(draft: Any) -> Iterator[tuple[str, str, list[int]]]:
    """Return the name of the tensor, the label and the shape of each variable of a draft."""
    for operation in draft.operations:
        if operation.name == "variable":
            name = next(iter(operation.outputs.values()))
            if name not in draft.tensors:
                raise UnknownNameError(
                    f"the draft has no tensor '{name}'",
                    hint="Each result of an operation needs an entry in 'tensors'.",
                )
            missing = [key for key in ("label", "shape") if key not in operation.attribs]
            if missing:
                raise DocumentError(f"the variable '{name}' has no {missing[0]}", section="4.1.3")
            label = str(operation.attribs["label"]).removeprefix("/")
            yield name, label, [*operation.attribs["shape"]]


def save_graph(
    graph: Any,
    path: str | os.PathLike[str],
    annotate_shapes: bool = False,
) -> None:
    """Save a draft as a new folder.

    The definitions of custom operations and the quantization are saved, too, which the Khronos
    package leaves out. Variables without data have no file in the folder.

    Args:
        graph: The draft. Integers as the data of a variable with quantization are its codes.
        path: The folder, which must not exist.
        annotate_shapes: Whether a comment after each assignment states the shapes of its results.

    Raises:
        Error: `path` exists (also a `RuntimeError`) or cannot be written; or the draft has values
            that have no text, or data that cannot be stored.

    Example:
        >>> import tempfile
        >>> draft = nk.compat.parse_string("version 1.0; graph net( x ) -> ( y ) {"
        ...                                " x = external(shape = [1, 3]); y = relu(x); }")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     nk.compat.save_graph(draft, f"{folder}/model")
        ...     nk.load(f"{folder}/model").name
        'net'
    """
    path = expected_path(path)
    if os.path.lexists(path):
        raise ExistingFolderError(
            f"there is a file or folder already: {path}",
            hint="Remove it, or choose another path.",
            file=str(path),
        )
    files: dict[str, Any] = {
        storage.GRAPH: document(graph, annotate_shapes=annotate_shapes).encode()
    }
    if quantization := quantization_text(graph):
        files[storage.QUANTIZATION] = quantization.encode()
    problems: list[Diagnostic] = []
    for name, label, _ in variables(graph):
        tensor = graph.tensors[name]
        if tensor.data is None:
            continue
        try:
            data = np.asarray(tensor.data)
            is_coded = bool(tensor.quantization) and data.dtype.kind in "iu"
            content = storage.tensor_content(data, None, is_coded, file=label)
            files[storage.data_name(label)] = content
        except StorageError as error:
            problems += error.diagnostics
    if problems:
        raise StorageError(problems)
    storage.write_model(path, files)

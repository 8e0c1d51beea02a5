"""Data files of variables: assignment to variables, and checks of their headers (5.1, 5.2.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array, converted
from nnefkit.display.numbers import plural
from nnefkit.errors import Diagnostic, StorageError, did_you_mean
from nnefkit.graph import FrozenDict, Graph, Operation, Tensor
from nnefkit.storage.file_names import data_name
from nnefkit.storage.model_files import ModelFiles
from nnefkit.storage.quantized_codes import dequantize, encode, has_invalid_bits
from nnefkit.storage.tensor_file import StoredTensor, TensorContent, tensor_content
from nnefkit.storage.tensor_header import Header, ItemType

_ITEM_TYPES = {
    "scalar": (ItemType.FLOAT, ItemType.QUANTIZED_UNSIGNED, ItemType.QUANTIZED_SIGNED),
    "integer": (ItemType.UNSIGNED, ItemType.SIGNED),
    "logical": (ItemType.BOOL,),
}
_KINDS = {"scalar": "f", "integer": "iu", "logical": "b"}
_CONVERSIONS = {"scalar": "numpy.float32", "integer": "numpy.int64", "logical": "bool"}
_NAMED = 8
"""Maximum number of missing files that a message names."""


def attach_data(
    graph: Graph, files: ModelFiles, *, strict: bool = True, complete: bool = True
) -> tuple[Graph, list[Diagnostic]]:
    """Return the graph with the data of its variables, and the problems with their files.

    Its `provenance` has the ``path``, the ``files`` that belong to no variable, and the contents
    ``stored`` in items that cannot be reproduced from the values.

    Args:
        graph: The graph that `files` describe.
        files: The files of the model.
        strict: True if items of another type than the variable are errors instead of warnings.
        complete: True if the graph has all the quantization of its model.
    """
    attachment = _Attachment(graph, files, strict, complete)
    return attachment.run(), attachment.diagnostics


@dataclass(frozen=True, slots=True)
class _Original:
    """Stored items that cannot be reproduced from their decoded values, to be saved unchanged."""

    data: Array
    content: TensorContent = field(repr=False)


class _Attachment:
    """Attachment of the data in the files of a model to the variables of its graph."""

    def __init__(self, graph: Graph, files: ModelFiles, strict: bool, complete: bool) -> None:
        self.graph, self.files, self.strict, self.complete = graph, files, strict, complete
        self.diagnostics: list[Diagnostic] = []
        self.missing: list[str] = []
        self.originals: dict[str, _Original] = {}
        self.stored: dict[str, StoredTensor | None] = {}

    def run(self) -> Graph:
        tensors = dict(self.graph.tensors)
        for operation, tensor in _variables(self.graph):
            stored = self._stored(tensor)
            if stored is not None and self._fits(operation, tensor, stored):
                data = self._values(tensor, stored)
                if data is not None:
                    tensors[tensor.name] = replace(tensor, data=data)
        if self.missing:
            self.diagnostics.append(self._missing_files())
        return replace(
            self.graph, tensors=FrozenDict(tensors), provenance=FrozenDict(self._provenance())
        )

    def _provenance(self) -> dict[str, Any]:
        provenance: dict[str, Any] = {**self.graph.provenance, "path": str(self.files.path)}
        extra = self.files.extra_files(tensor.label or "" for _, tensor in _variables(self.graph))
        if extra:
            provenance["files"] = extra
        if self.originals:
            provenance["stored"] = self.originals
        return provenance

    def _stored(self, tensor: Tensor) -> StoredTensor | None:
        label = tensor.label or ""
        # Variables with the same label, whatever its case, share their data (4.1.3).
        key = label.lower()
        if key not in self.stored:
            stored = None
            try:
                stored = self.files.tensor(label)
                if stored is None:
                    self.missing.append(label)
                else:
                    self.diagnostics += stored.warnings
            except StorageError as error:
                self.diagnostics += error.diagnostics
            self.stored[key] = stored
        return self.stored[key]

    def _fits(self, operation: Operation, tensor: Tensor, stored: StoredTensor) -> bool:
        header = stored.header
        shape_fits = tensor.shape is None or header.describes(tensor.shape)
        if not shape_fits and tensor.shape is not None:
            self._report(
                operation,
                "wrong-data-shape",
                f"variable '{tensor.name}' has shape {list(tensor.shape)}, but its data in "
                f"{stored.name} has shape {list(header.shape)}",
                hint="Both have the same number of elements: is one of them reshaped?"
                if header.count == int(np.prod(tensor.shape, dtype=object))
                else "Is this the file of another variable, or of another version of the model?",
                section="5.2",
            )
        wanted = _ITEM_TYPES.get(tensor.dtype, ())
        # All tensors were scalar in the provisional specification, whatever their items.
        whole_numbers = header.provisional and tensor.dtype == "scalar"
        if header.item not in wanted and not whole_numbers:
            self._report(
                operation,
                "wrong-item-type",
                f"variable '{tensor.name}' is of type {tensor.dtype}, but its data in "
                f"{stored.name} has {header.item.words} items",
                hint=f"Items of type {' or '.join(i.words for i in wanted) or 'none'} can be its "
                "data.",
                section="5.2.1",
                # Items that other tools write without a type can still be read on request.
                severity="error" if self.strict else "warning",
            )
            return shape_fits and not self.strict
        return shape_fits

    def _values(self, tensor: Tensor, stored: StoredTensor) -> Array | None:
        header, data = stored.header, stored.data
        if header.item.quantized and tensor.dtype == "scalar":
            if not self.complete or has_invalid_bits(tensor.quantization):
                return None  # It is reported with the other rules of the quantization file.
            try:
                data = dequantize(data, header, tensor.quantization, stored.name)
            except StorageError as error:
                self.diagnostics += error.diagnostics
                return None
        if header.provisional:
            scalar = tensor.dtype == "scalar" and data.dtype.kind != "f"
            data = converted(data, np.float32) if scalar else data
            data = data.reshape(header.shape if tensor.shape is None else tensor.shape)
            data.flags.writeable = False
            # A file of version 1.0 cannot contain such items, but it can contain their values.
            return data
        plain_bits = 1 if header.item is ItemType.BOOL else data.dtype.itemsize * 8
        restorable = header.range is not None or tensor.quantization is not None
        if header.bits != plain_bits or (header.item.quantized and restorable):
            plain = Header(header.shape, header.item, header.bits, header.parameters)
            self.originals[tensor.name] = _Original(data, TensorContent(plain, stored.data))
        return data

    def _report(self, operation: Operation, code: str, message: str, **more: Any) -> None:
        source = self.graph.source
        if source is not None:
            self.diagnostics.append(source.diagnostic(code, message, operation.span, **more))
        else:
            self.diagnostics.append(Diagnostic(code, message, **more))

    def _missing_files(self) -> Diagnostic:
        listed = ", ".join(f"{label}.dat" for label in self.missing[:_NAMED])
        more = len(self.missing) - _NAMED
        present = set(self.files.labels)
        hint = did_you_mean(self.missing[0], present - set(self.stored))
        if not present:
            hint = "There are no .dat files next to the graph."
        return Diagnostic(
            "missing-data",
            f"the data of {plural(len(self.missing), 'variable')} is missing: {listed}"
            + (f" and {more} more" if more > 0 else ""),
            file=str(self.files.path),
            hint=hint,
            section="5.1",
        )


def _variables(graph: Graph) -> Iterator[tuple[Operation, Tensor]]:
    for operation in graph.operations:
        if operation.name == "variable":
            for name in operation.output_names:
                yield operation, graph.tensors[name]


def data_files(graph: Graph, path: str, quantized: bool | None = None) -> dict[str, TensorContent]:
    """Return the data files of the variables of a graph by name.

    Args:
        graph: The graph.
        path: The path to write them to, for messages.
        quantized: True to store variables as the codes of their quantization, False to store
            floats, None to store them as the source of the graph did.

    Raises:
        StorageError: Variables have no data, or data that cannot be stored; all are reported.
    """
    files: dict[str, TensorContent] = {}
    data_of: dict[str, Array] = {}
    problems: list[Diagnostic] = []
    missing = [tensor for _, tensor in _variables(graph) if tensor.data is None]
    if missing:
        problems.append(_without_data(missing, path))
    originals = {} if quantized is False else graph.provenance.get("stored", {})
    coded = quantized or (quantized is None and graph.provenance.get("weights") == "codes")
    for _, tensor in _variables(graph):
        if tensor.data is None:
            continue
        try:
            name = data_name(tensor.label or "")
            shared = data_of.get(name.lower())
            if shared is None:
                data_of[name.lower()] = tensor.data
                content = _as_codes(tensor, exactly=not quantized) if coded else None
                files[name] = content or _tensor_file(tensor, originals)
            elif shared is not tensor.data and not np.array_equal(
                shared, tensor.data, equal_nan=shared.dtype.kind == "f"
            ):
                raise StorageError(
                    f"variable '{tensor.name}' shares its label '{tensor.label}' with another one, "
                    "but not its data",
                    hint="graph.with_data(...) changes the data of both.",
                    section="4.1.3",
                )
        except StorageError as error:
            problems += (d if d.file else d.within(path) for d in error.diagnostics)
    if problems:
        raise StorageError(problems)
    return files


def _without_data(missing: list[Tensor], path: str) -> Diagnostic:
    listed = ", ".join(f"'{tensor.name}'" for tensor in missing[:_NAMED])
    more = len(missing) - _NAMED
    verb = "has" if len(missing) == 1 else "have"
    return Diagnostic(
        "missing-data",
        f"{plural(len(missing), 'variable')} of the graph {verb} no data: {listed}"
        + (f" and {more} more" if more > 0 else ""),
        file=path,
        hint="Set it: graph.with_data({name: array, ...}).",
        section="5.1",
    )


def _tensor_file(tensor: Tensor, originals: Mapping[str, _Original]) -> TensorContent:
    data = tensor.data
    assert data is not None  # noqa: S101 - for the type checker: callers have checked it
    original = originals.get(tensor.name)
    if original is not None and original.data is data:
        return original.content
    if tensor.dtype == "scalar" and data.dtype.kind in "iu":
        data = _as_floats(data)
    if data.dtype.kind not in _KINDS.get(tensor.dtype, ""):
        raise StorageError(
            f"variable '{tensor.name}' is of type {tensor.dtype}, and cannot be stored with values "
            f"of dtype {data.dtype}",
            hint=f"Convert them: graph.with_data({{'{tensor.name}': "
            f"array.astype({_CONVERSIONS[tensor.dtype]})}})."
            if tensor.dtype in _CONVERSIONS
            else "",
            section="5.2.1",
        )
    if tensor.shape is not None and data.shape != tensor.shape:
        raise StorageError(
            f"variable '{tensor.name}' has shape {list(tensor.shape)}, "
            f"but its data has shape {list(data.shape)}",
            section="5.2",
        )
    return tensor_content(data)


def _as_codes(tensor: Tensor, *, exactly: bool) -> TensorContent | None:
    """Return the content of a file of codes, or None if the variable has none.

    Args:
        tensor: The variable.
        exactly: True if variables have no codes whose values are not those of a code.
    """
    data = tensor.data
    if data is None or data.dtype.kind != "f" or data.shape != tensor.shape:
        return None
    encoded = encode(data, tensor.quantization)
    if encoded is None:
        return None
    codes, bits = encoded
    content = tensor_content(codes, bits, quantized=True)
    if exactly:
        decoded = dequantize(codes, content.header, tensor.quantization, tensor.name)
        if not np.array_equal(decoded, data):
            return None
    return content


def _as_floats(data: Array) -> Array:
    """Return integers as the narrowest floats, of 32 or 64 bits, that represent them exactly."""
    largest = max(abs(int(data.min())), abs(int(data.max())))
    for dtype in (np.float32, np.float64):
        if largest <= 2 ** (np.finfo(dtype).nmant + 1):
            return data.astype(dtype)
    return data

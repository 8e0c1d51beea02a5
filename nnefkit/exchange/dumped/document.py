"""The structure of a dumped graph: values, and the nodes that compute them, checked."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from nnefkit.errors import InputError, StorageError
from nnefkit.exchange.array_archive import ArrayArchive
from nnefkit.exchange.dumped.framework import Framework
from nnefkit.exchange.source_value import DTYPES, DType
from nnefkit.storage import check_readable, unreadable

File = str | os.PathLike[str] | bytes
_MAX_TEXT = 1 << 28
_MAX_RANK = 64
_MAX_EXTENT = 2**62
_MAX_DEPTH = 8


@dataclass(frozen=True, eq=False)
class DumpedValue:
    """A value of the graph."""

    id: str
    kind: str
    shape: tuple[int | None, ...] | None
    """Its extents; None for an unknown one, or for all of them."""
    dtype: DType | None
    """None for what is not an array of numbers."""
    name: str
    record: Mapping[str, Any] = field(repr=False)
    """All that the file has about it."""


@dataclass(frozen=True, eq=False)
class DumpedNode:
    """An operation of the framework."""

    number: int
    op: str
    """The name of its class."""
    params: Mapping[str, Any]
    inputs: tuple[str, ...]
    """The ids of its inputs."""
    outputs: tuple[str | None, ...]
    """The ids of its outputs; None for one that nothing reads."""
    inner: InnerGraph | None
    """The graph that it runs in a loop."""
    record: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, eq=False)
class InnerGraph:
    """A graph that an operation runs, on other values."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[DumpedNode, ...]


@dataclass(frozen=True, eq=False)
class Dump:
    """A dumped graph with its arrays."""

    path: str
    name: str
    version: str
    """That of the framework."""
    inputs: Mapping[str, str]
    """Name of an input -> id of its value."""
    outputs: Mapping[str, str]
    values: Mapping[str, DumpedValue]
    nodes: Sequence[DumpedNode]
    arrays: ArrayArchive = field(repr=False)
    record: Mapping[str, Any] = field(repr=False)
    """All that the file has."""
    size: int
    """The size of both files in bytes."""


def open_dump(framework: Framework, source: File, arrays: File | None = None) -> Dump:
    """Open a dumped graph.

    Args:
        framework: The framework that it is of.
        source: The path of the ``.json`` file, or its bytes.
        arrays: The path of the ``.npz`` file, or its bytes; by default the one of the same name.

    Raises:
        InputError: It is not such a graph.
        StorageError: A file cannot be read, or is damaged.
    """
    path, text = _content(source, framework)
    document = _decoded(text, path)
    _check_format(document, framework, path)
    if arrays is None:
        if not path:
            raise InputError(
                "the arrays of the graph are missing", hint="Pass them: arrays=..., the .npz file."
            )
        arrays = Path(path).with_suffix(".npz")
    archive = ArrayArchive(arrays)
    parsed = _DocumentParts(document, path, framework)
    values = parsed.values()
    return Dump(
        path,
        Path(path).name.split(".")[0] if path else "network",
        str(document.get(framework.key) or ""),
        parsed.names("inputs", values),
        parsed.names("outputs", values),
        values,
        parsed.nodes(values),
        archive,
        document,
        len(text) + archive.size,
    )


def _content(source: File, framework: Framework) -> tuple[str, bytes]:
    """Return the path and the bytes of the JSON file."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "", bytes(source)
    try:
        path = str(Path(os.fspath(source)))
    except TypeError:
        raise InputError(
            f"a {framework.what} must be a path or bytes, not {type(source).__name__}",
            hint=framework.hint,
        ) from None
    if "\0" in path:
        raise StorageError("there is no such file", file=path)
    check_readable(path)
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MAX_TEXT + 1)
    except OSError as error:
        raise unreadable(error, path) from error
    if len(text) > _MAX_TEXT:
        raise StorageError("the file is too large for a graph", hint=framework.hint, file=path)
    return path, text


def _decoded(text: bytes, path: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StorageError(
            f"the file is not JSON: {error}", hint="Copy it again, or write it again.", file=path
        ) from error
    if not isinstance(document, dict):
        raise InputError("the file has no graph", file=path)
    return document


def _check_format(document: Mapping[str, Any], framework: Framework, path: str) -> None:
    found = document.get("format")
    if found != framework.tag:
        raise InputError(
            f"the file is not a {framework.what}"
            + (f": its format is '{found}'" if isinstance(found, str) else ""),
            hint=framework.hint,
            file=path,
        )
    if document.get("version") != 1:
        raise InputError(
            f"the {framework.what} has the version {document.get('version')!r}, and 1 is read",
            hint="A newer nnefkit may read it.",
            file=path,
        )


class _DocumentParts:
    """Checks the parts of a document."""

    def __init__(self, document: Mapping[str, Any], path: str, framework: Framework) -> None:
        self._document = document
        self._path = path
        self._framework = framework

    def _refuse(self, reason: str) -> NoReturn:
        raise InputError(
            f"the {self._framework.what} is not valid: {reason}",
            hint=self._framework.hint,
            file=self._path,
        )

    def _part(self, name: str, kind: type) -> Any:
        part = self._document.get(name)
        if not isinstance(part, kind):
            self._refuse(f"it has no '{name}'")
        return part

    def values(self) -> dict[str, DumpedValue]:
        """Return all values by id."""
        return {id_: self._value(id_, record) for id_, record in self._part("values", dict).items()}

    def _value(self, id_: str, record: Any) -> DumpedValue:
        if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
            self._refuse(f"value '{id_}' has no kind")
        shape, dtype, name = record.get("shape"), record.get("dtype"), record.get("name")
        if shape is not None:
            if not isinstance(shape, list) or len(shape) > _MAX_RANK:
                self._refuse(f"the shape of value '{id_}' is {shape!r:.80}")
            if any(n is not None and not _is_extent(n) for n in shape):
                self._refuse(f"the shape of value '{id_}' is {shape!r:.80}")
            shape = tuple(shape)
        known = np.dtype(dtype) if isinstance(dtype, str) and dtype in DTYPES else None
        return DumpedValue(
            id_, record["kind"], shape, known, name if isinstance(name, str) else "", record
        )

    def names(self, part: str, values: Mapping[str, DumpedValue]) -> dict[str, str]:
        """Return the ids of inputs or outputs by name, in their order."""
        ids = self._part(part, dict)
        for name, id_ in ids.items():
            if not isinstance(id_, str) or id_ not in values:
                self._refuse(f"there is no value for '{name}' of its {part}")
        order = self._document.get(f"{part.removesuffix('s')}_order")
        if order is None:
            return dict(ids)
        if not isinstance(order, list) or not all(isinstance(name, str) for name in order):
            self._refuse(f"the order of its {part} is {order!r:.80}")
        if sorted(order) != sorted(ids):
            self._refuse(f"the order of its {part} has other names")
        return {name: ids[name] for name in order}

    def nodes(self, values: Mapping[str, DumpedValue]) -> list[DumpedNode]:
        """Return the nodes, each of which reads what earlier ones compute."""
        return self._nodes(self._part("nodes", list), values, 0)

    def _nodes(
        self, records: Sequence[Any], values: Mapping[str, DumpedValue], depth: int
    ) -> list[DumpedNode]:
        known = {id_ for id_, value in values.items() if value.kind != "computed"}
        nodes = []
        for number, record in enumerate(records):
            node = self._node(number, record, values, depth)
            if missing := [id_ for id_ in node.inputs if id_ not in known]:
                self._refuse(f"node {number} ('{node.op}') reads '{missing[0]}' before it is there")
            for id_ in filter(None, node.outputs):
                if id_ in known and values[id_].kind != "detached":
                    self._refuse(f"node {number} ('{node.op}') computes '{id_}' again")
                known.add(id_)
            nodes.append(node)
        return nodes

    def _node(
        self, number: int, record: Any, values: Mapping[str, DumpedValue], depth: int
    ) -> DumpedNode:
        if not isinstance(record, dict) or not isinstance(record.get("op"), str):
            self._refuse(f"node {number} has no class")
        params = record.get("params", {})
        if not isinstance(params, dict):
            self._refuse(f"the parameters of node {number} are not an object")
        inputs = self._ids(number, record.get("inputs"), values)
        outputs = self._ids(number, record.get("outputs"), values, may_be_none=True)
        inner = record.get("inner")
        return DumpedNode(
            number,
            record["op"],
            params,
            tuple(id_ or "" for id_ in inputs),
            tuple(outputs),
            None if inner is None else self._inner(number, inner, values, depth + 1),
            record,
        )

    def _inner(
        self, number: int, record: Any, values: Mapping[str, DumpedValue], depth: int
    ) -> InnerGraph:
        if not isinstance(record, dict) or not isinstance(record.get("nodes"), list):
            self._refuse(f"the inner graph of node {number} has no nodes")
        if depth > _MAX_DEPTH:
            self._refuse(f"its graphs are nested more than {_MAX_DEPTH} times")
        inputs = self._ids(number, record.get("inputs"), values)
        outputs = self._ids(number, record.get("outputs"), values)
        return InnerGraph(
            tuple(id_ or "" for id_ in inputs),
            tuple(id_ or "" for id_ in outputs),
            tuple(self._nodes(record["nodes"], values, depth)),
        )

    def _ids(
        self,
        number: int,
        listed: Any,
        values: Mapping[str, DumpedValue],
        *,
        may_be_none: bool = False,
    ) -> list[str | None]:
        """Return a list of ids."""
        if not isinstance(listed, list):
            self._refuse(f"node {number} has no inputs or outputs")
        for id_ in listed:
            if id_ is None and may_be_none:
                continue
            if not isinstance(id_, str) or id_ not in values:
                self._refuse(f"node {number} refers to a value {id_!r:.80}, which is missing")
        return listed


def _is_extent(extent: object) -> bool:
    is_integer = isinstance(extent, int) and not isinstance(extent, bool)
    return is_integer and 0 <= extent <= _MAX_EXTENT  # type: ignore[operator]

"""Weights of ONNX models outside of the message, so that memory holds them only once.

A protobuf message copies data whenever it is set or read. Large weights are therefore arrays
outside of the message, which refers to them by name. Those of a file are read from it directly,
whether they are in the model file itself or in separate files.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import StorageError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

Weights = dict[str, Array]
"""Name of an initializer -> its elements."""

_LARGE = 1 << 16
"""Minimum size in bytes of a weight that is detached."""
_LARGE_INTEGERS = 1 << 20
"""The same for integers, which may be shapes and indices that ONNX Runtime wants in the model."""
_DTYPES = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2"} | {
    11: "f8",
    12: "u4",
    13: "u8",
}
"""Element type in ONNX -> dtype in the file, for types that NumPy has."""

_HOST = "\0model"
"""The location of weights that are in the model file itself: no file has this name."""


# -- from a message --------------------------------------------------------------------------------


def detached(proto: ModelProto) -> tuple[ModelProto, Weights]:
    """Return a copy of a model without its large weights, and these weights."""
    import onnx

    weights: Weights = {}
    copy = onnx.ModelProto()
    for field, value in proto.ListFields():
        if field.name != "graph":
            _copy_field(copy, field.name, value)
    for field, value in proto.graph.ListFields():
        if field.name != "initializer":
            _copy_field(copy.graph, field.name, value)
    copy.graph.SetInParent()
    for tensor in proto.graph.initializer:
        if tensor.HasField("raw_data") and _is_large(tensor, len(tensor.raw_data)):
            weights[tensor.name] = _array(tensor, tensor.raw_data)
            copy.graph.initializer.append(reference(tensor.name, tensor.data_type, tensor.dims))
        else:
            copy.graph.initializer.add().CopyFrom(tensor)
    return copy, weights


def _copy_field(message: Any, name: str, value: Any) -> None:
    if hasattr(value, "MergeFrom"):
        getattr(message, name).MergeFrom(value)
    else:
        setattr(message, name, value)


def reference(name: str, data_type: int, shape: Any) -> TensorProto:
    """Return an initializer whose elements are in memory."""
    import onnx

    length = prod(shape) * np.dtype(_DTYPES[data_type]).itemsize
    entries = {"location": "memory", "offset": "0", "length": str(length)}
    return onnx.TensorProto(
        name=name,
        data_type=data_type,
        dims=shape,
        data_location=onnx.TensorProto.EXTERNAL,
        external_data=[
            onnx.StringStringEntryProto(key=key, value=text) for key, text in entries.items()
        ],
    )


def _is_large(tensor: TensorProto, size: int) -> bool:
    dtype = _DTYPES.get(tensor.data_type)
    if dtype is None or size < _LARGE or size != prod(tensor.dims) * np.dtype(dtype).itemsize:
        return False
    return size >= _LARGE_INTEGERS or dtype not in ("i4", "i8")


def _array(tensor: TensorProto, data: bytes) -> Array:
    return np.frombuffer(data, f"<{_DTYPES[tensor.data_type]}").reshape(tuple(tensor.dims))


# -- from a file -----------------------------------------------------------------------------------


def read_model(path: str) -> tuple[ModelProto, Weights]:
    """Read a model file, with weights that are in other files.

    Raises:
        google.protobuf.message.DecodeError: It is not a model.
        OSError: It cannot be read.
        StorageError: A file of weights is missing, too short, or outside of its folder.
    """
    with Path(path).open("rb") as file:
        return _read_model(file, path)


def read_bytes(data: bytes) -> tuple[ModelProto, Weights]:
    """Read the bytes of a model file; weights in other files stay references.

    Raises:
        google.protobuf.message.DecodeError: It is not a model.
        StorageError: The bytes of a weight are missing.
    """
    return _read_model(io.BytesIO(data), "")


def _read_model(file: BinaryIO, path: str) -> tuple[ModelProto, Weights]:
    import onnx

    proto = onnx.ModelProto()
    proto.ParseFromString(b"".join(_without_weights(file, _size(file))))
    return proto, _read_weights(proto, path, file)


def _size(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def _read_weights(proto: ModelProto, path: str, host: BinaryIO) -> Weights:
    """Read the weights that are in files; small ones become part of the message."""
    from onnx import TensorProto

    weights: Weights = {}
    for tensor in tensors_of(proto):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if not path and entries.get("location") != _HOST:
            continue
        data = _segment(tensor, entries, path, host)
        del tensor.external_data[:]
        tensor.ClearField("data_location")
        if not _is_large(tensor, data.nbytes) or tensor.name in weights:
            tensor.raw_data = data.tobytes()
        else:
            data.flags.writeable = False
            weights[tensor.name] = data
    names = [tensor.name for tensor in proto.graph.initializer]
    for number, tensor in enumerate(proto.graph.initializer):
        if tensor.name in weights and not tensor.raw_data and names.count(tensor.name) == 1:
            proto.graph.initializer[number].CopyFrom(
                reference(tensor.name, tensor.data_type, tuple(tensor.dims))
            )
    return weights


def tensors_of(proto: ModelProto) -> Iterator[TensorProto]:
    """Yield all tensors of a model: its initializers, and those in attributes and functions."""
    yield from _tensors(proto.graph)
    for function in proto.functions:
        yield from _attribute_tensors(function.node)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield the initializers of a graph and the tensors in its attributes."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _attribute_tensors(graph.node)


def _attribute_tensors(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _segment(tensor: TensorProto, entries: dict[str, str], path: str, host: BinaryIO) -> Array:
    """Read the elements of a tensor; those of a type that NumPy lacks as bytes."""
    location = entries.get("location", "")
    dtype = np.dtype(f"<{_DTYPES.get(tensor.data_type, 'u1')}")
    try:
        offset, length = int(entries.get("offset") or 0), int(entries.get("length") or -1)
    except ValueError:
        raise _broken(tensor, path, "its offset and length are not numbers") from None
    if any(extent < 0 for extent in tensor.dims) or offset < 0:
        raise _broken(tensor, path, f"its shape is {list(tensor.dims)}, its offset {offset}")
    size = prod(tensor.dims) * dtype.itemsize
    if tensor.data_type not in _DTYPES:
        size = max(length, 0)
    elif length not in (-1, size):
        raise _broken(tensor, path, f"it has {length:,} bytes instead of {size:,}")
    if location == _HOST:
        return _read(host, offset, size, dtype, tensor, path)
    file = _beside(path, location, tensor)
    try:
        with file.open("rb") as opened:
            return _read(opened, offset, size, dtype, tensor, str(file))
    except OSError as error:
        raise _broken(tensor, str(file), error.strerror or str(error)) from error


def _read(
    file: BinaryIO, offset: int, size: int, dtype: np.dtype[Any], tensor: TensorProto, path: str
) -> Array:
    available = _size(file) - offset
    if available < size:
        raise _broken(tensor, path, f"the file is {size - max(available, 0):,} bytes too short")
    array = np.empty(size // dtype.itemsize, dtype)
    file.seek(offset)
    if file.readinto(array.reshape(-1).view(np.uint8).data) != size:  # type: ignore[attr-defined]
        raise _broken(tensor, path, "the file is too short")
    return array.reshape(tuple(tensor.dims)) if tensor.data_type in _DTYPES else array


def _beside(path: str, location: str, tensor: TensorProto) -> Path:
    """Return the file of a weight.

    Raises:
        StorageError: It is not in the folder of the model.
    """
    folder = Path(path).resolve().parent
    if location and "\0" not in location and (folder / location).is_symlink():
        raise _broken(tensor, path, f"its file {location!r} is a symbolic link")
    if os.path.isabs(location):  # noqa: PTH117
        raise _broken(tensor, path, f"its file {location!r} is an absolute path")
    file = (folder / location).resolve() if location and "\0" not in location else folder
    if not file.is_relative_to(folder) or file == folder:
        raise _broken(tensor, path, f"its file {location!r} points outside of the folder")
    return file


def _broken(tensor: TensorProto, path: str, reason: str) -> StorageError:
    return StorageError(
        f"the weight '{tensor.name}' is broken and cannot be read: {reason}", file=path
    )


def declared_as_inputs(proto: ModelProto, weights: Mapping[str, Array]) -> ModelProto:
    """Return a copy of a model whose detached weights are inputs."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    del copy.graph.initializer[:]
    for tensor in proto.graph.initializer:
        if tensor.name in weights:
            info = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            copy.graph.input.append(info)
        else:
            copy.graph.initializer.append(tensor)
    return copy


# -- the encoding of messages ----------------------------------------------------------------------

_GRAPH, _INITIALIZER, _RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 7, 5, 9, 13, 14
"""Numbers of fields: of a model, a graph and a tensor."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def _without_weights(file: BinaryIO, size: int) -> list[bytes]:
    """Return an encoded model with references to the file in place of its large weights."""
    return _rewritten(file, 0, size, (_GRAPH, _INITIALIZER))


def _rewritten(file: BinaryIO, start: int, end: int, path: tuple[int, ...]) -> list[bytes]:
    parts: list[bytes] = []
    for number, kind, head, first, last in _fields(file, start, end):
        is_large = kind == _BYTES and last - first >= _LARGE
        if is_large and path and number == path[0]:
            inner = b"".join(_rewritten(file, first, last, path[1:]))
            parts += [_tagged(number, inner)]
        elif is_large and not path and number == _RAW_DATA:
            entries = {"location": _HOST, "offset": str(first), "length": str(last - first)}
            parts += [
                _tagged(_EXTERNAL_DATA, _tagged(1, key.encode()) + _tagged(2, text.encode()))
                for key, text in entries.items()
            ]
            parts.append(bytes([_DATA_LOCATION << 3 | _VARINT, 1]))
        else:
            file.seek(head)
            parts.append(file.read(last - head))
    return parts


def _fields(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield the number, wire type, start, content start and end of each field."""
    position = start
    while position < end:
        file.seek(position)
        window = file.read(20)
        tag, used = _varint(window, 0)
        kind, first = tag & 7, position + used
        if kind == _BYTES:
            length, after = _varint(window, used)
            first = position + after
            last = first + length
        elif kind == _VARINT:
            _, after = _varint(window, used)
            last = position + after
        else:
            last = first + {_FIXED64: 8, _FIXED32: 4}.get(kind, end)
        if last > end:
            # A broken file: protobuf reports what is wrong with the rest of it.
            yield 0, kind, position, first, end
            return
        yield tag >> 3, kind, position, first, last
        position = last


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a number and the position after it."""
    number = shift = 0
    while position < len(data):
        byte = data[position]
        number |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            break
    return number, position


def _tagged(number: int, content: bytes) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(content)) + content


def _encoded(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


# -- into a file -----------------------------------------------------------------------------------


def with_weights(proto: ModelProto, weights: Weights) -> ModelProto:
    """Return a model, changed in place, with its weights in the message."""
    for tensor in proto.graph.initializer:
        if tensor.name in weights:
            del tensor.external_data[:]
            tensor.ClearField("data_location")
            tensor.raw_data = weights[tensor.name].tobytes()
    return proto


def encoded(proto: ModelProto, weights: Weights) -> Iterator[bytes | memoryview]:
    """Yield the parts of a model file, without copying the weights."""
    import onnx

    shell, graph = onnx.ModelProto(), onnx.GraphProto()
    for field, value in proto.ListFields():
        if field.name != "graph":
            _copy_field(shell, field.name, value)
    for field, value in proto.graph.ListFields():
        if field.name != "initializer":
            _copy_field(graph, field.name, value)
    parts: list[bytes | memoryview] = [graph.SerializeToString()]
    for tensor in proto.graph.initializer:
        if tensor.name not in weights:
            parts.append(_tagged(_INITIALIZER, tensor.SerializeToString()))
            continue
        bare = onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        data = np.ascontiguousarray(weights[tensor.name]).reshape(-1).view(np.uint8).data
        head = bare.SerializeToString() + _encoded(_RAW_DATA << 3 | _BYTES) + _encoded(len(data))
        size = len(head) + len(data)
        parts += [_encoded(_INITIALIZER << 3 | _BYTES) + _encoded(size) + head, data]
    yield shell.SerializeToString()
    size = sum(map(len, parts))
    yield _encoded(_GRAPH << 3 | _BYTES) + _encoded(size)
    yield from parts


def refer(proto: ModelProto, weights: Weights, location: str) -> Iterator[Array]:
    """Make the weights of a model refer to a file, and yield the contents of that file in order."""
    offset = 0
    for tensor in proto.graph.initializer:
        if tensor.name not in weights:
            continue
        data = np.ascontiguousarray(weights[tensor.name])
        for entry in tensor.external_data:
            entry.value = {"location": location, "offset": str(offset)}.get(entry.key, entry.value)
        yield data
        offset += data.nbytes

"""Checkpoints: an index of tensors, and the files of their elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import NnefError, StorageError
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.tensorflow.checksum import masked_crc32c
from nnefkit.exchange.tensorflow.element_types import dtype_of, type_name
from nnefkit.exchange.tensorflow.messages import FORMAT
from nnefkit.exchange.tensorflow.sorted_table import table_entries
from nnefkit.storage import check_readable

_OBJECTS = b"_CHECKPOINTABLE_OBJECT_GRAPH"
_MOST_STRING = 2**28
_COPY_AGAIN = "Copy the checkpoint again, all of its files."


class Checkpoint:
    """The variables of a checkpoint; their elements are read when they are asked for.

    Args:
        prefix: The path of its files without their endings.

    Raises:
        StorageError: The index cannot be read, or is damaged.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._path = f"{prefix}.index"
        check_readable(self._path)
        entries = table_entries(Path(self._path).read_bytes(), self._path)
        header = FORMAT.parsed("BundleHeaderProto", entries.pop(b"", b""), self._path)
        self._shards = header.num_shards
        if header.endianness:
            raise StorageError(
                "the checkpoint has its numbers in big-endian order",
                hint="Write it again on the usual kind of machine.",
                file=self._path,
            )
        self._entries = entries
        self._keys = self._object_keys()

    def read(self, name: str, restored: Sequence[str] = ()) -> Array:
        """Return the elements of a variable.

        Args:
            name: The name of the variable, or the key under which it is stored.
            restored: The keys from which the graph restores it, if it does.

        Raises:
            Refusal: There is no such variable, several, or its elements are not numbers.
            StorageError: The file of its elements cannot be read, or is damaged.
        """
        keys = [key.encode() for key in restored if key.encode() in self._entries]
        keys = keys or [*self._candidates(name)]
        if not keys:
            refuse(
                f"the checkpoint has no variable '{name}'",
                "Convert the model with the checkpoint that belongs to it.",
            )
        entries = [self._entry(key) for key in keys]
        contents = {(e.dtype, tuple(d.size for d in e.shape.dim), e.crc32c) for e in entries}
        if len(contents) > 1:
            refuse(
                f"the checkpoint has several variables called '{name}'",
                "Give the layers of the model different names, and save it again.",
            )
        return self._elements(name, entries[0])

    def _candidates(self, name: str) -> Sequence[bytes]:
        """Return the keys of all variables of that name."""
        key = name.encode()
        if key in self._entries:
            return [key]
        return self._keys.get(name, ())

    def _entry(self, key: bytes) -> Any:
        return FORMAT.parsed("BundleEntryProto", self._entries[key], self._path)

    def _elements(self, name: str, entry: Any) -> Array:
        dtype = dtype_of(entry.dtype)
        if dtype is None:
            refuse(
                f"the variable '{name}' has elements of type {type_name(entry.dtype)}",
                "NNEF has tensors of scalars, integers and logicals (3.3.1).",
            )
        if len(entry.slices):
            refuse(
                f"the variable '{name}' is stored in parts",
                "Save it without a partitioner, or freeze the graph in TensorFlow.",
            )
        shape = tuple(dim.size for dim in entry.shape.dim)
        if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != entry.size:
            self._damaged(f"the variable '{name}' has {entry.size} bytes for {[*shape]}")
        data = self._bytes(entry)
        if masked_crc32c(data) != entry.crc32c:
            self._damaged(f"the checksum of the variable '{name}' is wrong")
        return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype).reshape(shape)

    def _bytes(self, entry: Any) -> bytes:
        """Return the bytes of a tensor.

        Raises:
            StorageError: They cannot be read.
        """
        shard, start, size = entry.shard_id, entry.offset, entry.size
        path = f"{self._prefix}.data-{shard:05d}-of-{self._shards:05d}"
        if not 0 <= shard < self._shards or min(start, size) < 0:
            self._damaged("a tensor is outside of its files")
        check_readable(path)
        try:
            with Path(path).open("rb") as file:
                if start + size > file.seek(0, 2):
                    self._damaged(f"'{Path(path).name}' is too short")
                file.seek(start)
                return file.read(size)
        except OSError as error:
            raise StorageError(
                f"the checkpoint cannot be read: {error.strerror}", file=path
            ) from error

    # -- objects ------------------------------------------------------------------------------

    def _object_keys(self) -> Mapping[str, Sequence[bytes]]:
        """Return the name of each variable of an object -> the keys under which it is stored."""
        if _OBJECTS not in self._entries:
            return {}
        entry = self._entry(_OBJECTS)
        if entry.size > _MOST_STRING:
            self._damaged("the list of its objects is too large")
        graph = FORMAT.parsed("TrackableObjectGraph", self._string(self._bytes(entry)), self._path)
        keys: dict[str, list[bytes]] = {}
        for node in graph.nodes:
            for attribute in node.attributes:
                key = attribute.checkpoint_key.encode()
                if attribute.full_name and key in self._entries:
                    keys.setdefault(attribute.full_name, []).append(key)
        return keys

    def _string(self, data: bytes) -> bytes:
        """Return a single string: its length and a checksum of that are before it."""
        length = shift = position = 0
        while position < min(len(data), 10):
            byte = data[position]
            length |= (byte & 127) << shift
            position, shift = position + 1, shift + 7
            if byte < 128:
                break
        text = data[position + 4 :]
        if length != len(text):
            self._damaged("the list of its objects is cut off")
        return text

    def _damaged(self, reason: str) -> None:
        raise StorageError(
            f"the checkpoint is damaged: {reason}", hint=_COPY_AGAIN, file=self._path
        )


def checkpoint_beside(prefix: str) -> Checkpoint | None:
    """Return the checkpoint with a prefix, or None if there is none.

    Raises:
        StorageError: It cannot be read, or is damaged.
    """
    try:
        return Checkpoint(prefix) if Path(f"{prefix}.index").exists() else None
    except NnefError:
        raise
    except (OSError, ValueError) as error:
        raise StorageError(f"the checkpoint cannot be read: {error}", file=prefix) from error

"""HDF5 files from anywhere: what of them is read, and what is refused.

Only datasets of numbers in the file itself are read, up to a total size; links to elsewhere, data
in other files and virtual datasets are refused.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import NnefError, StorageError
from nnefkit.exchange.global_heaps import damaged_heap
from nnefkit.exchange.packages import require
from nnefkit.storage.archive import unpacked_limit

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAX_NAMES = 1_000_000


def damaged(message: str, path: str) -> StorageError:
    """Return the error for a file that is damaged."""
    return StorageError(
        f"the HDF5 file {message}", hint="Copy the file again, or save the model again.", file=path
    )


@contextmanager
def opened(data: bytes, path: str, extra: str = "keras") -> Iterator[HierarchicalFile]:
    """Open the bytes of an HDF5 file.

    Args:
        data: The bytes.
        path: The path, for messages.
        extra: The extra of nnefkit that installs h5py for this format.

    Raises:
        StorageError: It is not an HDF5 file, or it is damaged.
        MissingPackageError: The package h5py is not installed.
    """
    require("h5py", extra, "HDF5 files")
    import h5py

    if SIGNATURE not in data[:4096]:
        raise damaged("has no signature", path)
    if (place := damaged_heap(data)) is not None:
        raise damaged(f"is damaged: its strings at byte {place:,} are not readable", path)
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            yield HierarchicalFile(file, path, len(data))
    except NnefError:
        raise
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise damaged(f"is damaged: {text}", path) from error
    except (AttributeError, IndexError, OverflowError, RecursionError, UnicodeError) as error:
        raise damaged(f"is damaged ({type(error).__name__})", path) from error


class HierarchicalFile:
    """The groups and datasets of a file."""

    def __init__(self, file: Any, path: str, size: int) -> None:
        self.root = file
        self._path = path
        self._left = unpacked_limit(size)

    def child(self, group: Any, name: str) -> Any:
        """Return a member of a group by its path in it; None if there is none.

        Raises:
            StorageError: A link on the way leads elsewhere.
        """
        import h5py

        for part in filter(None, name.split("/")):
            if not isinstance(group, h5py.Group):
                return None
            key = part.encode("utf-8", "surrogateescape")
            if part in (".", "..") or key not in group.id:
                return None
            if group.id.links.get_info(key).type != h5py.h5l.TYPE_HARD:
                raise damaged(
                    f"has a link '{name}' to elsewhere, which is not followed", self._path
                )
            group = group[part]
        return group

    def names(self, group: Any) -> list[str]:
        """Return the names of the members of a group."""
        if len(group) > _MAX_NAMES:
            raise damaged("has too many members", self._path)
        return [*group.keys()]

    def is_group(self, value: Any) -> bool:
        """Return whether a member is a group."""
        import h5py

        return isinstance(value, h5py.Group)

    def array(self, dataset: Any, name: str) -> Array:
        """Return the elements of a dataset.

        Raises:
            StorageError: It does not hold numbers, is too large, or its data are elsewhere.
        """
        import h5py

        if not isinstance(dataset, h5py.Dataset):
            raise damaged(f"has no dataset '{name}'", self._path)
        plist = dataset.id.get_create_plist()
        if plist.get_external_count() or plist.get_layout() == h5py.h5d.VIRTUAL:
            raise damaged(f"has data of '{name}' in other files, which are not read", self._path)
        stored, shape = dataset.dtype, dataset.shape
        if shape is None:
            raise damaged(f"has no elements in '{name}'", self._path)
        self._take(prod(map(int, shape)) * max(int(stored.itemsize), 1), name)
        if _is_bfloat16(dataset):
            return _from_bfloat16(np.asarray(dataset[()]))
        if stored.kind not in "biuf" or stored.itemsize > 8:
            raise damaged(f"has elements of type {stored} in '{name}'", self._path)
        data = np.asarray(dataset[()])
        return data.astype(stored.newbyteorder("="), copy=False)

    def _take(self, size: int, name: str) -> None:
        self._left -= size
        if self._left < 0:
            raise damaged(
                f"is refused: '{name}' claims {size:,} bytes, far more than the file has",
                self._path,
            )

    def text(self, group: Any, name: str) -> str | None:
        """Return an attribute that is a string; None if there is none."""
        if name not in group.attrs:
            return None
        self._check_attribute(group, name)
        value = group.attrs[name]
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        return str(value) if isinstance(value, str) else None

    def strings(self, group: Any, name: str) -> list[str] | None:
        """Return an attribute that is a list of strings; None if there is none.

        Long lists are cut into several attributes with numbers.
        """
        if name in group.attrs:
            return self._strings(group, name)
        parts: list[str] = []
        number = 0
        while f"{name}{number}" in group.attrs:
            parts += self._strings(group, f"{name}{number}")
            number += 1
        return parts if number else None

    def _strings(self, group: Any, name: str) -> list[str]:
        self._check_attribute(group, name)
        values = np.asarray(group.attrs[name]).reshape(-1)
        return [
            each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each)
            for each in values
        ]

    def _check_attribute(self, group: Any, name: str) -> None:
        attribute = group.attrs.get_id(name)
        count = prod(map(int, attribute.shape or ()))
        if count > _MAX_NAMES:
            raise damaged(f"has {count:,} elements in the attribute '{name}'", self._path)
        self._take(max(int(attribute.dtype.itemsize), 1) * count, name)


def _is_bfloat16(dataset: Any) -> bool:
    return dataset.dtype.kind == "V" and dataset.dtype.itemsize == 2 and not dataset.dtype.names


def _from_bfloat16(data: Array) -> Array:
    codes = data.view(np.uint16).astype(np.uint32) << 16
    return codes.view(np.float32)

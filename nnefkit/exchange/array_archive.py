"""Arrays of an ``.npz`` file, read one by one; sizes are checked before memory is taken."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from nnefkit.arrays import Array
from nnefkit.errors import StorageError
from nnefkit.exchange.source_value import DTYPES
from nnefkit.storage import check_readable, unpacked_limit, unreadable

_MAX_MEMBERS = 1_000_000
_MAX_HEADER = 10_000
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_DAMAGED = "Copy the file again, or write it again."


class ArrayArchive(Mapping[str, Array]):
    """The arrays of an ``.npz`` file by name, without pickles.

    Args:
        source: The path of the file, or its bytes.

    Raises:
        StorageError: It cannot be read, or is not an archive of arrays.
    """

    def __init__(self, source: str | os.PathLike[str] | bytes) -> None:
        is_path = not isinstance(source, (bytes, bytearray, memoryview))
        self.path = str(source) if is_path else ""
        self._data = b"" if is_path else bytes(source)  # type: ignore[arg-type]
        self._archive: zipfile.ZipFile | None = None
        self._file: BinaryIO | None = None
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._left = 0
        self.size = 0
        """The size of the file in bytes."""
        self._open()

    def _open(self) -> zipfile.ZipFile:
        """Return the archive, opened again if it was closed."""
        if self._archive is not None:
            return self._archive
        file: BinaryIO = io.BytesIO(self._data)
        self.size = len(self._data)
        if self.path:
            check_readable(self.path)
            try:
                self.size = Path(self.path).stat().st_size
                file = Path(self.path).open("rb")  # noqa: SIM115 - it is closed with the archive
            except OSError as error:
                raise unreadable(error, self.path) from error
        try:
            archive = zipfile.ZipFile(file)
        except Exception as error:
            file.close()
            raise self._damaged("it is not an .npz file") from error
        self._file, self._archive = file, archive
        self._left = unpacked_limit(self.size)
        self._members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if len(self._members) > _MAX_MEMBERS:
            raise self._damaged(f"it has {len(self._members):,} members")
        return archive

    def close(self) -> None:
        """Close the file; it is opened again when another array is read."""
        if self._archive is not None and self._file is not None:
            self._archive.close()
            self._file.close()
        self._archive = self._file = None

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __getitem__(self, name: str) -> Array:
        """Return an array.

        Raises:
            KeyError: There is none of that name.
            StorageError: It is damaged, has elements that are not numbers, or is far larger than
                the archive.
        """
        archive = self._open()
        info = self._members[name]
        try:
            with archive.open(info) as member:
                return self._read(member, name)
        except StorageError:
            raise
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
            raise self._damaged(f"'{name}' cannot be unpacked: {error}") from error
        except Exception as error:
            # The header is an expression, whose errors are of any kind.
            raise self._damaged(f"'{name}' is not an array") from error

    def _read(self, member: Any, name: str) -> Array:
        version = npy.read_magic(member)
        if version not in _HEADERS:
            raise self._damaged(f"'{name}' is an array of version {version}")
        read: Any = _HEADERS[version]
        shape, is_fortran, dtype = read(member, max_header_size=_MAX_HEADER)
        if dtype.newbyteorder("=").name not in DTYPES:
            raise StorageError(
                f"the array '{name}' has elements of type {dtype}, which are not numbers that "
                "NNEF has",
                file=self.path,
            )
        size = prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size > self._left:
            raise StorageError(
                f"the array '{name}' of shape {[*shape]} is far larger than its archive, which is "
                "refused",
                hint=_DAMAGED,
                file=self.path,
            )
        data = member.read(size + 1)
        if len(data) != size:
            raise self._damaged(f"'{name}' does not have the elements of its shape {[*shape]}")
        self._left -= size
        flat = np.frombuffer(data, dtype)
        array = flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)
        return np.ascontiguousarray(array, dtype.newbyteorder("=")).reshape(shape)

    def _damaged(self, reason: str) -> StorageError:
        return StorageError(f"the arrays are damaged: {reason}", hint=_DAMAGED, file=self.path)

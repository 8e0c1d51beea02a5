"""Numbers, strings and arrays of Torch7 files: in binary, and as text."""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import StorageError

_TOKEN = re.compile(rb"[ \t\r\n]*([^ \t\r\n]+)")
_LONGEST = 64
"""Number of characters of a number, at most."""


def looks_like_text(data: bytes) -> bool:
    """Return whether a file is text: its first number is the type of an object, on a line."""
    return data[:1].isdigit() and data[1:2] in (b"\n", b"\r")


class _SerializedFile:
    """The bytes of a file, and the position from which the next ones are read."""

    def __init__(self, data: bytes, path: str) -> None:
        self.data = data
        self.path = path
        self.position = 0

    def damaged(self, reason: str) -> StorageError:
        """Return the error for a file that cannot be read on."""
        return StorageError(
            f"the file is damaged, or not one of Torch7: at byte {self.position:,} {reason}",
            hint="It must have been written by torch.save, as binary or as ascii.",
            file=self.path,
        )

    def taken(self, count: int) -> bytes:
        """Return the next bytes.

        Raises:
            StorageError: The file ends before.
        """
        if count < 0:
            raise self.damaged(f"a length is {count}")
        end = self.position + count
        if end > len(self.data):
            raise self.damaged(f"{count:,} bytes are missing")
        begin, self.position = self.position, end
        return self.data[begin:end]


class BinaryFile(_SerializedFile):
    """A file in binary, as little-endian systems write it.

    Args:
        data: Its bytes.
        path: Its path.
        long_size: The number of bytes of an integer of the type long: 8, or 4 on 32-bit systems.
    """

    def __init__(self, data: bytes, path: str, long_size: int) -> None:
        super().__init__(data, path)
        self._long: np.dtype[Any] = np.dtype(f"<i{long_size}")

    def int32(self) -> int:
        """Return the next integer."""
        (number,) = struct.unpack("<i", self.taken(4))
        return int(number)

    def int64(self) -> int:
        """Return the next integer of the type long."""
        return int(self.longs(1)[0])

    def longs(self, count: int) -> Array:
        """Return the next integers of the type long."""
        return np.frombuffer(self.taken(count * self._long.itemsize), self._long)

    def double(self) -> float:
        """Return the next number."""
        (number,) = struct.unpack("<d", self.taken(8))
        return float(number)

    def text(self, length: int) -> str:
        """Return the next string."""
        return _decoded(self.taken(length))

    def skip(self, length: int) -> None:
        """Leave out a string."""
        self.taken(length)

    def array(self, dtype: np.dtype[Any], count: int) -> Array:
        """Return the next elements of a storage."""
        stored = self._long if dtype == np.int64 else dtype.newbyteorder("<")
        data = np.frombuffer(self.taken(count * stored.itemsize), stored)
        return data.astype(dtype, copy=False)


class TextFile(_SerializedFile):
    """A file as text: each number is on its own line, each array on one line."""

    def int32(self) -> int:
        """Return the next integer."""
        return self.int64()

    def int64(self) -> int:
        """Return the next integer."""
        token = self._token()
        self._end_line()
        try:
            return int(token) if len(token) < 20 else int(token[:20] + b"?")
        except ValueError:
            raise self.damaged(f"'{_shown(token)}' is not an integer") from None

    def longs(self, count: int) -> Array:
        """Return the next integers of one line."""
        return self._numbers(np.dtype(np.int64), count)

    def double(self) -> float:
        """Return the next number."""
        token = self._token()
        self._end_line()
        try:
            return float(token)
        except ValueError:
            raise self.damaged(f"'{_shown(token)}' is not a number") from None

    def text(self, length: int) -> str:
        """Return the next string."""
        data = self.taken(length)
        if length:
            self._end_line()
        return _decoded(data)

    def skip(self, length: int) -> None:
        """Leave out a string."""
        self.text(length)

    def array(self, dtype: np.dtype[Any], count: int) -> Array:
        """Return the next elements of a storage; bytes are stored as they are."""
        if dtype.itemsize > 1:
            return self._numbers(dtype, count)
        data = np.frombuffer(self.taken(count), dtype)
        if count:
            self._end_line()
        return data

    def _numbers(self, dtype: np.dtype[Any], count: int) -> Array:
        # Each number takes two bytes or more: this bounds the memory.
        if not 0 <= count <= (len(self.data) - self.position + 1) // 2:
            raise self.damaged(f"{count:,} numbers are missing")
        numbers = np.zeros(count, dtype)
        read = 0
        while read < count:
            end = self.data.find(b"\n", self.position)
            end = len(self.data) if end < 0 else end
            tokens = self.data[self.position : end].split()
            if not tokens and end == len(self.data):
                raise self.damaged(f"{count - read:,} numbers are missing")
            if len(tokens) > count - read:
                raise self.damaged(f"a line has more than {count - read:,} numbers")
            # NumPy gives each one as many bytes as the longest has.
            if max(map(len, tokens), default=0) > _LONGEST:
                raise self.damaged("a number has too many digits")
            try:
                with np.errstate(over="ignore"):
                    numbers[read : read + len(tokens)] = np.array(tokens).astype(dtype)
            except (ValueError, OverflowError):
                raise self.damaged("a line has something else than numbers") from None
            read += len(tokens)
            self.position = min(end + 1, len(self.data))
        return numbers

    def _token(self) -> bytes:
        match = _TOKEN.match(self.data, self.position)
        if match is None:
            raise self.damaged("the file ends")
        self.position = match.end()
        return match[1]

    def _end_line(self) -> None:
        if self.data[self.position : self.position + 1] == b"\n":
            self.position += 1


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _shown(token: bytes) -> str:
    return ascii(token[:20].decode("latin-1"))[1:-1]

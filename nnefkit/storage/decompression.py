"""Compressed streams, unpacked into memory up to a limit."""

from __future__ import annotations

import bz2
import lzma
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nnefkit.display.progress_bar import ProgressBar
from nnefkit.errors import StorageError
from nnefkit.storage.archive import refuse_bomb, unpacked_limit
from nnefkit.storage.mapped_file import read_at
from nnefkit.storage.tar_archive import BLOCK, is_tar

MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_INPUT = 1 << 18
_OUTPUT = 1 << 20
_LZMA_MEMORY = 256 << 20
_BROKEN = (zlib.error, OSError, EOFError, ValueError, lzma.LZMAError)


class _Gzip:
    """A gzip decompressor with the interface of those of `bz2` and `lzma`."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._pending = b""
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        output = self._stream.decompress(self._pending + data, max_length)
        self._pending = self._stream.unconsumed_tail
        self.needs_input = not self._pending and len(output) < max_length
        return output


def _decompressor(kind: str) -> Any:
    if kind == "gzip":
        return _Gzip()
    return (
        bz2.BZ2Decompressor() if kind == "bzip2" else lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)
    )


def _unpack(descriptor: int, kind: str, path: str) -> Iterator[bytes]:
    """Yield pieces of the unpacked stream, none longer than `_OUTPUT`."""
    stream = _decompressor(kind)
    try:
        for data in _packed(descriptor, path):
            while data or not stream.needs_input:
                if stream.eof:
                    # Streams may follow one another, and zeros may fill the last block.
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    stream = _decompressor(kind)
                yield stream.decompress(data, _OUTPUT)
                data = stream.unused_data if stream.eof else b""
        if not stream.eof:
            raise EOFError
    except _BROKEN as error:
        problem = "is truncated" if isinstance(error, EOFError) else f"is broken ({error})"
        raise StorageError(
            f"the {kind} archive {problem}", hint="Copy or download it again.", file=path
        ) from None


def _packed(descriptor: int, path: str) -> Iterator[bytes]:
    size = os.fstat(descriptor).st_size
    with ProgressBar(size, f"unpacking {Path(path).name}", "B", scaled=True) as bar:
        for offset in range(0, size, _INPUT):
            data = read_at(descriptor, offset, _INPUT)
            yield data
            bar.update(len(data))


def unpack_tar(descriptor: int, kind: str, path: str) -> memoryview:
    """Unpack the tar archive in a compressed file.

    Raises:
        StorageError: The stream is broken, truncated, too large, or not a tar archive.
    """
    limit = unpacked_limit(os.fstat(descriptor).st_size)
    unpacked = bytearray()
    checked = False
    for piece in _unpack(descriptor, kind, path):
        if len(unpacked) + len(piece) > limit:
            raise refuse_bomb(path, limit)
        unpacked += piece
        if not checked and len(unpacked) >= BLOCK:
            checked = _check_tar(unpacked, kind, path)
    if not checked:
        _check_tar(unpacked, kind, path)
    return memoryview(unpacked).toreadonly()


def _check_tar(unpacked: bytearray, kind: str, path: str) -> bool:
    if not is_tar(bytes(unpacked[:BLOCK])):
        raise StorageError(
            f"the file is compressed ({kind}), but does not contain a tar archive",
            hint="Pack the folder of the model: tar czf model.nnef.tgz -C folder .",
            file=path,
            section="5.1",
        )
    return True

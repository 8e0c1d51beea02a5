"""Zip archives: stored members are mapped, deflated ones unpacked into memory."""

from __future__ import annotations

import contextlib
import lzma
import os
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass

from nnefkit.errors import StorageError
from nnefkit.storage.archive import (
    Archive,
    FileBytes,
    Member,
    Stretch,
    refuse_bomb,
    refuse_nameless,
    unpacked_limit,
)
from nnefkit.storage.blob import HEAD, Blob
from nnefkit.storage.file_names import member_name

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1
_MAX_LINK = 4096


def read_zip(
    descriptor: int, path: str, resources: contextlib.ExitStack, *, copy: bool = False
) -> Archive:
    """Read the members of a zip archive, which stays open until the `resources` are closed.

    Args:
        descriptor: The descriptor of the archive.
        path: Its path, for messages.
        resources: The resources that are closed together with the archive.
        copy: Whether stored members are copied, instead of mapped.

    Raises:
        StorageError: It is damaged, unpacks to too much, or has a member that cannot be trusted.
    """
    source = FileBytes(descriptor, path, copy=copy)
    archive = Archive(path)
    try:
        # The open file, even if its path refers to another one by now.
        file = resources.enter_context(os.fdopen(os.dup(descriptor), "rb", 0))
        packed = resources.enter_context(zipfile.ZipFile(file))
        infos = packed.infolist()
    except _BROKEN as error:
        raise StorageError(
            f"the zip archive is broken: {error}", hint="Copy or download it again.", file=path
        ) from None
    limit = unpacked_limit(source.size)
    if sum(info.file_size for info in infos if info.compress_type != zipfile.ZIP_STORED) > limit:
        raise refuse_bomb(path, limit)
    stored = sum(info.file_size for info in infos if info.compress_type == zipfile.ZIP_STORED)
    if copy and stored > source.size:
        raise StorageError(
            f"the members of the archive overlap: they have {stored:,} bytes, but the file has "
            f"{source.size:,}",
            hint="Pack the archive again.",
            file=path,
        )
    for info in infos:
        _add(archive, packed, info, source)
    return archive


def _add(
    archive: Archive, packed: zipfile.ZipFile, info: zipfile.ZipInfo, source: FileBytes
) -> None:
    if not info.filename:
        raise refuse_nameless(archive.path)
    if info.is_dir():
        member_name(info.filename, archive.path)
        return
    if info.flag_bits & _ENCRYPTED:
        raise StorageError(
            f"the member '{info.filename}' is encrypted",
            hint="Unpack the archive with its password, and load the folder.",
            file=archive.path,
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    member: Member = _stretch(info, source, archive.path) or _Packed(packed, info)
    if kind == stat.S_IFLNK:
        target = member.blob(archive.path).bytes() if info.file_size <= _MAX_LINK else b".."
        archive.add_link(info.filename, os.fsdecode(target), relative=True)
    elif kind in (0, stat.S_IFREG):
        archive.add(info.filename, member)
    else:
        raise StorageError(
            f"the member '{info.filename}' is not a regular file",
            hint="Pack regular files only.",
            file=archive.path,
            section="5.1",
        )


def _stretch(info: zipfile.ZipInfo, source: FileBytes, path: str) -> Stretch | None:
    """Return the position of the bytes of a stored member, or None for a compressed one."""
    if info.compress_type != zipfile.ZIP_STORED:
        return None
    head = source.read_at(info.header_offset, _LOCAL_HEADER.size)
    if len(head) == _LOCAL_HEADER.size:
        magic, name, extra = _LOCAL_HEADER.unpack(head)
        offset = info.header_offset + _LOCAL_HEADER.size + name + extra
        inside = offset + info.file_size <= source.size
        if magic == b"PK\3\4" and inside and info.file_size == info.compress_size:
            return Stretch(source, offset, info.file_size)
    raise StorageError(
        f"the member '{info.filename}' is truncated or damaged",
        hint="Copy or download the archive again.",
        file=path,
    )


@dataclass(frozen=True, slots=True)
class _Packed:
    """A compressed member."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    @property
    def size(self) -> int:
        return self.info.file_size

    def blob(self, name: str) -> Blob:
        """Return its unpacked bytes, never more than its declared size."""
        try:
            with self.archive.open(self.info) as file:
                data = file.read(self.info.file_size)
                # Reading to the end verifies the checksum, and that there are no more bytes.
                complete = len(data) == self.info.file_size and not file.read(1)
        except _BROKEN as error:
            raise StorageError(f"the member cannot be unpacked: {error}", file=name) from None
        if not complete:
            raise StorageError("the member's size does not match its header", file=name)
        return Blob(name, data[:HEAD], data, 0, len(data))

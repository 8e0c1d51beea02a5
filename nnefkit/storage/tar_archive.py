"""Tar archives (IEEE 1003.1, and the long names of GNU tar), read without being extracted.

This reader is linear in the size of the archive, takes bounded memory whatever the headers
contain, and does not mistake a damaged header for the end of the archive.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass

from nnefkit.errors import StorageError
from nnefkit.storage.archive import Archive, Bytes, Stretch

BLOCK = tarfile.BLOCKSIZE
_MAX_NAME_RECORD = 1 << 16
_ENCODING = ("utf-8", "surrogateescape")
_KINDS = {
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_NAME_RECORDS = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_PAX_RECORDS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_NO_FILES = (tarfile.DIRTYPE, b"V", b"D", b"M", b"N")


def is_tar(head: bytes) -> bool:
    """Return whether a file starts with the header of a member of a tar archive."""
    if len(head) < BLOCK:
        return False
    try:
        tarfile.TarInfo.frombuf(head[:BLOCK], *_ENCODING)
    except (tarfile.HeaderError, ValueError):
        # Old and broken archives are recognized by their magic, and rejected later.
        return head[257:262] == b"ustar"
    return True


@dataclass
class _ExtendedHeaders:
    """Contents of extended headers, which describe the members after them."""

    everywhere: dict[str, str]
    next_member: dict[str, str]

    def get(self, key: str) -> str | None:
        return self.next_member.get(key, self.everywhere.get(key))


def read_tar(source: Bytes, path: str) -> Archive:
    """Read the members of a tar archive.

    Raises:
        StorageError: It is damaged or truncated, or has a member that cannot be trusted.
    """
    archive = Archive(path)
    names = _ExtendedHeaders({}, {})
    offset = 0
    while (head := source.read_at(offset, BLOCK)).strip(b"\0"):
        info = _header(head, offset, path)
        size = _size(info, names, path)
        offset += BLOCK
        # The size in the header of a link or a folder occupies no bytes of the archive.
        stored = 0 if info.type in (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE) else size
        if offset + stored > source.size:
            raise StorageError(
                f"the archive ends within the member '{info.name}', "
                f"after {source.size - offset:,} of {stored:,} bytes",
                hint="The archive is truncated: copy or download it again.",
                file=path,
            )
        if info.type in _NAME_RECORDS or info.type in _PAX_RECORDS:
            _read_names(info, source.read_at(offset, _bounded(stored, path)), names, path)
        else:
            _add(archive, info, names, Stretch(source, offset, size))
            names.next_member.clear()
        offset += -(-stored // BLOCK) * BLOCK
    return archive


def _header(head: bytes, offset: int, path: str) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(head, *_ENCODING)
    except (tarfile.HeaderError, ValueError) as error:
        raise StorageError(
            f"the archive is damaged at byte {offset:,}: {error}",
            hint="Copy or download it again.",
            file=path,
        ) from None


def _size(info: tarfile.TarInfo, names: _ExtendedHeaders, path: str) -> int:
    # Extended headers describe the member after them, not one another.
    extended = info.type in _NAME_RECORDS or info.type in _PAX_RECORDS
    text = None if extended else names.get("size")
    size = info.size if text is None else int(text) if text.isdecimal() and len(text) < 20 else -1
    if size < 0:
        raise StorageError(f"the member '{info.name}' has no valid size", file=path)
    return size


def _bounded(size: int, path: str) -> int:
    if size > _MAX_NAME_RECORD:
        raise StorageError(
            f"the archive has an extended header of {size:,} bytes, more than names need", file=path
        )
    return size


def _read_names(info: tarfile.TarInfo, record: bytes, names: _ExtendedHeaders, path: str) -> None:
    if info.type in _NAME_RECORDS:
        name = record.rstrip(b"\0").decode(*_ENCODING)
        names.next_member[_NAME_RECORDS[info.type]] = name
        return
    target = names.everywhere if info.type == tarfile.XGLTYPE else names.next_member
    position = 0
    while position < len(record) and record[position]:
        # "length key=value\n", where the length is that of the whole record.
        space = record.find(b" ", position, position + 12)
        digits = record[position:space] if space > 0 else b""
        end = position + int(digits) if digits.isdigit() else 0
        key, equals, value = record[space + 1 : end - 1].partition(b"=")
        if end > len(record) or end <= space + 1 or not equals:
            raise StorageError("the archive has a broken extended header", file=path)
        target[key.decode(*_ENCODING)] = value.decode(*_ENCODING)
        position = end


def _add(
    archive: Archive, info: tarfile.TarInfo, names: _ExtendedHeaders, stretch: Stretch
) -> None:
    name = names.get("path") or info.name
    if info.type in _NO_FILES or name.endswith("/"):
        # Only its name is checked: an archive with a folder outside of it is suspicious.
        archive.check(name)
    elif info.type in _KINDS or names.get("GNU.sparse.major") or names.get("GNU.sparse.size"):
        raise StorageError(
            f"the member '{name}' is {_KINDS.get(info.type, 'a sparse file')}, not a regular file",
            hint="Pack regular files only.",
            file=archive.path,
            section="5.1",
        )
    elif info.type in (tarfile.LNKTYPE, tarfile.SYMTYPE):
        target = names.get("linkpath") or info.linkname
        archive.add_link(name, target, relative=info.type == tarfile.SYMTYPE)
    else:
        archive.add(name, stretch)

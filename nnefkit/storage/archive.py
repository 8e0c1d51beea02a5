"""Archives, whose members are mapped, or unpacked in bounded memory, never to disk (5.1)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from nnefkit.errors import StorageError
from nnefkit.storage.blob import HEAD, Blob
from nnefkit.storage.file_names import member_name
from nnefkit.storage.mapped_file import map_descriptor, read_at, read_whole
from nnefkit.storage.system_errors import system_message

MAX_MEMBERS = 100_000
MIN_LIMIT = 256 << 20
_MAX_RATIO = 64
_MAX_LINKS = 8


def unpacked_limit(packed: int) -> int:
    """Return the number of bytes that an archive of `packed` bytes may unpack to.

    Weights hardly compress: an archive that grows more than this is a decompression bomb, or all
    zeros.
    """
    return max(MIN_LIMIT, _MAX_RATIO * packed)


def refuse_bomb(file: str, limit: int) -> StorageError:
    """Return the error about an archive that unpacks to more than `limit` bytes."""
    return StorageError(
        f"the archive unpacks to more than {limit >> 20:,} MiB, more than compressed "
        "weights of its size would",
        hint="If you trust it, unpack it yourself, and load the folder.",
        file=file,
        section="5.1",
    )


def refuse_nameless(file: str) -> StorageError:
    """Return the error about a member without a name."""
    return StorageError(
        "the archive has a member without a name",
        hint="Pack the folder of the model again.",
        file=file,
        section="5.1",
    )


class Bytes(Protocol):
    """Bytes that can be read at any offset."""

    size: int

    def read_at(self, offset: int, count: int) -> bytes:
        """Return a copy of `count` bytes from `offset` on, fewer at the end."""

    def buffer(self, offset: int, count: int) -> tuple[Any, int]:
        """Return a read-only buffer that has these bytes, and the position of the first in it."""


class FileBytes:
    """Bytes of an open file, which is mapped as a whole when one of its buffers is first needed.

    Args:
        descriptor: The descriptor of the file.
        path: Its path.
        copy: Whether buffers are copies, instead of views of the mapped file.
    """

    def __init__(self, descriptor: int, path: str, *, copy: bool = False) -> None:
        self._descriptor = descriptor
        self._path = path
        self._copy = copy
        self._buffer: Any = None
        self.size = os.fstat(descriptor).st_size

    def read_at(self, offset: int, count: int) -> bytes:
        """Return a copy of `count` bytes from `offset` on, fewer at the end."""
        with self._reading():
            return read_at(self._descriptor, offset, min(count, max(self.size - offset, 0)))

    def buffer(self, offset: int, count: int) -> tuple[Any, int]:
        """Return a read-only buffer that has these bytes, and the position of the first in it."""
        if self._copy:
            with self._reading():
                return read_whole(self._descriptor, offset, count), 0
        if self._buffer is None:
            self._buffer = map_descriptor(self._descriptor, self.size, self._path)
        return self._buffer, offset

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"the archive cannot be read: {system_message(error)}", file=self._path
            ) from error


class MemoryBytes:
    """Bytes in memory."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self.size = len(data)

    def read_at(self, offset: int, count: int) -> bytes:
        """Return a copy of `count` bytes from `offset` on, fewer at the end."""
        return bytes(self._data[offset : offset + count])

    def buffer(self, offset: int, count: int) -> tuple[Any, int]:
        """Return the bytes themselves."""
        return self._data[: offset + count], offset


class Member(Protocol):
    """A regular file in an archive."""

    @property
    def size(self) -> int:
        """Its size in bytes."""

    def blob(self, name: str) -> Blob:
        """Return its bytes; messages call it `name`."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A member stored uncompressed in its archive."""

    source: Bytes
    offset: int
    size: int

    def blob(self, name: str) -> Blob:
        """Return its bytes: a view of the archive, or a copy if it is small."""
        head = self.source.read_at(self.offset, min(self.size, HEAD))
        if self.size <= HEAD:
            return Blob(name, head, head, 0, len(head))
        data, start = self.source.buffer(self.offset, self.size)
        if len(data) - start < self.size:
            raise StorageError(
                "the archive was truncated while it was read",
                hint="Wait until it is written, and load it again.",
                file=name,
            )
        return Blob(name, head, data, start, self.size)


@dataclass
class Archive:
    """The members of an archive by their names."""

    path: str
    members: dict[str, Member] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    _read: dict[str, Blob] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The name that messages use."""
        return self.path

    def add(self, raw_name: str, member: Member) -> None:
        """Add a regular file.

        Raises:
            StorageError: Its name leads out of the archive or is taken, or there are too many
                members.
        """
        self.members[self._free(raw_name)] = member

    def add_link(self, raw_name: str, target: str, *, relative: bool) -> None:
        """Add a link to another member; the target of a symbolic link is `relative` to its folder.

        Raises:
            StorageError: It leads out of the archive.
        """
        name = self._free(raw_name)
        if relative:
            target = _relative(name, target, self.path)
        self.links[name] = member_name(target, self.path)

    def check(self, raw_name: str) -> None:
        """Check the name of a folder.

        Raises:
            StorageError: It leads out of the archive.
        """
        member_name(raw_name, self.path)

    def _free(self, raw_name: str) -> str:
        name = member_name(raw_name, self.path)
        if not name:
            raise refuse_nameless(self.path)
        if name in self.members or name in self.links:
            raise StorageError(
                f"the archive has two members '{name}'",
                hint="Tools differ in which one they read. Pack the archive again.",
                file=self.path,
                section="5.1",
            )
        if len(self.members) + len(self.links) >= MAX_MEMBERS:
            raise StorageError(
                f"the archive has more than {MAX_MEMBERS:,} members", file=self.path, section="5.1"
            )
        return name

    def names(self) -> Iterable[str]:
        """Return the names of all files, links included."""
        return [*self.members, *self.links]

    def get(self, name: str) -> Blob | None:
        """Return the bytes of a member, or None if there is no such member.

        Raises:
            StorageError: It cannot be unpacked, or is a link that leads nowhere.
        """
        file = f"{self.path}/{name}"
        for _ in range(_MAX_LINKS):
            if name in self.members:
                if name not in self._read:
                    self._read[name] = self.members[name].blob(file)
                return replace(self._read[name], name=file)
            if name not in self.links:
                return None
            name = self.links[name]
            if name not in self.members and name not in self.links:
                break
        raise StorageError(
            f"the member is a link to '{name}', which is not a file of the archive",
            file=file,
            section="5.1",
        )


def _relative(name: str, target: str, file: str) -> str:
    """Return the name of the member that a symbolic link leads to."""
    parts = name.split("/")[:-1]
    for part in target.replace("\\", "/").split("/"):
        if part == "..":
            if not parts:
                # Out of the archive: reported as any name that leads out of it.
                return member_name(target, file)
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return target if target.startswith(("/", "\\")) else "/".join(parts)

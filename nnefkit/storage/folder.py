"""A folder as the container of a model: files are mapped, links are followed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from nnefkit.storage.blob import Blob, open_blob
from nnefkit.storage.system_errors import unreadable


class Folder:
    """The files in a folder and in its sub-folders."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._prefix = os.path.join(path, "")  # noqa: PTH118 - the fast path needs a string

    @property
    def place(self) -> str:
        """The name that messages use."""
        return str(self.path)

    def names(self) -> Iterable[str]:
        """Return the names of the files, with ``/`` between folders, in a stable order."""
        return self._names

    @cached_property
    def _names(self) -> list[str]:
        return list(_walk(self._prefix))

    def get(self, name: str) -> Blob | None:
        """Return the bytes of a file, mapped into memory, or None if there is no such file.

        Raises:
            StorageError: It cannot be read.
        """
        path = self._prefix + name
        try:
            os.lstat(path)
        except PermissionError as error:
            # The file may or may not exist.
            raise unreadable(error, path) from error
        except (OSError, ValueError):
            return None
        return open_blob(path)


def _walk(prefix: str) -> Iterator[str]:
    # Links to folders are not followed: they may form a loop.
    for folder, folders, files in os.walk(prefix):
        folders.sort()
        below = folder[len(prefix) :].replace(os.sep, "/")
        yield from (f"{below}/{file}" if below else file for file in sorted(files))

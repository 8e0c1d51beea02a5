"""Writing that leaves the old file or folder in place until the new one is complete.

New content is written next to it under a temporary name, and renamed when it is complete. Files
that are memory-mapped stay readable: their data lives as long as the mapping.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nnefkit.errors import StorageError
from nnefkit.storage.system_errors import system_hint, system_message


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into a `StorageError` about `path`."""
    try:
        yield
    except (OSError, ValueError) as error:
        about = getattr(error, "filename", None)
        about = about if isinstance(about, str) and not _is_temporary(about) else str(path)
        message = f"the file cannot be written: {system_message(error)}"
        raise StorageError(message, hint=system_hint(error), file=about) from error


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing, which replaces `path` if the block succeeds.

    Raises:
        StorageError: `path` is a folder, or cannot be written.
    """
    with writing_to(path):
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise StorageError(
                "this is a folder, which cannot be replaced by a file",
                hint="Give a file name.",
                file=str(path),
            )
        _check_parent(target)
        temporary = _temporary_sibling(target)
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Create a folder to fill, which replaces `path` if the block succeeds.

    Raises:
        StorageError: `path` is a file or the current folder, or cannot be written.
    """
    with writing_to(path):
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_dir():
            raise StorageError(
                "this is a file, which cannot be replaced by a folder",
                hint="Give the name of a folder, or of an archive (.nnef.tgz, .tar, .zip).",
                file=str(path),
            )
        if target.is_dir() and Path.cwd().is_relative_to(target):
            raise StorageError(
                "the current folder cannot be replaced",
                hint="Save to another folder, or change the current folder first.",
                file=str(path),
            )
        _check_parent(target)
        temporary = _temporary_sibling(target)
        try:
            temporary.mkdir()
            yield temporary
            _swap(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _swap(new: Path, target: Path) -> None:
    """Replace `target` by `new`; if that fails, leave `target` unchanged."""
    if not target.exists():
        new.rename(target)
        return
    shutil.copystat(target, new)
    old = _temporary_sibling(target)
    try:
        target.rename(old)
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    # The new model is in place. Failing to remove the old one is untidy, but not an error.
    shutil.rmtree(old, ignore_errors=True)


def _check_parent(target: Path) -> None:
    if not target.parent.is_dir():
        raise StorageError(
            f"the folder {target.parent} does not exist", hint="Create it first.", file=str(target)
        )


_MARK = ".nnefkit-"


def _temporary_sibling(target: Path) -> Path:
    # Shorten the name, since a long one may leave no room for a suffix.
    return target.with_name(f".{target.name[:60]}{_MARK}{secrets.token_hex(6)}")


def _is_temporary(path: str) -> bool:
    return _MARK in path

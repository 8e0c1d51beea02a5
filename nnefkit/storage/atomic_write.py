"""Writing that leaves the old file or folder in place until the new one is complete.

New content is written next to it under a temporary name, and renamed when it is complete. Files
that are memory-mapped stay readable: their data lives as long as the mapping.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nnefkit.errors import StorageError
from nnefkit.storage import exchange
from nnefkit.storage.leftovers import (
    OLD,
    claimed,
    is_temporary,
    put_back,
    released,
    remove_leftovers,
    temporary_sibling,
    written_to,
)
from nnefkit.storage.system_errors import system_hint, system_message


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into a `StorageError` about `path`."""
    try:
        yield
    except (OSError, ValueError) as error:
        interrupt = _interrupt(error)
        if interrupt is not None:
            raise interrupt from None
        about = getattr(error, "filename", None)
        about = about if isinstance(about, str) and not is_temporary(about) else str(path)
        message = f"the file cannot be written: {system_message(error)}"
        raise StorageError(message, hint=system_hint(error), file=about) from error


def _interrupt(error: BaseException) -> KeyboardInterrupt | None:
    """Return the interrupt after which closing a file failed, if that is the cause."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__context__
    return cause


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
        remove_leftovers(target.parent)
        temporary, lock = claimed(lambda: temporary_sibling(target), _new_file)
        try:
            with temporary.open("r+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            written_to(target.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            released(lock)


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
        put_back(target)
        remove_leftovers(target.parent)
        temporary, lock = claimed(lambda: temporary_sibling(target), Path.mkdir)
        try:
            yield temporary
            _swap(temporary, target)
            written_to(target.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        finally:
            released(lock)


def _new_file(path: Path) -> None:
    path.open("xb").close()


def _swap(new: Path, target: Path) -> None:
    """Replace `target` by `new`; if that fails, leave `target` unchanged."""
    if not target.exists():
        new.rename(target)
        return
    shutil.copystat(target, new)
    old = new
    if not exchange.exchanged(new, target):
        # For a moment there is nothing at the target.
        old = temporary_sibling(target, OLD)
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

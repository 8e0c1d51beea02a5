"""Errors of the operating system in the words of this package, with hints."""

from __future__ import annotations

import errno

from nnefkit.errors import StorageError

_HINTS = {
    errno.EACCES: "Change its permissions, or ask its owner to.",
    errno.EPERM: "Change its permissions, or ask its owner to.",
    errno.EROFS: "Choose a place that can be written to.",
    errno.ENOSPC: "The disk is full: make room, or choose another place.",
    errno.EDQUOT: "Your disk quota is used up: make room, or choose another place.",
    errno.ELOOP: "A symbolic link leads back to itself: replace it by the file that it stands for.",
    errno.ENAMETOOLONG: "Give a shorter name.",
    errno.ENOTDIR: "A part of the path is a file, not a folder.",
    errno.EEXIST: "A file of that name is in the way: choose another name.",
    errno.ENOENT: "Check the path.",
    errno.EMFILE: "Too many files are open: close some, or raise the limit (ulimit -n).",
}


def system_message(error: Exception) -> str:
    """Return what the operating system reports, without the path and the error number."""
    return str(getattr(error, "strerror", None) or error).lower()


def system_hint(error: Exception) -> str:
    """Return how to fix what the operating system reports, or an empty string."""
    return _HINTS.get(getattr(error, "errno", None) or 0, "")


def unreadable(error: Exception, path: object, subject: str = "the file") -> StorageError:
    """Return the error for something at `path` that the operating system does not let us read."""
    message = f"{subject} cannot be read: {system_message(error)}"
    return StorageError(message, hint=system_hint(error), file=str(path))

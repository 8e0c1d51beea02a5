"""Errors of the operating system, turned into errors of this package with hints."""

from __future__ import annotations

import errno

from nnefkit.errors import StorageError

_HINTS = {
    errno.EACCES: "Change its permissions, or ask its owner to.",
    errno.EPERM: "Change its permissions, or ask its owner to.",
    errno.EROFS: "Choose a writable location.",
    errno.ENOSPC: "The disk is full: free some space, or choose another location.",
    errno.EDQUOT: "Your disk quota is used up: free some space, or choose another location.",
    errno.ELOOP: "A symbolic link leads back to itself: replace it by the intended file.",
    errno.ENAMETOOLONG: "Give a shorter name.",
    errno.ENOTDIR: "A part of the path is a file, not a folder.",
    errno.EEXIST: "A file of that name exists already: choose another name.",
    errno.ENOENT: "Check the path.",
    errno.EMFILE: "Too many files are open: close some, or raise the limit (ulimit -n).",
}


def system_message(error: Exception) -> str:
    """Return the message of the operating system, without the path and the error number."""
    return str(getattr(error, "strerror", None) or error).lower()


def system_hint(error: Exception) -> str:
    """Return how to fix an error of the operating system, or an empty string."""
    return _HINTS.get(getattr(error, "errno", None) or 0, "")


def unreadable(error: Exception, path: object, subject: str = "the file") -> StorageError:
    """Return the error for a `path` that the operating system cannot read."""
    message = f"{subject} cannot be read: {system_message(error)}"
    return StorageError(message, hint=system_hint(error), file=str(path))

"""Errors that are also of the built-in class that the Khronos package raises in their place."""

from __future__ import annotations

from nnefkit.errors import NnefError, StorageError


class WrongTypeError(NnefError, TypeError):
    """A value that NNEF text cannot hold."""

    code = "wrong-input"


class TensorFileError(StorageError, ValueError):
    """A tensor that cannot be read from a file, or written to one (5.2)."""


class ExistingFolderError(StorageError, RuntimeError):
    """A path where a model cannot be saved, since something is there already."""

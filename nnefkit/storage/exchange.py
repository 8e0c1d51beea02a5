"""Atomic exchange of two files or folders, where the system supports it."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

_CURRENT_FOLDER = -100
_SWAP = 2


def exchanged(one: Path, other: Path) -> bool:
    """Exchange two paths atomically, and return whether the system supports it."""
    swap = _swap()
    return swap is not None and swap(os.fsencode(one), os.fsencode(other)) == 0


@functools.cache
def _swap() -> Callable[[bytes, bytes], int] | None:
    if sys.platform not in ("linux", "darwin"):
        return None
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    try:
        if sys.platform == "darwin":
            rename = library.renamex_np
            rename.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint]
            return lambda one, other: rename(one, other, _SWAP)
        rename = library.renameat2
        folder, path = ctypes.c_int, ctypes.c_char_p
        rename.argtypes = [folder, path, folder, path, ctypes.c_uint]
        return lambda one, other: rename(_CURRENT_FOLDER, one, _CURRENT_FOLDER, other, _SWAP)
    except AttributeError:
        # An old C library.
        return None

"""What reading a damaged, encrypted or forged file raises."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from tokenize import TokenError

UNREADABLE = (
    *(OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(struct.error, TokenError, OverflowError),
    *(NotImplementedError, RuntimeError, MemoryError, IndexError, KeyError, TypeError),
)
"""The errors of libraries that mean that a file cannot be read."""

"""The index of a checkpoint: a table of sorted strings in blocks, each with a checksum.

A block holds entries, each of which shares the first bytes of its key with the entry before, then
the positions at which whole keys are stored. A byte with the kind of compression and a masked
CRC-32C follow. The last bytes of the file point to the block that lists all others.
"""

from __future__ import annotations

from collections.abc import Iterator

from nnefkit.errors import StorageError
from nnefkit.exchange.tensorflow.checksum import masked_crc32c

_FOOTER, _TRAILER = 48, 5
_MAGIC = bytes.fromhex("57fb808b247547db")
_MAX_BLOCK = 2**28
_MAX_ENTRIES = 2**22
_SNAPPY = 1


class _DamageError(Exception):
    """What is wrong with a table."""


def table_entries(data: bytes, path: str = "") -> dict[bytes, bytes]:
    """Return the entries of a table.

    Args:
        data: The bytes of the file.
        path: The file, for errors.

    Raises:
        StorageError: It is not such a table, or it is damaged.
    """
    try:
        return _entries(data)
    except _DamageError as damage:
        raise StorageError(
            f"the index of the checkpoint is damaged: {damage}",
            hint="Copy the checkpoint again, all of its files.",
            file=path,
        ) from None


def _entries(data: bytes) -> dict[bytes, bytes]:
    if len(data) < _FOOTER or data[-len(_MAGIC) :] != _MAGIC:
        raise _DamageError("its last bytes are not those of a table")
    footer = data[-_FOOTER:]
    position = 0
    for _ in range(2):  # The block of blocks about blocks is not needed.
        _, position = _varint(footer, position)
    start, position = _varint(footer, position)
    size, _ = _varint(footer, position)
    entries: dict[bytes, bytes] = {}
    for _, handle in _block_entries(_block(data, start, size)):
        start, position = _varint(handle, 0)
        size, _ = _varint(handle, position)
        for key, value in _block_entries(_block(data, start, size)):
            if len(entries) >= _MAX_ENTRIES:
                raise _DamageError(f"it has more than {_MAX_ENTRIES:,} entries")
            entries[key] = value
    return entries


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and the position after it."""
    number = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise _DamageError("a number is cut off")
        byte = data[position]
        position += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, position


def _block(data: bytes, start: int, size: int) -> bytes:
    end = start + size
    if size > _MAX_BLOCK or end + _TRAILER > len(data) - _FOOTER:
        raise _DamageError("a block is outside of the file")
    block, kind = data[start:end], data[end]
    if int.from_bytes(data[end + 1 : end + _TRAILER], "little") != masked_crc32c(
        data[start : end + 1]
    ):
        raise _DamageError("the checksum of a block is wrong")
    if kind == _SNAPPY:
        return _decompressed(block)
    if kind:
        raise _DamageError(f"a block is compressed in the way {kind}, which is unknown")
    return block


def _block_entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(block) < 4:
        raise _DamageError("a block is too short")
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        raise _DamageError("a block is too short")
    entries, position, key = block[:end], 0, b""
    while position < end:
        shared, position = _varint(entries, position)
        unshared, position = _varint(entries, position)
        length, position = _varint(entries, position)
        if shared > len(key) or position + unshared + length > end:
            raise _DamageError("an entry is cut off")
        key = key[:shared] + entries[position : position + unshared]
        position += unshared
        yield key, entries[position : position + length]
        position += length


def _decompressed(block: bytes) -> bytes:
    """Return the bytes of a block in Snappy's format: literals, and copies of earlier bytes."""
    size, position = _varint(block, 0)
    if size > _MAX_BLOCK:
        raise _DamageError("a block is too large")
    result = bytearray()
    while position < len(block):
        tag = block[position]
        position += 1
        if tag & 3 == 0:
            length = (tag >> 2) + 1
            if length > 60:
                width = length - 60
                length = int.from_bytes(block[position : position + width], "little") + 1
                position += width
            result += block[position : position + length]
            position += length
        else:
            position = _copy(result, block, position, tag)
        if len(result) > size:
            break
    if len(result) != size or position != len(block):
        raise _DamageError("a block cannot be decompressed")
    return bytes(result)


def _copy(result: bytearray, block: bytes, position: int, tag: int) -> int:
    """Append earlier bytes, and return the position after the element."""
    if tag & 3 == 1:
        length = (tag >> 2 & 7) + 4
        width, high = 1, (tag >> 5) << 8
    else:
        length, width, high = (tag >> 2) + 1, 2 if tag & 3 == 2 else 4, 0
    distance = high | int.from_bytes(block[position : position + width], "little")
    if not 0 < distance <= len(result):
        raise _DamageError("a block cannot be decompressed")
    for _ in range(length):
        result.append(result[-distance])
    return position + width

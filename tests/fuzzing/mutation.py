"""Mutations of bytes and of sequences, and smaller versions of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

TOKEN = re.compile(r"\s+|#[^\n]*|\w+|'[^'\n]*'|\"[^\"\n]*\"|->|[<>=!]=|&&|\|\||.", re.DOTALL)
EDGES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256)
EDGES += (1000, 2**15, 2**16 - 1, 2**16, 2**24 + 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32)
EDGES += (2**53 + 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
"""Numbers at which something changes."""


def tokens_of(text: str) -> list[str]:
    """Return the pieces of a text, white space and comments included."""
    return TOKEN.findall(text)


def mutated_parts(parts: Sequence[Any], vocabulary: Sequence[Any], chance: Random) -> list[Any]:
    """Delete, repeat, swap, insert or replace some elements of a sequence."""
    parts = list(parts)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(parts)) if parts else 0
        end = at + chance.choice((1, 1, 1, 2, 5, 20))
        match chance.randrange(12):
            case 0 | 1:
                del parts[at:end]
            case 2 | 3:
                parts[at:at] = parts[at:end] * chance.choice((1, 1, 2, 30))
            case 4 | 5 if parts:
                other = chance.randrange(len(parts))
                parts[at], parts[other] = parts[other], parts[at]
            case 6:
                to = chance.randrange(len(parts)) if parts else 0
                moved = parts[at:end]
                del parts[at:end]
                parts[to:to] = moved
            case 7 | 8:
                parts.insert(at, chance.choice(vocabulary))
            case 9 | 10:
                parts[at : at + 1] = [chance.choice(vocabulary)]
            case 11 if chance.random() < 0.3:
                del parts[at:]
    return parts


def mutated_bytes(content: bytes, chance: Random, *, most: int = 1 << 16) -> bytes:
    """Flip, overwrite, insert, repeat or cut off some bytes."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        reach = min(len(changed), chance.choice((12, 60, 128, 600, 1 << 20)))
        at = chance.randrange(reach) if reach else 0
        if chance.random() < 0.2 and changed:  # archives have their directory at the end
            at = len(changed) - 1 - min(at, len(changed) - 1)
        match chance.randrange(9):
            case 0 | 1 if changed:
                changed[at] ^= 1 << chance.randrange(8)
            case 2:
                changed[at : at + 1] = bytes([chance.choice((0, 1, 2, 32, 127, 128, 255))])
            case 3:
                width = chance.choice((1, 2, 4, 8))
                value = chance.choice(EDGES) % (1 << 8 * width)
                order = chance.choice(("little", "little", "big"))
                changed[at : at + width] = value.to_bytes(width, order)
            case 4 if chance.random() < 0.4:
                del changed[at:]
            case 5:
                changed[at:at] = chance.randbytes(chance.choice((1, 4, 100)))
            case 6:
                del changed[at : at + chance.choice((1, 1, 2, 4, 8, 100))]
            case 7:
                changed[at:at] = changed[at : at + chance.choice((1, 4, 16, 512))]
            case 8:
                other = chance.randrange(len(changed)) if changed else 0
                length = chance.choice((1, 4, 16, 512))
                changed[at : at + length] = changed[other : other + length]
    return bytes(changed[:most])


def without_parts(parts: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield the sequence without one of its runs of elements, from long runs to short ones."""
    size = len(parts)
    while size > 1:
        size = (size + 1) // 2
        for at in range(0, len(parts), size):
            yield [*parts[:at], *parts[at + size :]]
        if size == 1:
            return


def smaller_text(data: bytes) -> Iterator[bytes]:
    """Return texts with fewer tokens."""
    text = data.decode("utf-8", "surrogatepass")
    for parts in without_parts(tokens_of(text)):
        yield "".join(parts).encode("utf-8", "surrogatepass")
    for parts in without_parts(text):
        yield "".join(parts).encode("utf-8", "surrogatepass")


def smaller_bytes(data: bytes) -> Iterator[bytes]:
    """Return fewer bytes, or as many with zeros among them."""
    for parts in without_parts(data):
        yield bytes(parts)
    size = len(data)
    while size > 1:
        size = (size + 1) // 2
        for at in range(0, len(data), size):
            if any(data[at : at + size]):
                zeros = bytes(min(size, len(data) - at))
                yield data[:at] + zeros + data[at + size :]
        if size == 1:
            return

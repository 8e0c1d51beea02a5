"""The shortest edit script between two sequences (Myers, Algorithmica 1986)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

LARGEST = 1200
"""Number of insertions and deletions from which on the search ends."""


def common_pairs(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]] | None:
    """Return the indices of the elements of a longest common subsequence.

    The time grows with the length and with the square of the number of differences.

    Returns:
        Pairs of indices in `a` and `b`, in order; None if there are more than `LARGEST` insertions
        and deletions.
    """
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    stop = 0
    while stop < min(len(a), len(b)) - start and a[-1 - stop] == b[-1 - stop]:
        stop += 1
    inner = _search(a[start : len(a) - stop], b[start : len(b) - stop])
    if inner is None:
        return None
    head = [(i, i) for i in range(start)]
    tail = [(len(a) - i, len(b) - i) for i in range(stop, 0, -1)]
    return [*head, *((start + i, start + j) for i, j in inner), *tail]


def _search(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]] | None:
    # Of each diagonal x - y, the farthest x that some number of edits reaches.
    farthest = {1: 0}
    history = []
    for edits in range(min(len(a) + len(b), LARGEST) + 1):
        history.append(dict(farthest))
        for diagonal in range(-edits, edits + 1, 2):
            down = diagonal == -edits or (
                diagonal != edits
                and farthest.get(diagonal - 1, -1) < farthest.get(diagonal + 1, -1)
            )
            x = farthest[diagonal + 1] if down else farthest[diagonal - 1] + 1
            y = x - diagonal
            while x < len(a) and y < len(b) and a[x] == b[y]:
                x, y = x + 1, y + 1
            farthest[diagonal] = x
            if x >= len(a) and y >= len(b):
                return _path(history, len(a), len(b))
    return None


def _path(history: Sequence[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    pairs = []
    for edits in range(len(history) - 1, -1, -1):
        before = history[edits]
        diagonal = x - y
        down = diagonal == -edits or (
            diagonal != edits and before.get(diagonal - 1, -1) < before.get(diagonal + 1, -1)
        )
        previous = diagonal + 1 if down else diagonal - 1
        px = before[previous] if edits else 0
        py = px - previous if edits else 0
        while x > px and y > py and (x, y) != (0, 0):
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = px, py
    return pairs[::-1]

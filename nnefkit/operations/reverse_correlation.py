"""The arithmetic of `deconv` (4.3.1): a matrix product and shifted sums."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from nnefkit.arrays import Array
from nnefkit.operations.borders import pad
from nnefkit.operations.window import Window, reverse_tap

PRODUCTS_BYTES = 8 << 20
"""Size of the block of products that is computed before they are added up."""


def reverse_correlate(
    input: Array, filter: Array, extents: Sequence[int], window: Window, groups: int
) -> Array:
    """Add the filter, times each element of the input, to the elements that it correlates.

    Args:
        input: An array of shape (N,c,...).
        filter: An array of shape (c, C / groups, ...) and the dtype of `input`.
        extents: The spatial extents of the output.
        window: A window as large as the filter, over these extents.
        groups: The number of groups, at least 1.

    Returns:
        An array of shape (N,C,...).
    """
    extension: Sequence[tuple[int, int]] = ((0, 0),) * len(extents)
    items = input
    if window.border != "constant":
        extension = window.reverse_extension(input.shape[2:], extents)
        items = pad(input, ((0, 0), (0, 0), *extension), window.border)
    batch, channels, *inner = items.shape
    results = filter.shape[1]
    # One matrix for each entry of the filter: (entries, groups, C / groups, c / groups).
    matrices = filter.reshape(groups, channels // groups, results, -1).transpose(3, 0, 2, 1)
    flat = items.reshape(batch, 1, groups, channels // groups, -1)
    output = np.zeros((batch, groups, results, *extents), input.dtype)
    taps = _reverse_taps(inner, extents, window, extension)
    size = batch * groups * results * flat.shape[-1] * input.itemsize
    for entries in _batched(taps, max(PRODUCTS_BYTES // size, 1)):
        chosen = np.ascontiguousarray(matrices[[entry for entry, _, _ in entries]])
        products = chosen * flat if groups == channels else np.matmul(chosen, flat)
        products = products.reshape(batch, len(entries), groups, results, *inner)
        for index, (_, source, target) in enumerate(entries):
            everywhere = (slice(None),) * 3
            output[(*everywhere, *target)] += products[:, index][(*everywhere, *source)]
    return output.reshape(batch, groups * results, *extents)


_Tap = tuple[int, tuple[slice, ...], tuple[slice, ...]]


def _reverse_taps(
    extents: Sequence[int],
    results: Sequence[int],
    window: Window,
    extension: Sequence[tuple[int, int]],
) -> Iterator[_Tap]:
    """Yield for each entry of the window the input elements that it overlaps, and their targets."""
    ranges = [
        [reverse_tap(x, X, s, j * d - p - lo * s) for j in range(f)]
        for x, X, (f, (p, _), s, d), (lo, _) in zip(
            extents, results, window.axes, extension, strict=True
        )
    ]
    for entry, pairs in enumerate(itertools.product(*ranges)):
        met = [pair for pair in pairs if pair is not None]
        if len(met) == len(pairs):
            yield entry, tuple(source for source, _ in met), tuple(target for _, target in met)


def _batched(taps: Iterator[_Tap], count: int) -> Iterator[list[_Tap]]:
    while batch := list(itertools.islice(taps, count)):
        yield batch

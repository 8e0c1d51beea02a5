"""Differences of weights in words: how much, and whether they lie on a grid."""

from __future__ import annotations

import numpy as np

from nnefkit.analysis.metrics import metrics
from nnefkit.arrays import Array
from nnefkit.display.elements import code
from nnefkit.display.numbers import number
from nnefkit.graph import Graph

_LARGEST_GRID = 256
_FEWEST = 64
"""Number of elements from which on few values are no chance."""
_SAMPLE = 1 << 20


def described_cause(name: str, graph: Graph, reference: Graph) -> str:
    """Describe how the weight `name` of a graph differs from that of the reference, as a clause."""
    ours = graph.tensors[name].data
    theirs = reference.tensors[name].data if name in reference.tensors else None
    words = f"its weight {code(name)} differs"
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return words
    words += f" (SNR {number(metrics(theirs, ours).snr)} dB"
    bits = grid_bits(ours)
    if bits is not None and (grid_bits(theirs) or bits + 1) > bits:
        words += f", {bits}-bit grid"
    return f"{words})"


def grid_bits(array: Array) -> int | None:
    """Return the number of bits of a grid that the elements lie on; None if there is none.

    A weight quantized to ``n`` bits has at most ``2^n`` values, of all channels or of each.
    """
    if array.size < _FEWEST or array.dtype.kind != "f":
        return None
    channels = [array] if array.ndim < 2 else [array, *array]
    counts = [len(np.unique(channel.reshape(-1)[:_SAMPLE])) for channel in channels[:65]]
    most = counts[0] if counts[0] <= _LARGEST_GRID else max(counts[1:], default=counts[0])
    size = channels[-1].size if counts[0] > _LARGEST_GRID else array.size
    if most > _LARGEST_GRID or most * 2 > size:
        return None
    return max(1, int(np.ceil(np.log2(most))))

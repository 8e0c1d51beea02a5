"""Convolutions with known filters and resolved windows, and the operations fused with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.numpy.specialization import Bounds
from nnefkit.operations.correlation import Correlator, correlator
from nnefkit.operations.window import Window


class Affine(NamedTuple):
    """A batch normalization: a mean to subtract, a factor and an offset for each channel.

    It performs the same steps as the reference kernel. Folding it into the filter and bias would be
    faster, but would round differently: a trace would differ from a run without recording.
    """

    mean: Array | None
    """Of shape (channels,), as the others; None where it is zero."""
    factor: Array
    offset: Array

    def apply(self, source: Array, out: Array) -> None:
        """Normalize an array (N, channels, ...) into a contiguous one, which may be itself."""
        source, planes = (a.reshape(*a.shape[:2], -1) for a in (source, out))
        if self.mean is not None:
            source = np.subtract(source, self.mean[:, None], out=planes)
        np.multiply(source, self.factor[:, None], out=planes)
        np.add(planes, self.offset[:, None], out=planes)


class Epilogue(NamedTuple):
    """Operations on the result of a convolution, in this order."""

    affine: Affine | None = None
    added: bool = False
    """Whether another tensor of the same shape is added; it is an argument after the input."""
    bounds: Bounds | None = None


@dataclass(frozen=True)
class ResolvedConvolution:
    """A convolution with a known filter and bias."""

    filter: Array
    bias: Array | None
    """Of shape (channels,), without negative zeros."""
    input: tuple[int, ...]
    output: tuple[int, ...]
    window: Window
    groups: int
    epilogue: Epilogue

    @property
    def padded(self) -> bool:
        """Whether the input is extended or cropped."""
        return any(p or q for p, q in self.window.padding)

    def finish(self, out: Array, addend: Array | None = None, biased: bool = False) -> None:
        """Add the bias to a contiguous result (unless `biased`), and apply the epilogue."""
        affine, _, bounds = self.epilogue
        if self.bias is not None and not biased:
            planes = out.reshape(out.shape[0], out.shape[1], -1)
            np.add(planes, self.bias[:, None], out=planes)
        if affine is not None:
            affine.apply(out, out)
        if addend is not None:
            np.add(out, addend, out=out)
        if bounds is not None:
            if self.bias is None or affine is not None:
                np.add(out, 0.0, out=out)  # turns -0 into 0, as the formulas of 4.2.4 do
            bounds.apply(out)

    def compute_exactly(self, out: Array, x: Array) -> None:
        """Compute the result without sparse matrices, which spread NaN and infinities."""
        correlate: Correlator = correlator(
            self.filter, self.input[2:], self.window, self.groups, self.bias
        )
        np.copyto(out, correlate(x))
        self.finish(out, biased=True)

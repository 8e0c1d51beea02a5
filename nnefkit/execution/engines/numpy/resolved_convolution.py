"""A convolution with everything known, and what is done to its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.numpy.specialization import Bounds
from nnefkit.operations.correlation import Correlator, correlator
from nnefkit.operations.window import Window


class Affine(NamedTuple):
    """A batch normalisation: what is subtracted from each channel, a factor, what is added.

    It is computed by the steps of the reference kernel. Another filter and bias could do it all at
    once, but would round in other places: a trace would not have the numbers of a plain run.
    """

    mean: Array | None
    """Of shape (c,), as the others; None where there is nothing to subtract."""
    factor: Array
    offset: Array

    def apply(self, source: Array, out: Array) -> None:
        """Normalises an array of shape (N, c, ...) into a contiguous one, maybe itself."""
        source, planes = (a.reshape(*a.shape[:2], -1) for a in (source, out))
        if self.mean is not None:
            source = np.subtract(source, self.mean[:, None], out=planes)
        np.multiply(source, self.factor[:, None], out=planes)
        np.add(planes, self.offset[:, None], out=planes)


class Epilogue(NamedTuple):
    """What is done to the result of a convolution, in this order."""

    affine: Affine | None = None
    added: bool = False
    """Whether another tensor of the same shape is added; it is an argument after the input."""
    bounds: Bounds | None = None


@dataclass(frozen=True)
class Convolution:
    """A convolution with everything resolved."""

    filter: Array
    bias: Array | None
    """Of shape (c,), without negative zeros."""
    input: tuple[int, ...]
    output: tuple[int, ...]
    window: Window
    groups: int
    epilogue: Epilogue

    @property
    def padded(self) -> bool:
        """Whether anything lies outside of the input, or is cropped from it."""
        return any(p or q for p, q in self.window.padding)

    def finish(self, out: Array, addend: Array | None = None, biased: bool = False) -> None:
        """Adds the bias to a contiguous result (unless it is there already), and does the rest."""
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
                np.add(out, 0.0, out=out)  # makes 0 of -0, as the formulae of 4.2.4 do
            bounds.apply(out)

    def exactly(self, out: Array, x: Array) -> None:
        """Computes the result without mostly empty matrices, which spread what is not finite."""
        correlate: Correlator = correlator(
            self.filter, self.input[2:], self.window, self.groups, self.bias
        )
        np.copyto(out, correlate(x))
        self.finish(out, biased=True)

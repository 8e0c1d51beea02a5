"""Arguments of calls of operations, drawn by hypothesis."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

BORDERS = ["constant", "replicate", "reflect", "reflect-even"]


@dataclass
class Call:
    """One call of an operation: arrays, literals and lists of them, and attributes."""

    inputs: list
    attribs: dict
    dtype: str | None = None
    spread: float = 1.0
    """How much the tolerance is to be widened."""


class Drawing:
    """Draws the arguments of calls."""

    def __init__(self, draw, strange=True, plain=False):
        self.draw = draw
        self.strange = strange
        self.plain = plain
        """Whether windows slide over spatial dimensions only, beyond which zeros lie."""
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32)))

    def number(self, low, high):
        return self.draw(st.integers(low, high))

    def one(self, *choices):
        return self.draw(st.sampled_from(choices))

    def flag(self):
        return self.draw(st.booleans())

    def shape(self, least=0, most=5, top=4):
        return tuple(self.number(1, top) for _ in range(self.number(least, most)))

    def array(self, shape, low=-2.0, high=2.0, strange=False):
        array = self.rng.uniform(low, high, shape).astype(np.float32)
        if strange and self.strange and array.size and self.flag():
            places = self.rng.integers(0, array.size, 2)
            array.reshape(-1)[places] = self.draw(
                st.sampled_from([np.nan, np.inf, -np.inf, -0.0, 0.0])
            )
        return array

    def near(self, shape, literals=(0.5, -1.0, 0.0, 2)):
        """A tensor that broadcasts to `shape`, or a literal."""
        if self.flag():
            return self.one(*literals)
        cut = shape[: self.number(0, len(shape))]
        return self.array(tuple(self.one(1, n) for n in cut))

    def axes(self, rank):
        return self.draw(st.permutations(range(rank)))[: self.number(0, rank)]

    def window(self, extents, *, borders=BORDERS, negative=True, fixed=0, spans=None):
        """size, border, padding, stride and dilation that fit an input."""
        if self.plain:
            borders, negative = [b for b in borders if b in ("constant", "ignore")], False
        automatic = self.flag()
        size, padding, stride, dilation = [], [], [], []
        for axis, extent in enumerate(extents):
            if axis < fixed:
                size.append(1), padding.append((0, 0)), stride.append(1), dilation.append(1)
                continue
            f = self.number(1, 3) if spans is None else spans[axis]
            d = self.number(1, 2)
            low = -1 if negative and extent > 2 and self.flag() else 0
            p, q = self.number(low, 2), self.number(low, 2)
            lacking = (f - 1) * d + 1 - (p + extent + q)
            if lacking > 0:
                q += lacking
            size.append(f), padding.append((p, q)), dilation.append(d)
            stride.append(self.number(1, 3))
        if not fixed and self.flag():
            stride = []
        return size, {
            "border": self.one(*borders),
            "padding": [] if automatic else padding,
            "stride": stride,
            "dilation": dilation,
        }

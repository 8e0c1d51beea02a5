"""Arguments of calls of operations, drawn by hypothesis."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

BORDERS = ["constant", "replicate", "reflect", "reflect-even"]
VOLUME = 120
"""The approximate number of elements of a wild tensor."""


@dataclass
class Call:
    """One call of an operation: arrays, literals and lists of them, and attributes."""

    inputs: list
    attribs: dict
    dtype: str | None = None
    spread: float = 1.0
    """The factor by which the tolerance is wider."""
    least: float = 1e-3
    """The size that rounding is relative to, where results are smaller: sums may cancel."""


class Drawing:
    """Draws the arguments of calls."""

    def __init__(self, draw, strange=True, plain=False, wild=False):
        self.draw = draw
        self.strange = strange
        """Whether there may be NaN, infinities and zeros of both signs."""
        self.plain = plain
        """Whether calls are like those of most networks: windows slide only over spatial
        dimensions, with zeros as the border."""
        self.wild = wild
        """Whether ranks, strides, dilation and padding go as far as the specification allows."""
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32)))

    def number(self, low, high):
        return self.draw(st.integers(low, high))

    def one(self, *choices):
        return self.draw(st.sampled_from(choices))

    def flag(self):
        return self.draw(st.booleans())

    def shape(self, least=0, most=5, top=4):
        if not self.wild:
            return tuple(self.number(1, top) for _ in range(self.number(least, most)))
        room = VOLUME
        if self.number(0, 7) == 0:
            top, room = 40, 6 * VOLUME  # long enough for blocks and vectors
        extents = []
        for _ in range(self.number(least, 6 if most == 5 else most)):
            extents.append(self.number(1, max(min(top, room), 1)))
            room //= extents[-1]
        return tuple(extents)

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
        count = 1 if self.plain and rank else self.number(0, rank)
        return self.draw(st.permutations(range(rank)))[:count]

    def window(self, extents, *, borders=BORDERS, fixed=0, reverse=False):
        """size, border, padding, stride and dilation that fit an input."""
        if self.plain:
            borders = [b for b in borders if b in ("constant", "ignore")]
        far = self.wild and self.flag()
        automatic = self.flag()
        size, padding, stride, dilation = [], [], [], []
        entries = room = VOLUME
        for axis, extent in enumerate(extents):
            if axis < fixed:
                size.append(1), padding.append((0, 0)), stride.append(1), dilation.append(1)
                continue
            f = min(self.number(1, 4 if far else 3), max(entries, 1))
            entries //= f
            d = self.number(1, 3 if far else 2)
            low = min(2 if far else 1, (extent - 1) // 2) if not self.plain and self.flag() else 0
            p, q = (self.number(-low, 6 if far else 2) for _ in range(2))
            span = (f - 1) * d + 1
            q += max(span - (p + extent + q), 0)
            s = self.number(1, 9 if far and not reverse else 3)
            if self.wild:
                # Loops over single numbers are slow: few of them may be left.
                s = min(s, room) if reverse else max(s, (p + extent + q - span) // max(room, 1) + 1)
                room //= extent * s + span if reverse else (p + extent + q - span) // s + 1
                if reverse and not room:
                    s = 1
            size.append(f), padding.append((p, q)), dilation.append(d), stride.append(max(s, 1))
        if not fixed and not self.wild and self.flag():
            stride = []
        return size, {
            "border": self.one(*borders),
            "padding": [] if automatic else padding,
            "stride": stride,
            "dilation": dilation,
        }

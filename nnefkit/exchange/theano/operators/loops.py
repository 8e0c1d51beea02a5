"""Loops, whose steps are written one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from nnefkit.exchange.compositions.recurrent import MAX_STEPS
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.theano.call import Call, op
from nnefkit.exchange.theano.rows import row, stacked


class _Buffer:
    """The rows of a result of a loop, of which the last ones are kept.

    Args:
        size: The number of rows.
        taps: The distances of the rows that a step reads, which are negative.
    """

    def __init__(self, size: int, taps: Sequence[int]) -> None:
        self.size = size
        self.taps = taps
        self.first = -min(taps, default=0)
        self.place = self.first % size
        self.rows: dict[int, Value] = {}

    def read(self) -> list[int]:
        """Return the places that the next step reads."""
        return [(self.place + tap) % self.size for tap in self.taps]

    def write(self, value: Value) -> None:
        """Store the result of a step."""
        self.rows[self.place] = value
        self.place = (self.place + 1) % self.size

    def order(self, steps: int) -> list[int]:
        """Return the places of the rows of the result."""
        places = [*range(self.size)]
        if self.size < steps + self.first:
            return places[self.place :] + places[: self.place]
        return places


def _counts(c: Call) -> dict[str, int]:
    names = ("n_seqs", "n_mit_mot", "n_mit_sot", "n_sit_sot", "n_nit_sot", "n_shared_outs")
    counts = {name: c.integer(name, 0) for name in names}
    if min(counts.values()) < 0 or max(counts.values()) > 1 << 16:
        c.invalid(f"the numbers of its sequences and results are {[*counts.values()]}")
    if c.param("as_while", False) is not False:
        c.refuse("it ends by a condition", "Run it for a number of steps that is known.")
    if counts["n_mit_mot"]:
        c.refuse("it is the loop of a gradient", "Dump the outputs of the network only.")
    if counts["n_shared_outs"]:
        c.refuse("it changes shared variables in each step", "Return them as results.")
    return counts


def _buffers(c: Call, counts: dict[str, int], first: int) -> list[_Buffer]:
    """Return the buffers of the results; those that steps read come first."""
    recurrent = counts["n_mit_sot"] + counts["n_sit_sot"]
    taps: Any = c.param("tap_array", [])
    is_valid = isinstance(taps, list) and len(taps) == recurrent
    if not is_valid or not all(
        isinstance(each, list)
        and each
        and all(type(tap) is int and -MAX_STEPS <= tap < 0 for tap in each)
        for each in taps
    ):
        c.invalid(f"the rows that its steps read are {taps!r:.80}")
    buffers = []
    for number, each in enumerate(taps):
        initial = c[first + number]
        if not initial.rank or initial.shape[0] < -min(each):
            c.invalid(f"the initial state {number} has the shape {[*initial.shape]}")
        buffers.append(_Buffer(initial.shape[0], each))
    for number in range(counts["n_nit_sot"]):
        size = c.integer_at(first + recurrent + number, "number of results")
        if size < 1:
            c.invalid(f"it keeps {size} results")
        buffers.append(_Buffer(size, []))
    return buffers


@op("Scan")
def scan(c: Call) -> list[Value]:
    """Read the steps of a loop one after the other, if their number is constant."""
    counts = _counts(c)
    steps = c.integer_at(0, "number of steps")
    if not 1 <= steps <= MAX_STEPS:
        c.refuse(
            f"it has {steps} steps, and NNEF has no loops",
            f"From 1 to {MAX_STEPS} steps are unrolled: use a shorter input.",
        )
    starts = [*accumulate((1, counts["n_seqs"]))]
    sequences = [c[number] for number in range(*starts)]
    if any(not each.rank or each.shape[0] < steps for each in sequences):
        c.invalid(f"a sequence is shorter than {steps} steps")
    buffers = _buffers(c, counts, starts[1])
    recurrent = counts["n_mit_sot"] + counts["n_sit_sot"]
    initial = [c[starts[1] + number] for number in range(recurrent)]
    others = [c[n] for n in range(starts[1] + len(buffers), len(c.inputs))]
    slices = [c.ops("unstack", each, axis=0) for each in sequences]
    name = c.node.op.lower()
    for step in range(steps):
        inputs = [each[step] for each in slices]
        for buffer, state in zip(buffers, initial, strict=False):
            inputs += [
                buffer.rows[place] if place in buffer.rows else row(c, state, place)
                for place in buffer.read()
            ]
        results = c.run_inner([*inputs, *others], f"{name}{c.node.number}.{step}")
        if len(results) != len(buffers):
            c.invalid(f"a step has {len(results)} results, not {len(buffers)}")
        for buffer, result in zip(buffers, results, strict=True):
            buffer.write(result)
    return [_result(c, buffer, steps, state) for buffer, state in _paired(buffers, initial)]


def _paired(
    buffers: Sequence[_Buffer], initial: Sequence[Value]
) -> list[tuple[_Buffer, Value | None]]:
    missing = [None] * (len(buffers) - len(initial))
    return [*zip(buffers, [*initial, *missing], strict=True)]


def _result(c: Call, buffer: _Buffer, steps: int, initial: Value | None) -> Value:
    """Return the rows of a result that the loop has computed, after the initial ones."""
    rows = []
    for place in buffer.order(steps):
        if place in buffer.rows:
            rows.append(buffer.rows[place])
        elif initial is not None:
            rows.append(row(c, initial, place))
        else:
            c.invalid(f"it keeps {buffer.size} results of {steps} steps")
    return stacked(c, rows)

"""The result of `profile`, its sentences and displays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nnefkit.analysis.costs.cost_blocks import column
from nnefkit.analysis.costs.cost_result import Cost
from nnefkit.analysis.costs.timed_operation import TimedOperation
from nnefkit.display.cards.profile import ProfileRow, ProfileSummary, profile_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card, code
from nnefkit.display.numbers import duration, number, percent, plural
from nnefkit.display.summary_text import Summary, in_words
from nnefkit.errors import UnknownNameError, did_you_mean
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    *("tensor", "operation", "number", "line", "seconds", "seconds_q1", "seconds_q3"),
    *("seconds_min", "share", "macs", "flops", "bytes", "gflops", "gbytes"),
)


@dataclass(frozen=True, repr=False)
class Profile(Displayed):
    """The time that operations took over several runs, beside their cost: `nnefkit.profile`.

    Attributes:
        operations: Each `TimedOperation`, in the order of the graph: its median and quartiles in
            seconds, its share, and ``gflops`` and ``gbytes``, in 10^9 per second.
        graph: The graph that was run, with calls of fragments expanded.
        engine: Name of the engine.
        repeat: Number of runs that were measured.
        requested: Number of runs that were to be measured; more than `repeat` after an interrupt.
        warmup: Number of runs before these.
        seconds: Time of a whole run, the median.
        seconds_q1: Its lower quartile: a quarter of the runs took less.
        seconds_q3: Its upper quartile.
        cost: The cost of a run; None if shapes were unknown.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [8, 8]); y = matmul(x, x); }")
        >>> profile = nk.profile(graph, np.ones((8, 8)), repeat=5)
        >>> profile.seconds_q1 <= profile.seconds <= profile.seconds_q3
        True
        >>> profile["y"].share
        1.0
    """

    operations: tuple[TimedOperation, ...] = field(repr=False)
    graph: Graph = field(repr=False)
    engine: str
    repeat: int
    requested: int
    warmup: int
    seconds: float
    seconds_q1: float
    seconds_q3: float
    cost: Cost | None = field(repr=False)

    def __getitem__(self, tensor: str) -> TimedOperation:
        """Return the step that computes the tensor, perhaps together with others."""
        for row in self.operations:
            if row.tensor == tensor or tensor in row.fused:
                return row
        raise UnknownNameError(
            f"no operation that was measured computes '{tensor}' first",
            hint=did_you_mean(tensor, [name for row in self.operations for name in row.fused]),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each operation or step, in the order of the graph.

        Times are in seconds: the median over the runs, both quartiles and the least. ``fused`` has
        the results of all operations of a step. ``gflops`` and ``gbytes`` are achieved FLOPs and
        bytes, in 10^9 per second.
        """
        import pandas as pd

        frame = pd.DataFrame(
            {
                name: [getattr(row, name) for row in self.operations]
                if name in ("share", "gflops", "gbytes") or name.startswith("seconds")
                else column(self.operations, name)
                for name in _COLUMNS
            }
        )
        for name in ("gflops", "gbytes"):
            frame[name] = frame[name].astype("Float64")
        frame.insert(4, "fused", [", ".join(row.fused) for row in self.operations])
        return frame

    @property
    def summary(self) -> Summary:
        """The result in words."""
        return in_words(*self._answer)

    @property
    def _answer(self) -> tuple[str, str]:
        return f"A run takes {duration(self.seconds)}.", " ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        if self.repeat > 1:
            spread = f"{duration(self.seconds_q1)} to {duration(self.seconds_q3)}"
            yield f"It is the median of {self.repeat:,} runs, half of which take {spread}."
        if self.repeat < self.requested:
            yield f"It was interrupted before {self.requested:,} runs were done."
        whole = len(self.operations) == 1 and len(self.operations[0].fused) > 1
        if whole:
            count = plural(len(self.operations[0].fused), "operation")
            yield f"{self.engine} reports no times of single operations: it has one for {count}."
        elif self.operations:
            longest = max(self.operations, key=lambda row: row.seconds)
            line = "" if longest.line is None else f", line {longest.line}"
            yield (
                f"{code(longest.tensor)} ({longest.operation}{line}) takes most: "
                f"{duration(longest.seconds)}, {percent(longest.share)} of all operations."
            )
            several = [row for row in self.operations if len(row.fused) > 1]
            if several:
                count = plural(len(several), "step")
                yield (
                    f"{count} of {self.engine} {'does' if len(several) == 1 else 'do'} several "
                    "operations at once; such a time belongs to all of them."
                )
        if self.cost is not None and not self.cost.unknown and self.seconds > 0:
            rate = self.cost.flops / self.seconds / 1e9
            yield f"The run achieves {number(rate)} GFLOP/s."

    def _card(self, *, brief: bool) -> Card:
        headline, sentence = self._answer
        summary = ProfileSummary(
            title=f"{self.graph.name}: time of operations",
            facts=(
                self.engine,
                plural(self.repeat, "run"),
                f"{self.warmup:,} before, to warm up",
                "median, lower and upper quartile",
            ),
            headline=headline,
            sentence=sentence,
            rows=tuple(
                ProfileRow(
                    *(row.number, row.operation, row.tensor, len(row.fused), row.line),
                    *(row.seconds, row.seconds_q1, row.seconds_q3, row.share, row.flops),
                    *(row.gflops, row.gbytes),
                )
                for row in self.operations
            ),
        )
        return profile_card(summary, brief=brief)

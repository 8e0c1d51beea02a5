"""The operations of a blame: the error that each introduces, and the one that it inherits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nnefkit.analysis.metrics import Metrics
from nnefkit.display.elements import LONGEST_NAME
from nnefkit.display.numbers import number, percent
from nnefkit.display.visible_text import visible

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["guilty", "passes it on", "clean"]


@dataclass(frozen=True, repr=False)
class BlamedOperation:
    """An operation of the suspect, fed with the inputs that it has in the reference.

    If the suspect was recorded, it is the operation of the reference, fed with those inputs that it
    has in the suspect: what the suspect has instead is the error that it introduces.
    """

    tensor: str
    """Name of its result."""
    operation: str
    number: int
    """Its index in the graph, from 0."""
    line: int | None
    """Its line in the text of the graph."""
    verdict: Verdict
    """``"guilty"``: the error that it introduces is out of tolerance; ``"passes it on"``: that is
    not, but its result in the run of the suspect is; ``"clean"``: neither is."""
    own: Metrics
    """The error that it introduces: what it computes from the reference's inputs, against that
    (what a recorded suspect has, against what the reference computes from the suspect's inputs).
    With several inputs, that of the worst one."""
    own_snr: float
    """Signal-to-noise ratio of that error in dB, over all inputs; infinite without an error."""
    inherited_snr: float
    """Signal-to-noise ratio of the error that it inherits: what it computes in the run of the
    suspect, against what it computes from the reference's inputs. NaN where it was not measured."""
    share: float | None = None
    """Share of the squared error of the outputs that its own error accounts for, at most 1: the
    suspect runs on from its result without that error, but with the inherited one, and so much
    less remains. None where it was not measured."""
    cause: str = ""
    """What differs in the operation itself, in words: weights, attributes."""
    output: bool = False
    """Whether its result is an output of the graph."""
    operations: tuple[str, ...] = ()
    """Results of all operations that were run together, since there are no values in between; its
    own one is the last."""
    by_input: tuple[float, ...] = ()
    """`own_snr` of each input; -inf where NaN or Inf do not match those of the reference."""

    @property
    def before(self) -> tuple[str, ...]:
        """Results of the operations before it that were run together with it."""
        # A tensor with quantization info is computed first, then rounded.
        own = f"{self.tensor}_unquantized"
        return tuple(name for name in self.operations[:-1] if not name.startswith(own))

    @property
    def candidates(self) -> tuple[str, ...]:
        """Results of the operations that may have the fault: those before it, and its own."""
        return *self.before, self.tensor

    @property
    def worst_input(self) -> int:
        """Index of the input for which it introduces the largest error."""
        return min(range(len(self.by_input)), key=self.by_input.__getitem__, default=0)

    def __repr__(self) -> str:
        at = f", line {self.line:,}" if self.line else ""
        parts = [f"own error {decibels(self.own_snr)}, inherited {decibels(self.inherited_snr)}"]
        if self.share is not None:
            parts.append(f"{percent(max(self.share, 0.0))} of the error of the outputs")
        if self.cause:
            parts.append(self.cause.replace("`", ""))
        name = visible(self.tensor, 2 * LONGEST_NAME)
        return f"<{name} ({self.operation}{at}): {self.verdict}; {'; '.join(parts)}>"


class BlamedOperations(tuple[BlamedOperation, ...]):
    """Some operations of a blame, the worst first."""

    __slots__ = ()

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each operation; ratios are in dB, shares from 0 to 1."""
        import pandas as pd

        frame = pd.DataFrame([record(each) for each in self], columns=[*COLUMNS]).set_index(
            "tensor"
        )
        return frame.astype({"line": "Int64"})

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "<no operations>"


COLUMNS = (
    "tensor",
    "operation",
    "line",
    "verdict",
    "own_snr",
    "own_max_abs",
    "own_max_rel",
    "inherited_snr",
    "share",
    "cause",
    "worst_input",
)


def record(operation: BlamedOperation) -> dict[str, Any]:
    """Return an operation as one row of the table of a blame, by column."""
    return {
        "tensor": operation.tensor,
        "operation": operation.operation,
        "line": operation.line,
        "verdict": operation.verdict,
        "own_snr": operation.own_snr,
        "own_max_abs": operation.own.max_abs,
        "own_max_rel": operation.own.max_rel,
        "inherited_snr": operation.inherited_snr,
        "share": operation.share,
        "cause": operation.cause.replace("`", ""),
        "worst_input": operation.worst_input,
    }


def decibels(ratio: float) -> str:
    """Return a signal-to-noise ratio with its unit, ``"not measured"`` for NaN."""
    return "not measured" if math.isnan(ratio) else f"{number(ratio)} dB"


_ORDER: dict[Verdict, int] = {"guilty": 0, "passes it on": 1, "clean": 2}


def ranked(operations: Sequence[BlamedOperation]) -> Iterator[BlamedOperation]:
    """Return operations, the guiltiest first: by share, then by their own error.

    Those that pass an error on follow, then the clean ones, in the order of the graph.
    """

    def key(each: BlamedOperation) -> tuple[object, ...]:
        if each.verdict != "guilty":
            return _ORDER[each.verdict], each.number
        share = -math.inf if each.share is None else each.share
        return 0, each.own.mismatched == 0, -share, each.own_snr, each.number

    return iter(sorted(operations, key=key))

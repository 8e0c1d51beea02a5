"""The rows of a comparison, and their description in words.

Sentences have the names of tensors and operations in `backticks`, which displays render as code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from nnefkit.analysis.layouts import Permutation, core
from nnefkit.analysis.metrics import Metrics
from nnefkit.analysis.pairing import PairedBy
from nnefkit.analysis.tolerance import Tolerance
from nnefkit.arrays import Shape
from nnefkit.display import html
from nnefkit.display.cards.compared_tensor import ComparedSummary, compared_tensor_card
from nnefkit.display.cards.comparison import ComparisonRow, Verdict, compared_tensors_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import LONGEST_NAME, Card, code, selection
from nnefkit.display.numbers import number, percent, plural, shape
from nnefkit.display.visible_text import visible

if TYPE_CHECKING:
    import pandas as pd

VERDICTS: dict[Verdict, str] = {
    "equal": "equal",
    "within": "within the tolerance",
    "introduces": "introduces a difference",
    "inherits": "inherits a difference",
    "differs": "differs",
}
"""Each verdict in words."""
_NAMED = 3
"""Number of names that a sentence lists before "and ... more"."""

_FIRST, _LAST = 24, 8
"""Number of tensors that a display shows of many."""


@dataclass(frozen=True, repr=False)
class ComparedTensor(Displayed):
    """One tensor of a comparison."""

    name: str
    other: str
    """The name in the second run."""
    verdict: Verdict  # never "missing"
    """``"equal"``: the same in every element; ``"within"`` the tolerance; ``"introduces"`` a
    difference: no input of its operation is known to differ, or its own weights or attributes do;
    ``"inherits"`` it from the inputs of its operation; ``"differs"`` where no graph is known (or
    the tensor is a weight)."""
    metrics: Metrics | None
    """None where the shapes do not match in any order of axes."""
    tolerance: Tolerance
    shapes: tuple[Shape, Shape]
    """As recorded, the second one before its axes were permuted."""
    dtypes: tuple[str, str]
    axes: Permutation | None = None
    """How the second one's axes were permuted to compare it; None if they were not."""
    operation: str = ""
    """Name of the operation that computes it; empty where no graph is known."""
    number: int = -1
    """Index of that operation in the graph, from 0."""
    line: int | None = None
    """Line of that operation in the text of the graph."""
    output: bool = False
    """Whether it is an output of the graph."""
    weight: bool = False
    """Whether it depends on no input of the graph: a variable, or computed from variables alone."""
    causes: tuple[str, ...] = ()
    """If it introduces a difference: the variables of its operation that differ."""
    altered: str = ""
    """If it introduces a difference: how its operation differs in the second graph, in words."""
    suspects: tuple[str, ...] = ()
    """If it introduces a difference: the tensors where that may arise. These are the ones before it
    that were not compared, in the order of the graph, and itself."""
    weights_compared: bool = False
    """If it introduces a difference: whether the weights and attributes of its operation were
    compared."""
    unit_axes: bool = False
    """Whether axes of size 1 of the second one were dropped or added to compare it; `axes` is then
    the order of the other axes."""
    paired_by: PairedBy = "name"
    """How the two were paired: by equal names, by the ``"names"`` that were given, by the
    ``"origin"`` of one of them, or by their ``"values"``."""
    confidence: float | None = None
    """Of a pair by values: how much nearer the two are to equal than either is to any other tensor,
    from 0 to 1."""

    @property
    def ok(self) -> bool:
        """Whether the tensors are equal, or within the tolerance."""
        return self.verdict in ("equal", "within")

    @property
    def note(self) -> str:
        """Facts other than distances (shapes, dtypes, axes, NaN and Inf), and advice."""
        return "; ".join(filter(None, (facts(self), _advice(self))))

    def __repr__(self) -> str:
        at = f" ({place(self)})" if self.operation else ""
        name = visible(self.name, 2 * LONGEST_NAME)
        parts = (f"{name}{at}: {VERDICTS[self.verdict]}", _size_unless_ok(self), self.note)
        return f"<{'; '.join(filter(None, parts))}>"

    def _card(self, *, brief: bool) -> Card:
        del brief
        head = (place(self), shape(self.shapes[0]), " and ".join(dict.fromkeys(self.dtypes)))
        note = self.note if self.metrics is not None else _advice(self)
        answer = "; ".join(filter(None, (_size_unless_ok(self), note)))
        metrics = () if self.metrics is None else tuple(_explained(self.metrics, self.tolerance))
        summary = ComparedSummary(
            self.name, self.verdict, tuple(filter(None, head)), answer, metrics
        )
        return compared_tensor_card(summary)


# -- words ----------------------------------------------------------------------------------------


def place(tensor: ComparedTensor) -> str:
    """Return operation and line, such as ``"conv, line 12"``; empty where no graph is known."""
    operation = visible(tensor.operation, LONGEST_NAME)
    return f"{operation}, line {tensor.line:,}" if tensor.line else operation


def size(tensor: ComparedTensor) -> str:
    """Return how much the two tensors differ, in words."""
    measured = tensor.metrics
    if measured is None:
        return f"the shapes {shape(tensor.shapes[0])} and {shape(tensor.shapes[1])} do not match"
    parts = []
    if measured.mismatched:
        parts.append(f"{_non_finite(measured)} in {plural(measured.mismatched, 'element')}")
    if measured.max_abs > 0:
        largest, ratio = number(measured.max_abs), number(measured.snr)
        parts.append(f"largest difference {largest}, SNR {ratio} dB")
    return "; ".join(parts)


def element(tensor: ComparedTensor, labels: tuple[str, str] = ("a", "b")) -> str:
    """Return the exact values of the element that differs most, as a sentence; may be empty."""
    measured = tensor.metrics
    if measured is None or measured.element is None:
        return ""
    at, first, second = measured.element
    subject = f"At {list(at)} it" if at else "It"
    return f"{subject} is {first!s} in {labels[0]} and {second!s} in {labels[1]}."


def _size_unless_ok(tensor: ComparedTensor) -> str:
    return "" if tensor.ok else size(tensor)


def _non_finite(measured: Metrics) -> str:
    nan, infinite = measured.nan, measured.infinite
    parts = [f"{nan[0]:,} NaN against {nan[1]:,}"] * any(nan)
    parts += [f"{infinite[0]:,} Inf against {infinite[1]:,}"] * any(infinite)
    return ", ".join(parts)


def facts(tensor: ComparedTensor) -> str:
    """Return facts other than distances: differences in shape, dtype and axes, NaN and Inf."""
    parts = [_pairing(tensor)]
    if tensor.metrics is None:
        parts.append(f"shapes {shape(tensor.shapes[0])} and {shape(tensor.shapes[1])}")
    if tensor.axes is not None:
        parts.append(f"axes permuted by {list(tensor.axes)}")
    if tensor.unit_axes:
        shapes = " and ".join(map(shape, tensor.shapes))
        parts.append(f"without axes of size 1 ({shapes})")
    if tensor.dtypes[0] != tensor.dtypes[1]:
        parts.append(f"{tensor.dtypes[0]} and {tensor.dtypes[1]}")
    if tensor.metrics is not None:
        parts.append(_non_finite(tensor.metrics))
    return "; ".join(filter(None, parts))


def _pairing(tensor: ComparedTensor) -> str:
    if tensor.other == tensor.name:
        return ""
    other = visible(tensor.other, LONGEST_NAME)
    if tensor.paired_by == "origin":
        return f"compared with {other}, its origin"
    if tensor.confidence is not None:
        return f"by values ({percent(tensor.confidence)}) with {other}"
    return f"compared with {other}"


def _advice(tensor: ComparedTensor) -> str:
    if tensor.metrics is not None:
        return ""
    search = 'axes="auto" looks for the order of axes that matches'
    unit_axes = sorted(core(tensor.shapes[0])) == sorted(core(tensor.shapes[1]))
    if _broadcast(*tensor.shapes):
        words = "they would broadcast to each other, but only equal shapes are compared"
        return f'{words}. axes="auto" leaves out axes of size 1' if unit_axes else words
    if unit_axes or sorted(tensor.shapes[0]) == sorted(tensor.shapes[1]):
        return search
    return ""


def _broadcast(first: Shape, second: Shape) -> bool:
    """Return whether NumPy or NNEF would combine arrays of these shapes element by element."""
    pairs = (
        zip_longest(first, second, fillvalue=1),
        zip_longest(first[::-1], second[::-1], fillvalue=1),
    )
    return any(all(x == y or 1 in (x, y) for x, y in each) for each in pairs)


def advice(tensor: ComparedTensor) -> str:
    """Return advice on how to compare the tensor, as a sentence; empty if its shapes match."""
    words = _advice(tensor)
    if not words:
        return ""
    sentence = words if words.startswith("axes") else f"{words[0].upper()}{words[1:]}"
    return f"{sentence}.".replace('axes="auto"', '`axes="auto"`')


def _explained(measured: Metrics, tolerance: Tolerance) -> Iterator[tuple[str, str, str]]:
    """Name, value and meaning of each metric."""
    at = f", at {list(measured.worst)}" if measured.worst is not None else ""
    cosine, count = measured.cosine, measured.count
    yield "max |a−b|", number(measured.max_abs), f"in the unit of the tensor{at}"
    yield "relative", number(measured.max_rel), f"to the largest |a|, {number(measured.scale)}"
    yield "RMSE", number(measured.rmse), "in the unit of the tensor"
    yield "SNR", number(measured.snr), "dB"
    yield "cosine", number(cosine) if cosine < 0.9999 else f"{cosine:.9g}", ""
    if measured.ulp is not None:
        yield "ULP", f"{measured.ulp:,}", "steps from one floating-point number to the next"
    different = f"{measured.different:,} of {count:,}"
    yield "different", percent(measured.different_share), different
    outside = f"{measured.outside:,} of {count:,}; tolerance {tolerance}"
    yield "outside", percent(measured.outside_share), outside
    for name, counts in (("NaN", measured.nan), ("Inf", measured.infinite)):
        if any(counts):
            yield name, f"{counts[0]:,} / {counts[1]:,}", "in a / in b"


def listed(names: Sequence[str]) -> str:
    """Return names as a part of a sentence; only the first ones if there are many."""
    shown = [code(name) for name in names[:_NAMED]]
    rest = len(names) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest:,} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def severity(tensor: ComparedTensor) -> tuple[bool, bool, float]:
    """Return a sort key for the size of the difference: shapes, NaN or Inf, `Metrics.max_rel`."""
    measured = tensor.metrics
    if measured is None:
        return True, True, 0.0
    return False, measured.mismatched > 0, measured.max_rel if measured.compared else 0.0


# -- tables ---------------------------------------------------------------------------------------


def row(tensor: ComparedTensor, index: int) -> ComparisonRow:
    """Return its row in the table of a comparison, whose number is `index` without a graph."""
    measured = tensor.metrics
    return ComparisonRow(
        tensor.number if tensor.operation else index,
        tensor.operation,
        tensor.name,
        tensor.verdict,
        None if measured is None else measured.max_abs,
        None if measured is None else measured.max_rel,
        None if measured is None else measured.snr,
        None if measured is None else measured.cosine,
        tensor.line,
        tensor.shapes[0],
        tensor.output,
        facts(tensor),
        None if measured is None else measured.outside_share,
    )


_METRICS: dict[str, Callable[[Metrics], float | None]] = {
    "max_abs": lambda measured: measured.max_abs,
    "max_rel": lambda measured: measured.max_rel,
    "rmse": lambda measured: measured.rmse,
    "snr_db": lambda measured: measured.snr,
    "cosine": lambda measured: measured.cosine,
    "ulp": lambda measured: measured.ulp,
    "different": lambda measured: measured.different_share,
    "outside": lambda measured: measured.outside_share,
    "nan_a": lambda measured: measured.nan[0],
    "nan_b": lambda measured: measured.nan[1],
    "inf_a": lambda measured: measured.infinite[0],
    "inf_b": lambda measured: measured.infinite[1],
    "mismatched": lambda measured: measured.mismatched,
}
"""The columns of metrics in a table, and how to compute them."""

_COLUMNS = [
    *("tensor", "operation", "line", "verdict", "shape", "dtype"),
    *_METRICS,
    *("other", "paired_by", "confidence", "note"),
]


class ComparedTensors(tuple[ComparedTensor, ...]):
    """Some tensors of a comparison, shown one on each line."""

    __slots__ = ()

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each tensor and one column for each metric.

        `Metrics` explains each and its unit; shares are from 0 to 1.
        """
        import pandas as pd

        records = [record(tensor) for tensor in self]
        frame = pd.DataFrame(records, columns=_COLUMNS).set_index("tensor")
        return frame.astype({"line": "Int64"})

    def __repr__(self) -> str:
        chosen = selection(self, _FIRST, _LAST)
        lines = ["⋮" if each is None else repr(each) for each in chosen]
        if len(chosen) < len(self):
            shown = sum(each is not None for each in chosen)
            lines.append(f"{shown:,} of {len(self):,} tensors · all: .to_frame()")
        return "\n".join(lines) or "<no tensors>"

    def _repr_html_(self) -> str:
        chosen = selection(self, _FIRST, _LAST)
        rows = [None if each is None else row(each, each.number) for each in chosen]
        agree = all(each.ok for each in self)
        return html.write(compared_tensors_card(rows, len(self), agree=agree))


def record(tensor: ComparedTensor) -> dict[str, Any]:
    """Return the tensor as one row of the table of a comparison, by column."""
    measured = tensor.metrics
    metrics = {
        name: None if measured is None else read(measured) for name, read in _METRICS.items()
    }
    return {
        "tensor": tensor.name,
        "operation": tensor.operation,
        "line": tensor.line,
        "verdict": tensor.verdict,
        "shape": tensor.shapes[0],
        "dtype": tensor.dtypes[0],
        **metrics,
        "other": tensor.other,
        "paired_by": tensor.paired_by,
        "confidence": tensor.confidence,
        "note": tensor.note,
    }

"""`compare`: two runs side by side, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from nnefkit.analysis import findings
from nnefkit.analysis.alignment import Axes, Pairs, Permutation, given_axes, nearest_layout, pair
from nnefkit.analysis.causes import State, Weights, altered, flow, weight_tensors
from nnefkit.analysis.metrics import Metrics, metrics
from nnefkit.analysis.recordings import Side, Source, side
from nnefkit.analysis.tolerance import Tolerance, Wanted, tolerance_for
from nnefkit.arrays import Array
from nnefkit.display.cards.compared_tensor import compared_tensor_card
from nnefkit.display.cards.comparison import ComparisonSummary, Verdict, comparison_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import pandas as pd


_SHOWN = ("operation", "line", "verdict", "max_abs", "max_rel", "snr_db", "cosine", "outside")
"""Columns that fit side by side into a notebook."""


@dataclass(frozen=True, repr=False)
class ComparedTensor(Displayed):
    """One tensor of a comparison."""

    name: str
    other: str
    """Its name in the second side."""
    verdict: Verdict  # never "missing"
    """``"equal"``: the same in every element; ``"within"`` the tolerance; ``"introduces"`` the
    difference: what its operation reads agrees, but not what it computes; ``"inherits"`` it from
    what the operation reads; ``"differs"`` where no graph tells (or the tensor is a weight)."""
    metrics: Metrics | None
    """None where the shapes cannot be brought together."""
    tolerance: Tolerance
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    """As recorded, the second one before its axes were permuted."""
    dtypes: tuple[str, str]
    axes: Permutation | None = None
    """How the second one's axes were permuted to compare it, None if they were not."""
    operation: str = ""
    """Name of the operation that computes it; empty where no graph is known."""
    number: int = -1
    """Place of that operation in the graph, from 0."""
    line: int | None = None
    """Of that operation in the text of the graph."""
    output: bool = False
    """Whether it is an output of the graph."""
    weight: bool = False
    """Whether it depends on no input of the graph: a variable, or computed of variables alone."""
    causes: tuple[str, ...] = ()
    """Of a tensor that introduces a difference: the variables of its operation that differ."""
    altered: str = ""
    """Of such a tensor: how its operation is another in the second graph, in words."""

    @property
    def ok(self) -> bool:
        """Whether it is equal, or within the tolerance."""
        return self.verdict in ("equal", "within")

    @property
    def note(self) -> str:
        """What else there is to say of it: other shapes, dtypes, axes, NaN and Inf."""
        return findings.note(self)

    def __repr__(self) -> str:
        return f"<{findings.describe(self)}>"

    def _card(self, *, brief: bool) -> Card:
        del brief
        return compared_tensor_card(findings.summarize_one(self))


class Rows(tuple[ComparedTensor, ...]):
    """Some tensors of a comparison, shown one a line."""

    __slots__ = ()

    def to_frame(self) -> pd.DataFrame:
        """A table with one row for each tensor and one column for each metric.

        `Metrics` says what each is and its unit; shares are from 0 to 1.
        """
        import pandas as pd

        records = [findings.record(row) for row in self]
        frame = pd.DataFrame(records, columns=findings.COLUMNS).set_index("tensor")
        return frame.astype({"line": "Int64"})

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "<no tensors>"

    def _repr_html_(self) -> str:
        return str(self.to_frame()[[*_SHOWN]].to_html())


class Missing(NamedTuple):
    """Tensors that only one side has, weights left out."""

    first_only: tuple[str, ...]
    second_only: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Comparison(Displayed):
    """Two runs side by side."""

    rows: Rows = field(repr=False)
    """The tensors that both sides have, in the order of the graph (without one, of the first)."""
    missing: Missing = field(repr=False)
    labels: tuple[str, str] = ("a", "b")
    graph: Graph | None = field(default=None, repr=False)
    """The graph whose order and operations the rows tell of, where one is known."""
    both_graphs: bool = field(default=False, repr=False)
    """Whether the graphs of both sides are known, so that weights and attributes were compared."""

    @cached_property
    def _by_name(self) -> Mapping[str, ComparedTensor]:
        return {row.name: row for row in self.rows}

    def __getitem__(self, name: str) -> ComparedTensor:
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownNameError(
                f"no tensor '{name}' was compared", hint=did_you_mean(name, self._by_name)
            ) from None

    def __iter__(self) -> Iterator[ComparedTensor]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ok(self) -> bool:
        """Whether every tensor that both sides have (see `judged`) is within its tolerance."""
        return all(row.ok for row in self.judged)

    @property
    def equal(self) -> bool:
        """Whether every tensor that both sides have (see `judged`) is the same in every element."""
        return all(row.verdict == "equal" for row in self.judged)

    @property
    def differing(self) -> Rows:
        """The tensors out of tolerance; weights only where nothing but weights was compared."""
        return Rows(row for row in self.judged if not row.ok)

    @property
    def introducing(self) -> Rows:
        """The tensors that introduce a difference: the places where something goes wrong."""
        return Rows(row for row in self.judged if row.verdict == "introduces")

    @property
    def first_divergence(self) -> ComparedTensor | None:
        """Where the two part: the first tensor out of tolerance, None if they agree."""
        return next(iter(self.differing), None)

    @cached_property
    def judged(self) -> Rows:
        """The rows without weights (or all, if there is nothing else).

        That other weights are other weights is no finding; what follows from them is.
        """
        return Rows(row for row in self.rows if not row.weight) or self.rows

    def worst(self, n: int = 10) -> Rows:
        """The `n` tensors that are farthest apart relative to their own size, the worst first.

        Raises:
            InputError: `n` is no number of tensors.
        """
        count: object = n
        if not isinstance(count, (int, np.integer)) or count < 0:
            raise InputError(f"n must be a number of tensors, from 0 on, not {n!r}")
        return Rows(sorted(self.judged, key=findings.severity, reverse=True)[:n])

    @property
    def summary(self) -> str:
        """The answer in words: where the two part, why, and how far it spreads."""
        headline, sentence = findings.answer(self)
        return f"{headline} {sentence}".replace("`", "")

    @cached_property
    def _summary(self) -> ComparisonSummary:
        return findings.summarize(self)

    def _card(self, *, brief: bool) -> Card:
        return comparison_card(self._summary, brief=brief)

    def to_frame(self) -> pd.DataFrame:
        """A table with one row for each tensor and one column for each metric.

        `Metrics` says what each is and its unit; shares are from 0 to 1.
        """
        return self.rows.to_frame()


def compare(
    a: Source,
    b: Source,
    *,
    tolerance: Wanted = None,
    names: Mapping[str, str] | None = None,
    axes: Axes = None,
    labels: tuple[str, str] | None = None,
) -> Comparison:
    """Compares two runs, tensor by tensor, and finds where they part.

    Args:
        a: the reference: a `Trace`, a mapping from tensor names to arrays, or recorded files (a
            saved trace, an ``.npz`` file, or a folder of ``.npy`` or ``.dat`` files).
        b: what is measured against it, likewise.
        tolerance: how much may differ: a number (relative to the largest magnitude in the tensor),
            a `Tolerance`, or a mapping from dtypes to these. By default what fits the dtype:
            `nnefkit.analysis.tolerance.DEFAULTS`.
        names: which tensor of `b` belongs to a tensor of `a` where the names are not the same.
        axes: in which order the axes of a tensor of `b` are to be taken, by its name in `a` (NHWC
            read as NCHW is ``(0, 3, 1, 2)``), or ``"auto"``: where shapes (or values) differ, the
            order that fits best is looked for; `ComparedTensor.axes` tells which one it is.
        labels: what the two are called; by default their engines or files where these differ, else
            "a" and "b".

    Raises:
        InputError: a side is nothing to compare, the two have no tensor in common, a tensor is not
            numeric, or an option is wrong.
        UnknownNameError: `names` or `axes` mentions a tensor that does not exist.
        StorageError: a file cannot be read.
    """
    if labels is not None:
        labels = _pair_of_texts(labels)
    first, second = side(a), side(b)
    pairs = pair(first.tensors, second.tensors, names)
    _check_axes(axes, pairs.both)
    graph, key = _order(first, second)
    rows = [
        _compared(name, other, first, second, tolerance, axes) for name, other in pairs.both.items()
    ]
    if graph is not None:
        rows = _explained(rows, graph, key, second.graph if key == "name" else None)
    return Comparison(
        Rows(rows),
        _missing(pairs, first, second),
        labels or _labels(first, second),
        graph,
        first.graph is not None and second.graph is not None,
    )


def _pair_of_texts(labels: Any) -> tuple[str, str]:
    if isinstance(labels, (tuple, list)) and len(labels) == 2:
        return str(labels[0]), str(labels[1])
    raise InputError(
        f"labels must be two texts, one for each side, not {labels!r}",
        hint='For example: labels=("float weights", "8-bit weights").',
    )


def _missing(pairs: Pairs, first: Side, second: Side) -> Missing:
    """What has no counterpart, without weights: they are no matter of a run."""
    weights = [weight_tensors(s.graph) if s.graph is not None else () for s in (first, second)]
    return Missing(
        tuple(name for name in pairs.first_only if name not in weights[0]),
        tuple(name for name in pairs.second_only if name not in weights[1]),
    )


def _check_axes(axes: Axes, names: Mapping[str, str]) -> None:
    if isinstance(axes, Mapping):
        for name in axes:
            if name not in names:
                raise UnknownNameError(
                    f"axes are given for '{name}', which is not compared",
                    hint=did_you_mean(name, names),
                )
    elif axes not in (None, "auto"):
        raise InputError(
            f'axes must be a mapping from tensor names to permutations or "auto", not {axes!r}'
        )


def _order(first: Side, second: Side) -> tuple[Graph | None, Literal["name", "other"]]:
    """The graph to go by, and which of the two names of a tensor is the one in it."""
    return (first.graph, "name") if first.graph is not None else (second.graph, "other")


def _labels(first: Side, second: Side) -> tuple[str, str]:
    named = first.label and second.label and first.label != second.label
    return (first.label, second.label) if named else ("a", "b")


def _compared(
    name: str, other: str, first: Side, second: Side, wanted: Wanted, axes: Axes
) -> ComparedTensor:
    x, y = _numeric(first.tensors[name], name), _numeric(second.tensors[other], other)
    allowed = tolerance_for(wanted, x.dtype, y.dtype)
    permutation = given_axes(axes, name, y.ndim)
    arranged = y if permutation is None else y.transpose(permutation)
    found = metrics(x, arranged, allowed) if x.shape == arranged.shape else None
    if axes == "auto" and (found is None or not found.ok):
        nearest = nearest_layout(x, y, allowed)
        # Where the shapes agree as they are, another order has to explain the difference away.
        if nearest is not None and (found is None or nearest[0].ok):
            found, permutation = nearest
    return ComparedTensor(
        name,
        other,
        "differs" if found is None or not found.ok else "within" if found.different else "equal",
        found,
        allowed,
        (x.shape, y.shape),
        (str(x.dtype), str(y.dtype)),
        permutation,
    )


def _numeric(values: Any, name: str) -> Array:
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # of ragged lists, of other libraries
        raise InputError(f"tensor '{name}' cannot be made an array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"tensor '{name}' holds values of dtype {array.dtype}, which cannot be compared",
            hint="Leave it out, or hand over numbers or logicals.",
        )
    return array


def _explained(
    rows: list[ComparedTensor], graph: Graph, key: Literal["name", "other"], second: Graph | None
) -> list[ComparedTensor]:
    """The rows in the order of the graph, and with what the graph says of them."""
    states = {getattr(row, key): _state(row) for row in rows}
    weights = Weights(graph, second, states)
    differences = flow(graph, states, weights.names)
    place = {name: i for i, op in enumerate(graph.operations) for name in op.output_names}
    others = {getattr(row, key): row.other for row in rows}

    def explain(row: ComparedTensor) -> ComparedTensor:
        name: str = getattr(row, key)
        if name not in place:
            return row
        op = graph.operations[place[name]]
        verdict: Verdict = row.verdict
        causes: tuple[str, ...] = ()
        change = ""
        if name in differences.inherits:
            verdict = "inherits"
        elif name in differences.introduces:
            verdict = "introduces"
            causes = weights.differing(op)
            change = altered(op, second.producers.get(others[name]) if second else None)
        return replace(
            row,
            verdict=verdict,
            operation=op.name,
            number=place[name],
            line=graph.line(op),
            output=name in graph.outputs,
            weight=name in weights.names,
            causes=causes,
            altered=change,
        )

    order = {name: i for i, name in enumerate(place)}
    last = len(order)
    return sorted(map(explain, rows), key=lambda row: order.get(getattr(row, key), last))


def _state(row: ComparedTensor) -> State:
    if not row.ok:
        return State.DIFFERS
    return State.EQUAL if row.verdict == "equal" else State.WITHIN

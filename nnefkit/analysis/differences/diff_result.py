"""The result of `diff`, and its displays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nnefkit.analysis.compared_tensor import ComparedTensor, record
from nnefkit.analysis.comparison import Comparison
from nnefkit.analysis.differences.changes import (
    OperationChange,
    PortChange,
    QuantizationChange,
    arrow_of_names,
)
from nnefkit.analysis.differences.sentences import Differences, answer
from nnefkit.analysis.differences.weight_changes import WeightChanges
from nnefkit.arrays import Shape
from nnefkit.display.cards.diff import (
    ChangedOperationRow,
    ChangedWeightRow,
    DifferenceRow,
    DiffSummary,
    diff_card,
)
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.display.nnef_text import abbreviated
from nnefkit.display.numbers import plural
from nnefkit.display.summary_text import Summary, in_words
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import pandas as pd

_METRICS = ("max_abs", "max_rel", "rmse", "snr_db", "cosine", "ulp", "different", "outside")
_COLUMNS = (
    *("kind", "what", "tensor", "other", "operation", "line", "other_line", "before", "after"),
    *_METRICS,
)


@dataclass(frozen=True, repr=False, eq=False)
class Diff(Displayed):
    """What differs between two graphs, as `nnefkit.diff` returns it.

    Attributes:
        graphs: The two graphs, with calls of fragments expanded.
        labels: Their names in displays.
        operations: Each `OperationChange`, in the order of the graphs: its ``kind``
            (``"added"``, ``"removed"``, ``"changed"``), ``operation``, ``tensor``, ``other`` (names
            of the first result in both) and ``changes`` (name -> before and after). Tensors that an
            operation reads are listed if they are others, and not only computed with operations
            that were added or removed.
        ports: Each `PortChange` of an input or output.
        quantization: Each `QuantizationChange`: tensors with other quantization info.
        pairs: Name of each tensor of the first graph -> its name in the second, as far as it has
            one; `nnefkit.compare` takes it as ``names=``.
        weight_changes: What `weights` and the properties after it are taken from.

    Example:
        >>> text = "version 1.0; graph g( x ) -> ( y ) { x = external(shape = [4]); y = exp(x); }"
        >>> other = text.replace("y = exp(x)", "z = neg(x); y = exp(z)")
        >>> difference = nk.diff(nk.parse(text), nk.parse(other))
        >>> difference.ok, [(each.kind, each.other) for each in difference.operations]
        (False, [('added', 'z')])
    """

    graphs: tuple[Graph, Graph] = field(repr=False)
    labels: tuple[str, str]
    operations: tuple[OperationChange, ...]
    ports: tuple[PortChange, ...]
    quantization: tuple[QuantizationChange, ...]
    pairs: Mapping[str, str] = field(repr=False)
    weight_changes: WeightChanges = field(repr=False)

    # -- the answer ---------------------------------------------------------------------------

    @property
    def ok(self) -> bool:
        """Whether the graphs compute the same: only names may differ, and labels.

        Inputs and outputs may have other names, but not another order. Weights may differ within
        the tolerance. Weights without values are not compared.
        """
        weights = self.weight_changes
        return not (
            self.operations
            or any(port.kind != "renamed" for port in self.ports)
            or self.quantization
            or self.shapes
            or weights.added
            or weights.removed
            or any(not row.ok or row.axes is not None for row in self._differing)
        )

    @property
    def equal(self) -> bool:
        """Whether nothing at all differs that was compared, names and labels included."""
        weights = self.weight_changes
        return (
            self.ok
            and not self._differing
            and not self.renamed
            and not self.ports
            and not weights.relabeled
            and self.graphs[0].name == self.graphs[1].name
        )

    # -- what differs -------------------------------------------------------------------------

    @property
    def weights(self) -> Comparison | None:
        """The weights whose values differ, by label, with all metrics; None if there are none."""
        return self.weight_changes.differing

    @property
    def _differing(self) -> tuple[ComparedTensor, ...]:
        return () if self.weights is None else tuple(self.weights)

    @property
    def weights_added(self) -> tuple[str, ...]:
        """Labels of variables that only the second graph has."""
        return self.weight_changes.added

    @property
    def weights_removed(self) -> tuple[str, ...]:
        """Labels of variables that only the first graph has."""
        return self.weight_changes.removed

    @property
    def weights_equal(self) -> int:
        """Number of weights with equal values."""
        return self.weight_changes.equal

    @property
    def weights_unknown(self) -> tuple[str, ...]:
        """Labels of weights that were not compared, as a graph has no values for them."""
        return self.weight_changes.unknown

    @property
    def relabeled(self) -> Mapping[str, str]:
        """Label in the first graph -> other label of the same weight in the second."""
        return self.weight_changes.relabeled

    @cached_property
    def renamed(self) -> Mapping[str, str]:
        """Name of a tensor in the first graph -> other name in the second; without ports."""
        ports = {*self.graphs[0].inputs, *self.graphs[0].outputs}
        return {a: b for a, b in self.pairs.items() if a != b and a not in ports}

    @cached_property
    def shapes(self) -> Mapping[str, tuple[Shape | None, Shape | None]]:
        """Name of a tensor in the first graph -> both shapes, where they differ."""
        first, second = (graph.tensors for graph in self.graphs)
        found = {a: (first[a].shape, second[b].shape) for a, b in self.pairs.items()}
        return {name: shapes for name, shapes in found.items() if shapes[0] != shapes[1]}

    # -- displays -----------------------------------------------------------------------------

    @property
    def summary(self) -> Summary:
        """The result in words."""
        return in_words(*filter(None, self._answer))

    @cached_property
    def _answer(self) -> tuple[str, str]:
        return answer(
            Differences(
                *(self.ok, self.equal, self.operations, self.ports, self.quantization),
                *(len(self.shapes), len(self.renamed), self.weight_changes),
                (self.graphs[0].name, self.graphs[1].name),
            )
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each difference.

        ``kind`` is "operation", "input", "output", "weight", "quantization", "shape", "tensor" or
        "label"; ``what`` says what happened, or which attribute changed. Weights have metrics, as
        in `nnefkit.compare`.
        """
        import pandas as pd

        frame = pd.DataFrame(self._records(), columns=list(_COLUMNS))
        for name in ("line", "other_line"):
            frame[name] = pd.array(frame[name].tolist(), dtype="Int64")
        return frame

    def _records(self) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        for row in self.operations:
            base: dict[str, Any] = {"kind": "operation", "tensor": row.tensor, "other": row.other}
            base |= {"operation": row.operation, "line": row.line, "other_line": row.other_line}
            if not row.changes:
                records.append({**base, "what": row.kind})
            for name, (before, after) in row.changes.items():
                records.append({**base, "what": name, "before": before, "after": after})
        for port in self.ports:
            names = {"tensor": port.tensor, "other": port.other}
            change = {"what": port.kind, "before": port.before, "after": port.after}
            records.append({"kind": port.port, **names, **change})
        records += (_weight_record(row) for row in self._differing)
        for what, labels in (("added", self.weights_added), ("removed", self.weights_removed)):
            key = "other" if what == "added" else "tensor"
            records += ({"kind": "weight", "what": what, key: label} for label in labels)
        for each in self.quantization:
            names = {"tensor": each.tensor, "other": each.other}
            change = {"before": each.before, "after": each.after}
            records.append({"kind": "quantization", "what": "changed", **names, **change})
        for name, (before, after) in self.shapes.items():
            names = {"tensor": name, "other": self.pairs[name]}
            records.append(
                {"kind": "shape", "what": "changed", **names, "before": before, "after": after}
            )
        for kind, pairs in (("tensor", self.renamed), ("label", self.relabeled)):
            records += (
                {"kind": kind, "what": "renamed", "tensor": a, "other": b} for a, b in pairs.items()
            )
        return records

    def _card(self, *, brief: bool) -> Card:
        headline, sentence = self._answer
        counts = [len(graph.computations) for graph in self.graphs]
        compared = self.weights_equal + len(self._differing)
        summary = DiffSummary(
            title=" against ".join(self.labels),
            ok=self.ok,
            headline=headline,
            sentence=sentence,
            facts=(
                f"{counts[0]:,} and {plural(counts[1], 'operation')}",
                f"{plural(compared, 'weight')} compared, {len(self._differing):,} differ",
                f"{len(self.renamed):,} tensors and {len(self.relabeled):,} labels renamed",
            ),
            strip=tuple(self._strip()),
            operations=tuple(
                ChangedOperationRow(
                    *(each.kind, each.operation, each.tensor, each.other, each.line),
                    *(each.other_line, each.words),
                )
                for each in self.operations
            ),
            weights=tuple(
                _weight_row(row, self.weight_changes.grids.get(row.name))
                for row in _worst_first(self._differing)
            ),
            details=tuple(self._details()),
        )
        return diff_card(summary, brief=brief)

    def _strip(self) -> Iterator[str]:
        """Yield what happened to each operation, in the order of the graphs."""
        kinds = {row.number: row.kind for row in self.operations if row.number is not None}
        added: dict[int, int] = {}
        ends = {b: a for a, b in self.pairs.items()}
        numbers = {n: i for i, op in enumerate(self.graphs[0].operations) for n in op.output_names}
        place = -1
        for op in self.graphs[1].operations:
            if op.is_source or not op.output_names:
                continue
            if op.output_names[0] in ends:
                place = numbers[ends[op.output_names[0]]]
            else:
                added[place] = added.get(place, 0) + 1
        yield from ["added"] * added.get(-1, 0)
        for number, op in enumerate(self.graphs[0].operations):
            if not op.is_source:
                yield kinds.get(number, "same")
            yield from ["added"] * added.get(number, 0)

    def _details(self) -> Iterator[DifferenceRow]:
        for port in self.ports:
            before, after = (None if v is None else _text(v) for v in (port.before, port.after))
            names = arrow_of_names(port.tensor, port.other)
            yield DifferenceRow(f"{port.port} {port.kind}", names, before or "", after or "")
        for label in self.weights_added:
            yield DifferenceRow("weight added", label, "", "")
        for label in self.weights_removed:
            yield DifferenceRow("weight removed", label, "", "")
        for each in self.quantization:
            name = arrow_of_names(each.tensor, each.other)
            yield DifferenceRow("quantization", name, *each.sides)
        inputs = {*self.graphs[0].inputs}
        for name, shapes in self.shapes.items():
            if name not in inputs:
                before, after = (_text(None if s is None else list(s)) for s in shapes)
                yield DifferenceRow("shape", name, before, after)
        for before, after in self.relabeled.items():
            yield DifferenceRow("label renamed", "", before, after)
        for before, after in self.renamed.items():
            yield DifferenceRow("tensor renamed", "", before, after)


def _text(value: Any) -> str:
    if value is None:
        return "unknown"
    return value if isinstance(value, str) else abbreviated(value)


def _weight_record(row: ComparedTensor) -> dict[str, Any]:
    found = {"kind": "weight", "what": "values", "tensor": row.name, "other": row.other}
    if row.metrics is None:
        return {**found, "what": "shape", "before": row.shapes[0], "after": row.shapes[1]}
    known = record(row)
    return {**found, **{name: known[name] for name in _METRICS}}


def _worst_first(rows: tuple[ComparedTensor, ...]) -> list[ComparedTensor]:
    return sorted(rows, key=lambda row: -1e9 if row.metrics is None else row.metrics.snr)


def _weight_row(row: ComparedTensor, bits: int | None) -> ChangedWeightRow:
    grid = f"{bits}-bit grid in b" if bits is not None else ""
    measured = row.metrics
    return ChangedWeightRow(
        row.name,
        row.other,
        None if measured is None else measured.max_abs,
        None if measured is None else measured.max_rel,
        None if measured is None else measured.snr,
        None if measured is None else measured.cosine,
        row.ok and row.axes is None,
        "; ".join(filter(None, (grid, row.note))),
    )

"""The differences of two graphs in words.

Sentences have names in `backticks`, which displays render as code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nnefkit.analysis.compared_tensor import ComparedTensor
from nnefkit.analysis.differences.changes import (
    OperationChange,
    PortChange,
    QuantizationChange,
    arrow_of_names,
)
from nnefkit.analysis.differences.weight_changes import WeightChanges
from nnefkit.display.elements import code
from nnefkit.display.numbers import number, plural

_NAMED = 3
"""Number of changes of operations that the answer lists."""


class Differences(NamedTuple):
    """What the sentences are about; see `nnefkit.analysis.differences.diff_result.Diff`."""

    ok: bool
    equal: bool
    operations: Sequence[OperationChange]
    ports: Sequence[PortChange]
    quantization: Sequence[QuantizationChange]
    shapes: int
    """Number of tensors of other shapes."""
    renamed: int
    """Number of tensors with other names."""
    weights: WeightChanges
    names: tuple[str, str]
    """Names of the graphs."""


def answer(found: Differences) -> tuple[str, str]:
    """Return the answer in a few words, and the details."""
    return _headline(found), " ".join(_details(found))


def _headline(found: Differences) -> str:
    limit = " as far as they were compared" if found.weights.unknown else ""
    if found.equal:
        return f"The graphs are equal{limit}."
    if found.ok and found.weights.differing is None:
        whose = ", those of inputs and outputs, too" if found.ports else ""
        return f"The graphs compute the same{limit}; only names differ{whose}."
    if found.ok:
        return f"The graphs compute the same within the tolerance{limit}."
    return f"The graphs differ: {'; '.join(_counts(found))}."


def _counts(found: Differences) -> Iterator[str]:
    kinds = [row.kind for row in found.operations]
    counted = [(kind, kinds.count(kind)) for kind in ("added", "removed", "changed")]
    present = [(kind, count) for kind, count in counted if count]
    if present:
        first, *rest = present
        words = [f"{plural(first[1], 'operation')} {first[0]}"]
        yield ", ".join([*words, *(f"{count:,} {kind}" for kind, count in rest)])
    if found.ports:
        yield f"{plural(len(found.ports), 'change')} of inputs and outputs"
    weights = found.weights
    if rows := _unequal(weights):
        yield f"{plural(len(rows), 'weight')} {'differs' if len(rows) == 1 else 'differ'}"
    for labels, kind in ((weights.added, "added"), (weights.removed, "removed")):
        if labels:
            yield f"{plural(len(labels), 'weight')} {kind}"
    if found.quantization:
        yield f"{plural(len(found.quantization), 'tensor')} quantized differently"
    others = (found.operations, found.ports, rows, found.quantization, weights.added)
    if found.shapes and not any(others):
        yield f"shapes of {plural(found.shapes, 'tensor')}"


def _unequal(weights: WeightChanges) -> list[ComparedTensor]:
    return [row for row in weights.differing or () if not row.ok or row.axes is not None]


def _details(found: Differences) -> Iterator[str]:
    for row in found.operations[:_NAMED]:
        yield _of_operation(row)
    if len(found.operations) > _NAMED:
        yield f"{plural(len(found.operations) - _NAMED, 'more operation')} below."
    for port in found.ports[:_NAMED]:
        yield f"{_of_port(port)}."
    yield from _of_weights(found.weights)
    if found.shapes and not found.ok:
        verb = "has another shape" if found.shapes == 1 else "have other shapes"
        yield f"{plural(found.shapes, 'tensor')} {verb}."
    if found.renamed:
        verb = "is" if found.renamed == 1 else "are"
        yield f"{plural(found.renamed, 'tensor')} {verb} renamed."
    if found.weights.relabeled:
        yield f"{plural(len(found.weights.relabeled), 'label')} changed."
    if found.names[0] != found.names[1]:
        yield f"The graphs are called {code(found.names[0])} and {code(found.names[1])}."
    if found.weights.unknown:
        count = len(found.weights.unknown)
        yield (
            f"{plural(count, 'weight')} {'has' if count == 1 else 'have'} no values in one of the "
            f"graphs and {'was' if count == 1 else 'were'} not compared."
        )


def _of_operation(row: OperationChange) -> str:
    line = row.other_line if row.other_line is not None else row.line
    where = f" ({row.operation}{'' if line is None else f', line {line}'})"
    words = f": {row.words.replace('`', chr(39))}" if row.changes else ""
    name = arrow_of_names(row.tensor, row.other)
    return f"{row.kind.capitalize()} {name}{where}{words}."


def _of_port(port: PortChange) -> str:
    words = port.words
    return words[0].upper() + words[1:]


def _of_weights(weights: WeightChanges) -> Iterator[str]:
    rows = list(weights.differing or ())
    if not rows:
        return
    worst = min(rows, key=lambda row: -1e9 if row.metrics is None else row.metrics.snr)
    name = arrow_of_names(worst.name, worst.other)
    if worst.metrics is None:
        shapes = " and ".join(str(list(each)) for each in worst.shapes)
        yield f"Weight {name} has the shapes {shapes}."
        return
    size = f"an SNR of {number(worst.metrics.snr)} dB"
    if worst.name in weights.grids:
        size += f" and is on a grid of {weights.grids[worst.name]} bits"
    note = f"; {worst.note}" if worst.note else ""
    if len(rows) == 1:
        yield f"Weight {name} has {size}{note}."
    else:
        yield f"Of the weights, {name} differs most: it has {size}{note}."

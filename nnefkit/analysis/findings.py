"""What a comparison has found, in words. Names of tensors and operations stand in `backticks`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nnefkit.analysis.causes import weight_tensors
from nnefkit.display.cards.compared_tensor import ComparedSummary
from nnefkit.display.cards.comparison import ComparisonRow, ComparisonSummary
from nnefkit.display.numbers import number, percent, plural, shape

if TYPE_CHECKING:
    from nnefkit.analysis.comparison import ComparedTensor, Comparison
    from nnefkit.analysis.tolerance import Tolerance

_VERDICTS = {
    "equal": "equal",
    "within": "within the tolerance",
    "introduces": "introduces a difference",
    "inherits": "inherits a difference",
    "differs": "differs",
}
_NAMED = 3
"""How many names a sentence lists before it goes on with "and ... more"."""


def answer(comparison: Comparison) -> tuple[str, str]:
    """Headline and sentence: do they agree, where do they part, why, how far does it spread."""
    first = comparison.first_divergence
    if first is None:
        headline, sentences = "They agree.", [_agreement(comparison)]
        if comparison.equal:
            headline = "They are equal."
    else:
        headline, sentences = f"They part at `{first.name}`", _divergence(comparison, first)
    sentences += [_permuted(comparison), _missing(comparison)]
    return headline, " ".join(filter(None, sentences))


def _agreement(comparison: Comparison) -> str:
    amount = len(comparison.judged)
    all_of_them = f"All {amount:,} tensors are" if amount > 1 else "The one tensor compared is"
    if comparison.equal:
        return f"{all_of_them} the same in every element."
    worst = comparison.worst(1)[0]
    found = worst.metrics
    if found is None:  # What cannot be measured does not agree.
        return ""
    return (
        f"{all_of_them} within the tolerance; the largest relative difference is "
        f"{number(found.max_rel)}, at `{worst.name}` ({number(found.max_abs)}, "
        f"SNR {number(found.snr)} dB)."
    )


def _divergence(comparison: Comparison, first: ComparedTensor) -> list[str]:
    place = f"({first.operation}{f', line {first.line}' if first.line else ''})"
    sentences = [f"{place if first.operation else ''}: {_size(first)}."]
    if not first.operation:
        sentences = [f"(first in order): {_size(first)}."]
    if first.verdict == "introduces":
        sentences += [_reason(comparison, first), _spread(comparison, first)]
    elif len(comparison.differing) > 1:
        sentences.append(_extent(comparison))
    if advice := _advice(first):
        sentences.append(f"{advice}.".replace('axes="auto"', '`axes="auto"`'))
    return sentences


def describe(row: ComparedTensor) -> str:
    """The row in one line."""
    place = f" ({row.operation}{f', line {row.line}' if row.line else ''})" if row.operation else ""
    parts = [f"{row.name}{place}: {_VERDICTS[row.verdict]}", "" if row.ok else _size(row), row.note]
    return "; ".join(filter(None, parts))


def _size(row: ComparedTensor) -> str:
    """How far apart the two tensors are."""
    found = row.metrics
    if found is None:
        return f"its shapes {shape(row.shapes[0])} and {shape(row.shapes[1])} do not agree"
    parts = []
    if found.mismatched:
        parts.append(f"{_non_finite(row)} at {plural(found.mismatched, 'place')}")
    if found.max_abs > 0:
        parts.append(f"largest difference {number(found.max_abs)}, SNR {number(found.snr)} dB")
    return "; ".join(parts)


def _non_finite(row: ComparedTensor) -> str:
    found = row.metrics
    if found is None:
        return ""
    nan = f"{found.nan[0]:,} NaN against {found.nan[1]:,}" if any(found.nan) else ""
    infinite = f"{found.infinite[0]:,} Inf against {found.infinite[1]:,}"
    return ", ".join(filter(None, (nan, infinite if any(found.infinite) else "")))


def _reason(comparison: Comparison, first: ComparedTensor) -> str:
    if first.operation == "external" and not first.altered.startswith("it is"):
        return "It is an input: the two were not run on the same values."
    inputs = _inputs(comparison, first)
    if first.causes:
        verb = "differs" if len(first.causes) == 1 else "differ"
        noun = "weight" if len(first.causes) == 1 else "weights"
        rest = f"; {inputs[1]}" if inputs else ""
        return f"Its {noun} {_listed(first.causes)} {verb}{rest}."
    if first.altered:
        return f"{first.altered[0].upper()}{first.altered[1:]}."
    if not inputs:
        return ""
    if not comparison.both_graphs:
        return f"{inputs[0]}: its weights differ, or it is computed differently."
    return f"{inputs[0]} and its weights are the same: it is computed differently."


def _inputs(comparison: Comparison, row: ComparedTensor) -> tuple[str, str] | None:
    """That what the operation reads agrees: as a sentence of its own, and after another one."""
    graph = comparison.graph
    if graph is None:
        return None
    weights = weight_tensors(graph)
    amount = len(set(graph.operations[row.number].input_names) - weights)
    if amount == 0:
        return None
    if amount == 1:
        return "Its input agrees", "its input does not"
    return "Its inputs agree", "its inputs do not"


def _spread(comparison: Comparison, first: ComparedTensor) -> str:
    inheriting = [row for row in comparison.differing if row.verdict == "inherits"]
    others = [row for row in comparison.introducing if row is not first]
    parts = []
    if others:
        noun = "tensor introduces" if len(others) == 1 else "tensors introduce"
        names = _listed([row.name for row in others])
        parts.append(f"{len(others):,} more {noun} a difference ({names})")
    if inheriting:
        verb = "tensor inherits" if len(inheriting) == 1 else "tensors inherit"
        parts.append(f"{len(inheriting):,} {verb} the difference")
    elif not first.output:
        parts.append("no other tensor inherits the difference")
    return "; ".join(filter(None, (*parts, _outputs(comparison, first)))) + "."


def _outputs(comparison: Comparison, first: ComparedTensor) -> str:
    outputs = [row for row in comparison.rows if row.output and row is not first]
    wrong = [row for row in outputs if not row.ok]
    if not wrong:
        return "the outputs stay within the tolerance" if outputs else ""
    worst = max(wrong, key=severity)
    if worst.metrics is None or worst.metrics.mismatched:
        return f"the output `{worst.name}` differs"
    return f"the output `{worst.name}` is off by {number(worst.metrics.max_abs)}"


def _extent(comparison: Comparison) -> str:
    amount = len(comparison.differing)
    worst = max(comparison.differing, key=severity)
    return (
        f"{amount:,} of {len(comparison.judged):,} tensors are out of tolerance; the farthest "
        f"apart, relative to its size, is `{worst.name}` ({_size(worst)})."
    )


def _permuted(comparison: Comparison) -> str:
    permuted: dict[tuple[int, ...], list[str]] = {}
    for row in comparison.rows:
        if row.axes is not None:
            permuted.setdefault(row.axes, []).append(row.name)
    return " ".join(
        f"The axes of {_listed(names)} in {comparison.labels[1]} were taken in the order "
        f"{list(axes)}."
        for axes, names in permuted.items()
    )


def _missing(comparison: Comparison) -> str:
    sides = zip(comparison.labels, comparison.missing, strict=True)
    parts = [f"{plural(len(names), 'tensor')} only in {label}" for label, names in sides if names]
    return f"Not compared: {' and '.join(parts)}." if parts else ""


def _listed(names: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in names[:_NAMED]]
    rest = len(names) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest:,} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def severity(row: ComparedTensor) -> tuple[bool, bool, float]:
    """Sorts tensors by how far they are apart: no common shape, other NaN or Inf, `max_rel`."""
    found = row.metrics
    if found is None:
        return True, True, 0.0
    return False, found.mismatched > 0, found.max_rel if found.compared else 0.0


def note(row: ComparedTensor) -> str:
    """What numbers of distance do not say of a tensor, and what to do about it."""
    return "; ".join(filter(None, (_facts(row), _advice(row))))


def _advice(row: ComparedTensor) -> str:
    if row.metrics is None and sorted(row.shapes[0]) == sorted(row.shapes[1]):
        return 'axes="auto" looks for the order of axes that fits'
    return ""


def _facts(row: ComparedTensor) -> str:
    parts = []
    if row.metrics is None:
        parts.append(f"shapes {shape(row.shapes[0])} and {shape(row.shapes[1])}")
    if row.axes is not None:
        parts.append(f"axes taken as {list(row.axes)}")
    if row.dtypes[0] != row.dtypes[1]:
        parts.append(f"{row.dtypes[0]} and {row.dtypes[1]}")
    parts.append(_non_finite(row))
    if row.other != row.name:
        parts.append(f"against {row.other}")
    return "; ".join(filter(None, parts))


def summarize_one(row: ComparedTensor) -> ComparedSummary:
    """One tensor as the displays take it."""
    place = f"{row.operation}{f', line {row.line:,}' if row.line else ''}"
    facts = [place, shape(row.shapes[0]), " and ".join(dict.fromkeys(row.dtypes))]
    words = "" if row.ok else _size(row)
    answer = "; ".join(filter(None, (words, row.note if row.metrics is not None else _advice(row))))
    return ComparedSummary(
        row.name, row.verdict, tuple(filter(None, facts)), answer, tuple(_measured(row))
    )


def _measured(row: ComparedTensor) -> Iterator[tuple[str, str, str]]:
    found = row.metrics
    if found is None:
        return
    where = f", at {list(found.worst)}" if found.worst is not None else ""
    yield "max |a−b|", number(found.max_abs), f"in the unit of the tensor{where}"
    yield "relative", number(found.max_rel), f"to the largest |a|, {number(found.scale)}"
    yield "RMSE", number(found.rmse), "in the unit of the tensor"
    yield "SNR", number(found.snr), "dB"
    yield "cosine", number(found.cosine) if found.cosine < 0.9999 else f"{found.cosine:.9g}", ""
    if found.ulp is not None:
        yield "ULP", f"{found.ulp:,}", "steps from one floating-point number to the next"
    yield "different", percent(found.different_share), f"{found.different:,} of {found.count:,}"
    outside = f"{found.outside:,} of {found.count:,}; tolerance {row.tolerance}"
    yield "outside", percent(found.outside_share), outside
    for name, counts in (("NaN", found.nan), ("Inf", found.infinite)):
        if any(counts):
            yield name, f"{counts[0]:,} / {counts[1]:,}", "in a / in b"


COLUMNS = [
    *("tensor", "operation", "line", "verdict", "shape", "dtype"),
    *("max_abs", "max_rel", "rmse", "snr_db", "cosine", "ulp", "different", "outside"),
    *("nan_a", "nan_b", "inf_a", "inf_b", "mismatched", "note"),
]
"""Of the table of a comparison."""


def record(row: ComparedTensor) -> dict[str, Any]:
    """The row as the columns of a table."""
    found = row.metrics
    measured = {
        "max_abs": found and found.max_abs,
        "max_rel": found and found.max_rel,
        "rmse": found and found.rmse,
        "snr_db": found and found.snr,
        "cosine": found and found.cosine,
        "ulp": found and found.ulp,
        "different": found and found.different_share,
        "outside": found and found.outside_share,
        "nan_a": found and found.nan[0],
        "nan_b": found and found.nan[1],
        "inf_a": found and found.infinite[0],
        "inf_b": found and found.infinite[1],
        "mismatched": found and found.mismatched,
    }
    return {
        "tensor": row.name,
        "operation": row.operation,
        "line": row.line,
        "verdict": row.verdict,
        "shape": row.shapes[0],
        "dtype": row.dtypes[0],
        **measured,
        "note": row.note,
    }


def summarize(comparison: Comparison) -> ComparisonSummary:
    """The comparison as the displays take it."""
    headline, sentence = answer(comparison)
    return ComparisonSummary(
        title=" against ".join(comparison.labels),
        agree=comparison.ok,
        headline=headline,
        sentence=sentence,
        graph=comparison.graph.name if comparison.graph is not None else "",
        labels=comparison.labels,
        rows=tuple(_rows(comparison)),
        tolerance=_tolerances(comparison),
        non_finite=sum(
            row.metrics is not None and any(row.metrics.nan + row.metrics.infinite)
            for row in comparison.rows
        ),
    )


def _rows(comparison: Comparison) -> Iterator[ComparisonRow]:
    """Rows of tensors, missing ones at their places in the graph, or last where there are none."""
    graph = comparison.graph
    operations = graph.operations if graph is not None else ()
    place = {name: i for i, op in enumerate(operations) for name in op.output_names}
    rows = [_row(row, place_in_list) for place_in_list, row in enumerate(comparison.judged)]
    for label, names in zip(comparison.labels, comparison.missing, strict=True):
        for name in names:
            number = place.get(name, max(len(operations), len(comparison)))
            operation = operations[number].name if name in place else ""
            rows.append(ComparisonRow(number, operation, name, "missing", note=f"only in {label}"))
    return iter(sorted(rows, key=lambda row: row.number))


def _row(row: ComparedTensor, place: int) -> ComparisonRow:
    found = row.metrics
    return ComparisonRow(
        row.number if row.operation else place,
        row.operation,
        row.name,
        row.verdict,
        None if found is None else found.max_abs,
        None if found is None else found.max_rel,
        None if found is None else found.snr,
        None if found is None else found.cosine,
        row.line,
        row.shapes[0],
        row.output,
        _facts(row),
    )


def _tolerances(comparison: Comparison) -> str:
    used: dict[Tolerance, dict[str, None]] = {}
    for row in comparison.rows:
        kinds = used.setdefault(row.tolerance, {})
        kinds.update(dict.fromkeys(row.dtypes))
    return "; ".join(f"{tolerance} for {', '.join(kinds)}" for tolerance, kinds in used.items())

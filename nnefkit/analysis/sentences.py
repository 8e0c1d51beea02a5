"""The result of a comparison in words: where two runs diverge, why, and how far that spreads."""

from __future__ import annotations

from nnefkit.analysis.causes import weight_tensors
from nnefkit.analysis.compared_runs import ComparedRuns
from nnefkit.analysis.compared_tensor import (
    ComparedTensor,
    advice,
    element,
    listed,
    place,
    severity,
    size,
)
from nnefkit.analysis.first_nan import first_nan
from nnefkit.display.elements import LONGEST_NAME, code
from nnefkit.display.numbers import number, percent, plural
from nnefkit.display.visible_text import visible

_EXPLAINED = 3
"""Number of further causes that a summary names."""


def answer(runs: ComparedRuns) -> tuple[str, str]:
    """Return a headline and sentences; names are in `backticks`."""
    first = runs.first_divergence
    if first is None:
        subject = "What was compared" if runs.unseen or any(runs.missing) else "The runs"
        verbs = ("is equal", "agrees") if subject.startswith("What") else ("are equal", "agree")
        headline = f"{subject} {verbs[0 if runs.equal else 1]}."
        sentences = [_agreement(runs)]
    else:
        where = "at or before" if len(first.suspects) > 1 else "at"
        headline = f"The runs diverge {where} {code(first.name)}"
        sentences = _divergence(runs, first)
    sentences += [_not_finite(runs), _paired(runs), _permuted(runs)]
    sentences += [not_compared(runs), _not_paired(runs)]
    return headline, " ".join(filter(None, sentences))


def _agreement(runs: ComparedRuns) -> str:
    count = len(runs.judged)
    subject = f"All {count:,} tensors are" if count > 1 else "The one tensor compared is"
    if runs.equal:
        return f"{subject} equal in every element."
    worst = runs.worst(1)[0]
    measured = worst.metrics
    if measured is None:  # tensors that cannot be compared are not within the tolerance
        return ""
    return (
        f"{subject} within the tolerance; the largest relative difference is "
        f"{number(measured.max_rel)}, at {code(worst.name)} ({number(measured.max_abs)}, "
        f"SNR {number(measured.snr)} dB)."
    )


def _divergence(runs: ComparedRuns, first: ComparedTensor) -> list[str]:
    labels = (short_label(runs.labels[0]), short_label(runs.labels[1]))
    sentences = [f"({place(first) or 'first in order'}): {size(first)}.", element(first, labels)]
    if first.verdict == "introduces":
        sentences += [_reason(runs, first), _spread(runs, first)]
    elif len(runs.differing) > 1:
        sentences.append(_extent(runs))
    return [*sentences, advice(first)]


def _reason(runs: ComparedRuns, first: ComparedTensor) -> str:
    """Explain why a tensor differs although no input of its operation is known to differ."""
    if first.operation == "external" and not first.altered.startswith("it is"):
        return "It is an input: the runs had different inputs."
    hidden = first.suspects[:-1]
    inputs = _inputs(runs, first)
    if hidden:
        verb = "was" if len(hidden) == 1 else "were"
        about_inputs = f"{listed(hidden)} {verb} not compared"
    else:
        about_inputs = inputs[1] if inputs else ""
    reason = cause(first)
    if reason:
        return f"{reason[0].upper()}{'; '.join(filter(None, (reason[1:], about_inputs)))}."
    if hidden:
        return f"The difference may arise before it: {about_inputs}."
    if not inputs:
        return ""
    if not _has_weights(runs, first):
        return f"{inputs[0]}, so it is computed differently."
    if not first.weights_compared:
        return f"{inputs[0]}, so its weights differ or it is computed differently."
    return f"{inputs[0]} and its weights are equal, so it is computed differently."


def cause(tensor: ComparedTensor) -> str:
    """Return what differs in the operation of a tensor itself, as a clause; may be empty."""
    if tensor.causes:
        noun, verb = ("weight", "differs") if len(tensor.causes) == 1 else ("weights", "differ")
        return f"its {noun} {listed(tensor.causes)} {verb}"
    return tensor.altered


def _inputs(runs: ComparedRuns, tensor: ComparedTensor) -> tuple[str, str] | None:
    """Say that the inputs of an operation agree, as the beginning and as the end of a sentence."""
    graph = runs.graph
    if graph is None:
        return None
    weights = weight_tensors(graph)
    count = len(set(graph.operations[tensor.number].input_names) - weights)
    if count == 0:
        return None
    if count == 1:
        return "Its input agrees", "its input does not"
    return "Its inputs agree", "its inputs do not"


def _has_weights(runs: ComparedRuns, tensor: ComparedTensor) -> bool:
    graph = runs.graph
    names = () if graph is None else graph.operations[tensor.number].input_names
    return graph is not None and not weight_tensors(graph).isdisjoint(names)


def _spread(runs: ComparedRuns, first: ComparedTensor) -> str:
    """Describe the other differences."""
    others = [each for each in runs.introducing if each is not first]
    parts = [_others(others), _inheriting(runs, first), _outputs(runs, first)]
    sentence = "; ".join(filter(None, parts))
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


def _others(others: list[ComparedTensor]) -> str:
    if not others:
        return ""
    noun = "tensor introduces" if len(others) == 1 else "tensors introduce"
    named = [
        f"{code(each.name)}: {cause(each)}" if cause(each) else code(each.name)
        for each in others[:_EXPLAINED]
    ]
    rest = f"; {len(others) - _EXPLAINED:,} more" if len(others) > _EXPLAINED else ""
    return f"{len(others):,} more {noun} a difference ({'; '.join(named)}{rest})"


def _inheriting(runs: ComparedRuns, first: ComparedTensor) -> str:
    count = sum(each.verdict == "inherits" for each in runs.differing)
    if count:
        verb = "tensor inherits" if count == 1 else "tensors inherit"
        return f"{count:,} {verb} the difference"
    if first.output or len(runs.judged) == 1:
        return ""
    if runs.unseen or any(runs.missing):
        return "no other compared tensor inherits the difference"
    return "no other tensor inherits the difference"


def _outputs(runs: ComparedRuns, first: ComparedTensor) -> str:
    outputs = [each for each in runs.rows if each.output and each is not first]
    wrong = [each for each in outputs if not each.ok]
    if not wrong:
        return "the outputs are within the tolerance" if outputs else ""
    worst = max(wrong, key=severity)
    if worst.metrics is None or worst.metrics.mismatched:
        return f"the output {code(worst.name)} differs"
    return f"the output {code(worst.name)} is off by {number(worst.metrics.max_abs)}"


def _extent(runs: ComparedRuns) -> str:
    count = len(runs.differing)
    worst = max(runs.differing, key=severity)
    return (
        f"{count:,} of {len(runs.judged):,} tensors are out of tolerance; the largest "
        f"difference, relative to the tensor, is at {code(worst.name)} ({size(worst)})."
    )


def _permuted(runs: ComparedRuns) -> str:
    permuted: dict[tuple[int, ...], list[str]] = {}
    squeezed = []
    for each in runs.rows:
        if each.axes is not None:
            permuted.setdefault(each.axes, []).append(each.name)
        if each.unit_axes:
            squeezed.append(each.name)
    second = short_label(runs.labels[1])
    sentences = [
        f"The axes of {listed(names)} in {second} were permuted by {list(axes)}."
        for axes, names in permuted.items()
    ]
    if squeezed:
        sentences.append(f"{listed(squeezed)} differ in axes of size 1, which were left out.")
    return " ".join(sentences)


def _paired(runs: ComparedRuns) -> str:
    """Say which tensors were paired by anything else than their names."""
    sentences = []
    origins = [each for each in runs.rows if each.paired_by == "origin"]
    if origins:
        verb = "was" if len(origins) == 1 else "were"
        sentences.append(f"{plural(len(origins), 'tensor')} {verb} paired by origin.")
    rows = [each for each in runs.rows if each.confidence is not None]
    if rows:
        rows.sort(key=lambda each: each.confidence or 0.0)
        least = rows[0]
        named = f"{code(least.name)} with {code(least.other)}"
        confidence = percent(least.confidence or 0.0)
        if len(rows) == 1:
            sentences.append(
                f"One pair is by values, not by name: {named}, confidence {confidence}."
            )
        else:
            sentences.append(
                f"{len(rows):,} pairs are by values, not by name; the least confident, "
                f"{confidence}, is {named}."
            )
    return " ".join(sentences)


def _not_paired(runs: ComparedRuns) -> str:
    """Say why tensors were not paired by values."""
    if not runs.unpaired:
        return ""
    named = [
        f"{code(each.name)} of {short_label(runs.labels[each.side])}: "
        f"{visible(each.reason, 2 * LONGEST_NAME)}"
        for each in runs.unpaired[:_EXPLAINED]
    ]
    rest = len(runs.unpaired) - len(named)
    more = f"; {rest:,} more in comparison.unpaired" if rest else ""
    return f"Not paired by values: {'; '.join(named)}{more}."


def short_label(label: str) -> str:
    """Return the label of a run, shortened if it is long."""
    return visible(label, LONGEST_NAME)


def not_compared(runs: ComparedRuns) -> str:
    """Return which tensors were not compared, as a sentence; empty if all were."""
    sides = zip(runs.labels, runs.missing, strict=True)
    parts = [
        f"{plural(len(names), 'tensor')} only in {short_label(label)} ({listed(names)})"
        for label, names in sides
        if names
    ]
    unseen = runs.unseen
    if unseen:
        parts.append(f"{plural(len(unseen), 'tensor')} in neither run ({listed(unseen)})")
    return f"Not compared: {', '.join(parts)}." if parts else ""


def _not_finite(runs: ComparedRuns) -> str:
    """Say which operations produce the first NaN, and which hide it."""
    graph = runs.graph
    sentences = []
    for side, label in enumerate(runs.labels):
        found = first_nan(runs.rows, graph, side)
        if found is None:
            continue
        where = "at or before" if found.is_upstream_unknown else "in"
        at = place(found.tensor)
        sentence = (
            f"The first NaN of {short_label(label)} arises {where} "
            f"{code(found.tensor.name)}{f' ({at})' if at else ''}"
        )
        if found.hiding is not None:
            sentence += (
                f"; {code(found.hiding.name)} ({place(found.hiding)}) replaces it by numbers"
            )
        sentences.append(f"{sentence}.")
    return " ".join(sentences)

"""The list of rules, by the operation at the head of a region."""

from __future__ import annotations

from collections.abc import Callable

from nnefkit.execution.engines.integer.region import CodedRegion, Compute, NoRule, Tail, tail_of

Rule = Callable[[CodedRegion, Tail], Compute]
"""Returns how to compute the codes of the head of a region, limited as its tail does."""
Whole = Callable[[CodedRegion], "Compute | None"]
"""Returns how to compute a region, or None if it is of another kind."""

_REMEDIES = {
    "separable_conv": "nk.lower(graph) makes two convolutions of it, to be quantized then.",
    "separable_deconv": "nk.lower(graph) makes two convolutions of it, to be quantized then.",
    "batch_normalization": "Make it a part of the layer before it, then quantize the network.",
}
"""Operation -> what to do before a graph is quantized."""

HEADS: dict[str, Rule] = {}
"""Name of the operation at the head of a region -> its rule."""
WHOLE: list[Whole] = []
"""Rules for regions of any operations, tried before those for heads."""
_SUMS = frozenset(("conv", "deconv", "linear", "matmul"))
"""Heads whose sums are padded and cut before they are rescaled."""
LAST: list[Whole] = []
"""Rules for regions of any operations, tried after those for heads."""


def head(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for regions that begin with an operation."""

    def register(rule: Rule) -> Rule:
        HEADS.update(dict.fromkeys(names, rule))
        return rule

    return register


def rule_for(region: CodedRegion) -> Compute:
    """Return how to compute the codes of the result of a region.

    Raises:
        NoRule: There is no integer arithmetic for it.
    """
    for whole in WHOLE:
        if (compute := whole(region)) is not None:
            return compute
    if not region.grid.is_single:
        raise NoRule(f"'{region.result}' has several scales, and only constants may have these.")
    rule = HEADS.get(region.head.name)
    tail = tail_of(region) if rule is not None else None
    if tail is not None and tail.early and region.head.name not in _SUMS:
        is_cut = all(op.name == "slice" for op in tail.early) and tail.added is None
        tail = tail._replace(early=(), moves=(*tail.early, *tail.moves)) if is_cut else None
    if rule is not None and tail is not None:
        return _moved(region, rule(region, tail), tail)
    for whole in LAST:
        if (compute := whole(region)) is not None:
            return compute
    if len(region.operations) == 1:
        name = region.head.name
        raise NoRule(f"There is no integer arithmetic for '{name}'. {_REMEDIES.get(name, '')}")
    names = ", ".join(op.name for op in region.operations)
    raise NoRule(
        f"There is no integer arithmetic for these operations in one step: {names}. Quantization "
        "info for the tensors between them makes several steps of it."
    )


def _moved(region: CodedRegion, compute: Compute, tail: Tail) -> Compute:
    if not tail.moves:
        return compute
    return lambda values: tail.moved(region.graph, compute(values))

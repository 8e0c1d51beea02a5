"""Offsets in the arena for the results of a plan: memory is reused as early as possible."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nnefkit.execution.engines.numpy.memory import Arena
from nnefkit.execution.engines.numpy.plan import PlanStep


def place_results(steps: Sequence[PlanStep], visible: Collection[str]) -> int:
    """Set the offsets of `steps` and return the size of the arena in bytes.

    Results that are `visible` outside are not placed in the arena, nor is any memory that they may
    be views of: a step that allocates its results may return a view of what it reads.
    """
    owners = _owners(steps)
    last = {owner: i for i, step in enumerate(steps) for n in step.reads for owner in owners[n]}
    escaping = {owner for name in visible for owner in owners.get(name, ())}
    arena = Arena()
    offsets: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for i, step in enumerate(steps):
        if step.shape is not None and step.writes[0] not in escaping:
            name = step.writes[0]
            replaced = _replaced_input(step, i, owners, last, sizes)
            step.offset = arena.take(step.size) if replaced is None else offsets.pop(replaced)
            offsets[name], sizes[name] = step.offset, step.size
            last.setdefault(name, i)
        if step.scratch:
            step.scratch_offset = arena.take(step.scratch * step.dtype.itemsize)
            arena.free(step.scratch_offset)
        for name in [name for name in offsets if last[name] == i]:
            arena.free(offsets.pop(name))
    return arena.size


def _owners(steps: Sequence[PlanStep]) -> dict[str, frozenset[str]]:
    """Map each tensor to the tensors whose memory it may share."""
    owners: dict[str, frozenset[str]] = {}
    for step in steps:
        for name in step.reads:
            owners.setdefault(name, frozenset((name,)))
        inherited = frozenset[str]()
        if step.shape is None:
            inherited = inherited.union(*(owners[name] for name in step.reads))
        for name in step.writes:
            owners[name] = inherited | {name}
    return owners


def _replaced_input(
    step: PlanStep,
    index: int,
    owners: dict[str, frozenset[str]],
    last: dict[str, int],
    sizes: dict[str, int],
) -> str | None:
    """Return an input that no later step reads, and that the result of `step` may overwrite."""
    if not step.in_place:
        return None
    for name in step.reads:
        views = [other for other in step.reads if other != name and name in owners[other]]
        if last.get(name) == index and sizes.get(name) == step.size and not views:
            return name
    return None

"""Places in the arena for the results of a plan: memory is used again as early as can be."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from nnefkit.execution.engines.numpy.memory import Arena

if TYPE_CHECKING:
    from nnefkit.execution.engines.numpy.plan import Step


def place(steps: Sequence[Step], visible: Collection[str]) -> int:
    """Sets the places of `steps`; returns the size of the arena in bytes.

    Results that are `visible` outside get no place, nor does any memory that they may be views of:
    a step that makes its results itself may return a view of what it reads.
    """
    owners = _owners(steps)
    last = {owner: i for i, step in enumerate(steps) for n in step.reads for owner in owners[n]}
    escaping = {owner for name in visible for owner in owners.get(name, ())}
    arena = Arena()
    places: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for i, step in enumerate(steps):
        if step.shape is not None and step.writes[0] not in escaping:
            name = step.writes[0]
            victim = _victim(step, i, owners, last, sizes)
            step.place = arena.take(step.size) if victim is None else places.pop(victim)
            places[name], sizes[name] = step.place, step.size
            last.setdefault(name, i)
        if step.scratch:
            step.scratch_place = arena.take(step.scratch * step.dtype.itemsize)
            arena.free(step.scratch_place)
        for name in [name for name in places if last[name] == i]:
            arena.free(places.pop(name))
    return arena.size


def _owners(steps: Sequence[Step]) -> dict[str, frozenset[str]]:
    """Tensor -> the tensors whose memory it may lie in."""
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


def _victim(
    step: Step,
    index: int,
    owners: dict[str, frozenset[str]],
    last: dict[str, int],
    sizes: dict[str, int],
) -> str | None:
    """A tensor that `step` reads, as the last one to do so, and may replace by its result."""
    if not step.in_place:
        return None
    for name in step.reads:
        views = [other for other in step.reads if other != name and name in owners[other]]
        if last.get(name) == index and sizes.get(name) == step.size and not views:
            return name
    return None

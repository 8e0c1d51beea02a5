"""Layers: a column for each box, with dummy boxes where an edge passes a column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SHARED = 6
"""Number of readers of a box from which on they are not all drawn in the same layer."""


@dataclass(slots=True)
class Layered:
    """A graph in which every edge leads from one layer to the next.

    Boxes are numbered from 0 to `boxes` - 1, dummies from there on. Dummies of one source are
    shared by all its edges, so that an edge to many distant readers is one line that branches off.
    """

    boxes: int
    layer: list[int]
    """The layer of each box and dummy."""
    layers: list[list[int]]
    """Boxes and dummies of each layer, from top to bottom."""
    before: list[list[int]]
    """Neighbors in the layer before."""
    after: list[list[int]]
    """Neighbors in the layer after."""
    chains: list[Sequence[int]]
    """The dummies of each box, one per layer."""
    detours: list[int]
    """Indices of the edges that would need too many dummies."""


def neighbors(
    count: int, edges: Sequence[tuple[int, int]]
) -> tuple[list[list[int]], list[list[int]]]:
    """Predecessors and successors of each box."""
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        before[target].append(source)
        after[source].append(target)
    return before, after


def topological_order(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> list[int]:
    """Return an order in which every box comes after its predecessors.

    Raises:
        ValueError: The edges form a cycle.
    """
    missing = [len(sources) for sources in before]
    order = [box for box, number in enumerate(missing) if not number]
    for box in order:
        for target in after[box]:
            missing[target] -= 1
            if not missing[target]:
                order.append(target)
    if len(order) < len(before):
        raise ValueError("the edges form a cycle")
    return order


def assign_layers(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> list[int]:
    """Return the layer of each box, as far left as its predecessors allow.

    Boxes with more readers than sources (mainly inputs) then move right to their readers, as that
    makes edges fewer and shorter. So do boxes that read a tensor with many readers: they share the
    edge that leads to them.
    """
    order = topological_order(before, after)
    layer = [0] * len(before)
    for box in order:
        if before[box]:
            layer[box] = 1 + max([layer[source] for source in before[box]])
    for box in reversed(order):
        targets = after[box]
        sources = before[box]
        shared = len(sources) == 1 and len(after[sources[0]]) >= SHARED
        if targets and (shared or len(targets) > len(sources)):
            layer[box] = min([layer[target] for target in targets]) - 1
    return layer


def split_into_layers(
    count: int, edges: Sequence[tuple[int, int]], *, dummy_limit: int | None = None
) -> Layered:
    """Layers of the boxes, and dummies for edges that are longer than one layer.

    If there would be more than `dummy_limit` dummies, the longest edges become `detours`.
    """
    before, after = neighbors(count, edges)
    layer = assign_layers(before, after)
    if dummy_limit is None:
        dummy_limit = max(25_000, 2 * count)
    longest = _longest_allowed(layer, after, dummy_limit)
    depth = max(layer, default=-1) + 1
    graph = Layered(count, layer, [[] for _ in range(depth)], [], [], [()] * count, [])
    ahead: list[list[int]] = [[] for _ in range(count)]
    behind: list[list[int]] = [[] for _ in range(count)]
    for box in range(count):
        targets = after[box]
        if targets:
            near = [t for t in targets if layer[t] - layer[box] <= longest]
            _lead(graph, box, dict.fromkeys(near), ahead, behind)
    graph.detours = [i for i, (s, t) in enumerate(edges) if layer[t] - layer[s] > longest]
    graph.before, graph.after = behind, ahead
    # Dummies first: a skip connection then runs above what it skips.
    for node in range(count, len(layer)):
        graph.layers[layer[node]].append(node)
    for box in range(count):
        graph.layers[layer[box]].append(box)
    return graph


def _longest_allowed(layer: list[int], after: Sequence[Sequence[int]], limit: int) -> int:
    """Return the number of layers that an edge may span to keep dummies within `limit`."""
    spans = sorted(
        max([layer[t] for t in targets]) - layer[box]
        for box, targets in enumerate(after)
        if targets
    )
    dummies = 0
    for position, span in enumerate(spans):
        # Dummies if all the others were cut to this span.
        if dummies + (span - 1) * (len(spans) - position) > limit:
            return max(1, span - 1)
        dummies += span - 1
    return spans[-1] if spans else 1


def _lead(
    graph: Layered,
    box: int,
    targets: Iterable[int],
    ahead: list[list[int]],
    behind: list[list[int]],
) -> None:
    """Connect `box` to its targets, with dummies where they are not in the next layer."""
    layer = graph.layer
    start = layer[box]
    chain: list[int] = []
    for target in targets:
        distance = layer[target] - start
        while len(chain) < distance - 1:
            previous = chain[-1] if chain else box
            dummy = len(layer)
            layer.append(start + len(chain) + 1)
            ahead[previous].append(dummy)
            ahead.append([])
            behind.append([previous])
            chain.append(dummy)
        last = chain[distance - 2] if distance > 1 else box
        ahead[last].append(target)
        behind[target].append(last)
    graph.chains[box] = chain

"""Heights of boxes, for long straight lines and boxes in the middle of their neighbors.

The method of Brandes and Köpf: boxes are aligned with a median neighbor, from four sides; the
resulting blocks are packed as closely as the gaps allow; the result is the mean of the two middle
ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Neighbors = Sequence[Sequence[int]]


def heights(
    layers: Sequence[Sequence[int]],
    before: Neighbors,
    after: Neighbors,
    gaps: Sequence[Sequence[float]],
    boxes: int,
) -> dict[int, float]:
    """Return the y of the center of each node in `layers`; each layer retains its order.

    Args:
        layers: Nodes from top to bottom, layer by layer.
        before: Neighbors of each node in the layer before (others are ignored).
        after: Neighbors of each node in the layer after.
        gaps: For each layer, the minimum distances between the centers of successive nodes.
        boxes: Nodes from this number on are dummies, where an edge passes a layer.
    """
    if all(len(layer) <= 1 for layer in layers):
        return {node: 0.0 for layer in layers for node in layer}
    position = {node: i for layer in layers for i, node in enumerate(layer)}
    sorted_before = _sorted_neighbors(layers, before, position)
    sorted_after = _sorted_neighbors(layers, after, position)
    main_before = _main_neighbors(sorted_before, boxes)
    main_after = _main_neighbors(sorted_after, boxes)
    crossed = _crossed_by_long_edges(layers, sorted_before, position, boxes)
    results = []
    for forward in (True, False):
        sequence = layers if forward else layers[::-1]
        beside = main_before if forward else main_after
        for upward in (False, True):
            root = _align(sequence, beside, position, crossed, upward=upward)
            results.append(_compact(layers, gaps, root, upward=upward))
    return _balanced(results)


def _sorted_neighbors(
    layers: Sequence[Sequence[int]], beside: Neighbors, position: dict[int, int]
) -> dict[int, list[int]]:
    """Neighbors of each node in these layers, from top to bottom."""
    neighbors = {}
    for layer in layers:
        for node in layer:
            others = beside[node]
            if len(others) == 1:
                neighbors[node] = [others[0]] if others[0] in position else []
            else:
                neighbors[node] = sorted(
                    [o for o in others if o in position], key=position.__getitem__
                )
    return neighbors


def _main_neighbors(beside: dict[int, list[int]], boxes: int) -> dict[int, list[int]]:
    """Neighbors that a node is aligned with: a box among passing lines, otherwise all.

    So the main path stays straight, and edges that skip a part of it run next to it.
    """
    main = {}
    for node, others in beside.items():
        near = [other for other in others if other < boxes] if len(others) > 1 else others
        main[node] = near if len(near) == 1 else others
    return main


def _crossed_by_long_edges(
    layers: Sequence[Sequence[int]],
    before: dict[int, list[int]],
    position: dict[int, int],
    boxes: int,
) -> set[tuple[int, int]]:
    """Edges (source, target) that cross the inner part of a long edge, which is to be straight."""
    crossed: set[tuple[int, int]] = set()
    for previous, layer in pairwise(layers):
        if len(previous) < 2 or len(layer) < 2:
            continue
        first, start = -1, 0
        for end, node in enumerate(layer):
            inner = _inner(node, before, boxes)
            if inner is None and end < len(layer) - 1:
                continue
            last = len(previous) if inner is None else position[inner]
            for other in layer[start : end + 1]:
                for source in before[other]:
                    outside = not first <= position[source] <= last
                    if outside and not (other >= boxes and source >= boxes):
                        crossed.add((source, other))
            start, first = end + 1, last
    return crossed


def _inner(node: int, before: dict[int, list[int]], boxes: int) -> int | None:
    """Return the dummy before the dummy `node`, if there is one."""
    if node >= boxes and before[node] and before[node][0] >= boxes:
        return before[node][0]
    return None


def _align(
    layers: Sequence[Sequence[int]],
    beside: dict[int, list[int]],
    position: dict[int, int],
    crossed: set[tuple[int, int]],
    *,
    upward: bool,
) -> dict[int, int]:
    """Return the block of each node, named by its first node; its nodes have the same height."""
    root: dict[int, int] = {}
    for layer in layers:
        limit = len(position) if upward else -1
        for node in reversed(layer) if upward else layer:
            root[node] = node
            others = beside[node]
            if not others:
                continue
            middle = len(others) // 2
            if len(others) % 2:
                medians: Sequence[int] = (others[middle],)
            elif upward:
                medians = (others[middle], others[middle - 1])
            else:
                medians = (others[middle - 1], others[middle])
            for other in medians:
                place = position[other]
                free = place < limit if upward else place > limit
                if free and not (
                    crossed and ((other, node) in crossed or (node, other) in crossed)
                ):
                    root[node] = root[other]
                    limit = place
                    break
    return root


def _compact(
    layers: Sequence[Sequence[int]],
    gaps: Sequence[Sequence[float]],
    root: dict[int, int],
    *,
    upward: bool,
) -> dict[int, float]:
    """Heights of blocks: as close to the first (or the last) as the gaps allow, then tightened."""
    below, missing = _constraints(layers, gaps, root, upward=upward)
    order = [block for block, number in missing.items() if not number]
    place = dict.fromkeys(order, 0.0)
    for block in order:
        y = place[block]
        for other, gap in below.get(block, ()):
            if y + gap > place.get(other, 0.0):
                place[other] = y + gap
            missing[other] -= 1
            if not missing[other]:
                place.setdefault(other, 0.0)
                order.append(other)
    for block in reversed(order):
        others = below.get(block)
        if others:
            nearest = min([place[other] - gap for other, gap in others])
            if nearest > place[block]:
                place[block] = nearest
    sign = -1.0 if upward else 1.0
    return {node: sign * place[block] for node, block in root.items()}


def _constraints(
    layers: Sequence[Sequence[int]],
    gaps: Sequence[Sequence[float]],
    root: dict[int, int],
    *,
    upward: bool,
) -> tuple[dict[int, list[tuple[int, float]]], dict[int, int]]:
    """Return the blocks below each block with their distances, and the number of blocks above."""
    below: dict[int, list[tuple[int, float]]] = {}
    above = dict.fromkeys(root.values(), 0)
    for layer, distances in zip(layers, gaps, strict=True):
        for upper, lower, gap in zip(layer, layer[1:], distances, strict=False):
            a, b = root[upper], root[lower]
            if upward:
                a, b = b, a
            below.setdefault(a, []).append((b, gap))
            above[b] += 1
    return below, above


def _balanced(results: Sequence[dict[int, float]]) -> dict[int, float]:
    """Return the mean of the two middle heights, after aligning all results with the narrowest."""
    bounds = [(min(result.values()), max(result.values())) for result in results]
    low, high = min(bounds, key=lambda bound: bound[1] - bound[0])
    shifts = [high - bound[1] if i % 2 else low - bound[0] for i, bound in enumerate(bounds)]
    s0, s1, s2, s3 = shifts
    r0, r1, r2, r3 = results
    balanced = {}
    for node in r0:
        middle = sorted((r0[node] + s0, r1[node] + s1, r2[node] + s2, r3[node] + s3))
        balanced[node] = (middle[1] + middle[2]) / 2
    return balanced

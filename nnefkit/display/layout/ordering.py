"""The order within layers: few crossings of edges, found in a few sweeps."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import groupby

from nnefkit.display.layout.layers import Layered

SWEEPS = 12
PATIENCE = 3
"""Sweeps without a gain after which the search ends."""
EXCHANGE_LIMIT = 60
"""Size of the largest layer in which neighbors are exchanged individually."""


def reduce_crossings(graph: Layered) -> None:
    """Put the boxes of every layer in an order with few crossings of edges."""
    position = [0] * len(graph.layer)
    for layer in graph.layers:
        _number(layer, position)
    for layer in graph.layers[1:]:
        if len(layer) > 1:
            _sort(layer, graph.before, position)
    # A layer of one node separates the graph: the layers before and after it are independent.
    wide = (i for i, layer in enumerate(graph.layers) if len(layer) > 1)
    for _, run in groupby(enumerate(wide), key=lambda pair: pair[1] - pair[0]):
        _improve(graph, position, [i for _, i in run])


def _improve(graph: Layered, position: list[int], run: Sequence[int]) -> None:
    """Sweep over a run of layers, forwards and backwards, and retain the best orders."""
    layers = graph.layers
    crossings = {i: count_crossings(layers[i], graph.after, position) for i in run}
    best = sum(crossings.values())
    best_layers: list[list[int]] | None = None
    waiting = 0
    for sweep in range(SWEEPS):
        if not best or waiting >= PATIENCE:
            break
        if best_layers is None:
            best_layers = [list(layers[i]) for i in run]
        _sweep(graph, position, crossings, run, forward=sweep % 2 == 1)
        total = sum(crossings.values())
        waiting += 1
        if total < best:
            best, waiting = total, 0
            best_layers = [list(layers[i]) for i in run]
    for i, layer in zip(run, best_layers or (), strict=False):
        layers[i] = layer
        _number(layer, position)


def _number(layer: Sequence[int], position: list[int]) -> None:
    for place, node in enumerate(layer):
        position[node] = place


def _sort(layer: list[int], beside: Sequence[Sequence[int]], position: list[int]) -> bool:
    """Order `layer` by the mean position of its neighbors; return whether it changed."""
    keys = []
    for node in layer:
        others = beside[node]
        if len(others) == 1:
            keys.append(float(position[others[0]]))
        elif others:
            keys.append(sum([position[other] for other in others]) / len(others))
        else:
            keys.append(-1.0)
    if -1.0 in keys:
        keys = _filled(keys)
    order = sorted(range(len(layer)), key=keys.__getitem__)
    if order == list(range(len(order))):
        return False
    layer[:] = [layer[place] for place in order]
    _number(layer, position)
    return True


def _filled(keys: list[float]) -> list[float]:
    """Sort keys by which nodes without neighbors remain next to the node above them."""
    previous = next((key for key in keys if key >= 0), 0.0)
    filled = []
    for key in keys:
        previous = key if key >= 0 else previous
        filled.append(previous)
    return filled


def _sweep(
    graph: Layered,
    position: list[int],
    crossings: dict[int, int],
    run: Sequence[int],
    *,
    forward: bool,
) -> None:
    layers, before, after = graph.layers, graph.before, graph.after
    beside = before if forward else after
    stale: set[int] = set()
    for i in run if forward else reversed(run):
        changed = _sort(layers[i], beside, position)
        if len(layers[i]) <= EXCHANGE_LIMIT and (crossings[i] or crossings.get(i - 1)):
            changed |= _exchange(layers[i], before, after, position)
        if changed:
            stale.update((i, i - 1))
    for i in stale:
        if i in crossings:
            crossings[i] = count_crossings(layers[i], after, position)


def _exchange(
    layer: list[int],
    before: Sequence[Sequence[int]],
    after: Sequence[Sequence[int]],
    position: list[int],
) -> bool:
    """Exchange neighbors in a layer while that removes crossings; return whether it did."""
    sides = [
        (
            sorted([position[other] for other in before[node]]),
            sorted([position[other] for other in after[node]]),
        )
        for node in layer
    ]
    changed = False
    for _ in range(len(layer)):
        gained = False
        for i in range(len(layer) - 1):
            upper, lower = sides[i], sides[i + 1]
            (above_before, above_after), (below_before, below_after) = upper, lower
            current = pair_crossings(above_before, below_before)
            current += pair_crossings(above_after, below_after)
            if not current:
                continue
            exchanged = pair_crossings(below_before, above_before)
            exchanged += pair_crossings(below_after, above_after)
            if current > exchanged:
                layer[i], layer[i + 1] = layer[i + 1], layer[i]
                sides[i], sides[i + 1] = lower, upper
                gained = True
        if not gained:
            break
        changed = True
    if changed:
        _number(layer, position)
    return changed


def pair_crossings(upper: Sequence[int], lower: Sequence[int]) -> int:
    """Crossings of the edges of a node with those of the node below it (both sorted)."""
    if not upper or not lower or upper[-1] <= lower[0]:
        return 0
    count, i = 0, 0
    for place in upper:
        while i < len(lower) and lower[i] < place:
            i += 1
        count += i
    return count


def count_crossings(
    layer: Sequence[int], after: Sequence[Sequence[int]], position: list[int]
) -> int:
    """Crossings of the edges between `layer` and the next one."""
    seen: list[int] = []
    count, last = 0, -1
    for node in layer:
        places = [position[other] for other in after[node]]
        if not places:
            continue
        places.sort()
        if places[0] < last:
            count += sum([len(seen) - bisect_right(seen, place) for place in places])
        if places[0] >= last:
            seen.extend(places)
        else:
            for place in places:
                insort(seen, place)
        last = max(last, places[-1])
    return count

"""Routes of edges.

Beside boxes all lines are horizontal; they change their heights only between columns, where there
are no boxes. So no line can pass through a box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from itertools import pairwise

from nnefkit.display.layout.geometry import Point
from nnefkit.display.layout.layers import Layered
from nnefkit.display.layout.placement import Placement
from nnefkit.display.layout.rows import LANE, MARGIN

PORT_GAP = 8.0
"""Distance between two arrows that point at one box."""
STRAIGHT = 1.0
"""Differences in height below this are not drawn."""

Way = list[Point]


def routes(
    graph: Layered,
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    placement: Placement,
    entry_of: Mapping[int, int],
) -> tuple[list[Way], float]:
    """Return the route of each edge, and the height of routes above the boxes."""
    ports = _ports(graph, sizes, placement)
    layer = graph.layer
    left_out = set(graph.detours)
    ways: list[Way] = []
    for number, (source, target) in enumerate(edges):
        if number in left_out:
            ways.append([])
            continue
        nodes = [source, *graph.chains[source][: layer[target] - layer[source] - 1], target]
        way = [Point(placement.x[source] + sizes[source][0] / 2, placement.y[source])]
        for here, there in pairwise(nodes):
            _hop(way, here, there, graph, placement, entry_of, ports)
        ways.append(_without_repeats(way))
    return ways, _detour(graph, sizes, edges, placement, ways) if left_out else 0.0


def _hop(
    way: Way,
    here: int,
    there: int,
    graph: Layered,
    placement: Placement,
    entry_of: Mapping[int, int],
    ports: Mapping[tuple[int, int], float],
) -> None:
    """Continue from a node to one in the next layer."""
    layer = graph.layer[here]
    entry = entry_of.get(here)
    if entry is not None:
        way.extend(placement.wires[here])
        here = entry
    else:
        way.append(Point(placement.bend[layer], placement.y[here]))
    height = ports.get((here, there), placement.y[there])
    if abs(height - way[-1].y) < STRAIGHT and there < graph.boxes:
        height = way[-1].y
    way.append(Point(placement.left[graph.layer[there]], height))


def _ports(
    graph: Layered, sizes: Sequence[tuple[float, float]], placement: Placement
) -> dict[tuple[int, int], float]:
    """Heights at which several lines arrive at a box, by (node before, box)."""
    ports: dict[tuple[int, int], float] = {}
    y = placement.y
    for box in range(graph.boxes):
        sources = graph.before[box]
        if len(sources) < 2:
            continue
        sources = sorted(sources, key=y.__getitem__)
        # The straightest line arrives in the middle, the others next to it.
        level = min(range(len(sources)), key=lambda i: abs(y[sources[i]] - y[box]))
        room = sizes[box][1] / 2 - 6
        gap = min(PORT_GAP, room / max(level, len(sources) - 1 - level))
        for i, source in enumerate(sources):
            ports[source, box] = y[box] + (i - level) * gap
    return ports


def _without_repeats(way: Way) -> Way:
    """Return the route without redundant points."""
    points = way[:1]
    for point in way[1:]:
        last = points[-1]
        if point == last:
            continue
        if len(points) > 1:
            before = points[-2]
            if before.y == last.y == point.y or before.x == last.x == point.x:
                points[-1] = point
                continue
        points.append(point)
    return points


def _detour(
    graph: Layered,
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    placement: Placement,
    ways: list[Way],
) -> float:
    """Route detours above all boxes, one lane for each source, and return their height."""
    layer, x, y = graph.layer, placement.x, placement.y
    reach: dict[int, int] = {}
    for number in graph.detours:
        source, target = edges[number]
        reach[source] = max(reach.get(source, 0), layer[target])
    lane_of = _lanes(sorted((layer[s], end, s) for s, end in reach.items()))
    for number in graph.detours:
        source, target = edges[number]
        height = -MARGIN - lane_of[source] * LANE
        up = placement.bend[layer[source]] + 6
        end = placement.left[layer[target]]
        down = end - 12
        ways[number] = [
            Point(x[source] + sizes[source][0] / 2, y[source]),
            Point(up, y[source]),
            Point(up, height),
            Point(down, height),
            Point(down, y[target]),
            Point(end, y[target]),
        ]
    return MARGIN + (1 + max(lane_of.values())) * LANE


def _lanes(stretches: Sequence[tuple[int, int, int]]) -> dict[int, int]:
    """Assign a lane to each stretch (start, end, name), so that no two in one lane overlap."""
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    lanes: dict[int, int] = {}
    for start, end, name in stretches:
        while busy and busy[0][0] <= start:
            heappush(free, heappop(busy)[1])
        lane = heappop(free) if free else len(busy)
        lanes[name] = lane
        heappush(busy, (end, lane))
    return lanes

"""Time to lay out and to draw a graph."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from nnefkit.display.folding import PlainOperation
from nnefkit.display.layout import lay_out
from nnefkit.display.svg import graph_picture

Benchmark = Callable[..., Any]


def network(count: int, seed: int = 0) -> tuple[int, list[tuple[int, int]]]:
    """Boxes and edges: a chain with branches that merge again, and with skip connections."""
    draw = random.Random(seed)
    edges: list[tuple[int, int]] = []
    last, boxes = 0, 1
    while boxes < count:
        if draw.random() < 0.3:
            ends = []
            for _ in range(draw.randint(2, 4)):
                length = draw.randint(1, 4)
                edges += pairwise([last, *range(boxes, boxes + length)])
                boxes += length
                ends.append(boxes - 1)
            edges += [(end, boxes) for end in ends]
        else:
            edges.append((last, boxes))
            if draw.random() < 0.15 and boxes > 40:
                edges.append((boxes - draw.randint(5, 40), boxes))
        last, boxes = boxes, boxes + 1
    return boxes, edges


@pytest.mark.parametrize("count", [1_000, 10_000])
@pytest.mark.benchmark(group="layout")
def test_layout(benchmark: Benchmark, count: int) -> None:
    boxes, edges = network(count)
    layout = benchmark(lay_out, [(100.0, 40.0)] * boxes, edges)
    assert len(layout.centers) == boxes


def steps(count: int) -> list[PlainOperation]:
    """The network's boxes as operations of changing names."""
    boxes, edges = network(count)
    sources: list[list[str]] = [[] for _ in range(boxes)]
    for source, target in edges:
        sources[target].append(f"t{source}")
    names = ["conv", "relu", "max_pool", "batch_normalization", "matmul"]
    graph = [PlainOperation("external", [], ["t0"], [(1, 8, 8, 8)])]
    for i in range(1, boxes):
        name = names[i % 5] if len(sources[i]) == 1 else "add"
        graph.append(
            PlainOperation(name, sources[i], [f"t{i}"], [(1, i, 8, 8)], (), f"{i % 7}×{i % 5}")
        )
    return graph


@pytest.mark.parametrize("count", [1_000, 10_000])
@pytest.mark.benchmark(group="graph picture")
def test_graph_picture(benchmark: Benchmark, count: int) -> None:
    graph = steps(count)
    svg = benchmark(graph_picture, graph, ["t0"], [graph[-1].outputs[0]])
    assert len(svg) < 60 * 1024

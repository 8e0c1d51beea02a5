"""The layered layout keeps boxes apart and leads edges around them, for any graph."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnefkit.display.layout import Layout, Point, lay_out
from nnefkit.display.layout.ordering import count_crossings, pair_crossings

Edges = list[tuple[int, int]]
Sizes = list[tuple[float, float]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Sizes, Edges, list[float]]:
    """Graphs without cycles: chains, branches, long edges, several inputs, separate parts."""
    count = draw(st.integers(1, 28))
    edges: Edges = []
    for target in range(1, count):
        reach = draw(st.sampled_from([1, 2, 5, count]))
        number = draw(st.sampled_from([0, 1, 1, 1, 2, 3]))
        for _ in range(number):
            edges.append((draw(st.integers(max(0, target - reach), target - 1)), target))
    box = st.tuples(st.integers(20, 200), st.integers(16, 90))
    sizes = [(float(w), float(h)) for w, h in draw(st.lists(box, min_size=count, max_size=count))]
    room = st.sampled_from([0.0, 0.0, 40.0, 80.0])
    return sizes, edges, draw(st.lists(room, min_size=count, max_size=count))


WIDTHS = st.sampled_from([None, 350.0, 900.0])


def corners(layout: Layout, sizes: Sizes) -> list[tuple[float, float, float, float]]:
    return [
        (center.x - w / 2, center.y - h / 2, center.x + w / 2, center.y + h / 2)
        for center, (w, h) in zip(layout.centers, sizes, strict=True)
    ]


def stretches(route: list[Point]) -> list[tuple[float, float, float, float]]:
    """Rectangles that contain the parts of a route, including its curves."""
    return [
        (min(a.x, b.x), min(a.y, b.y), max(a.x, b.x), max(a.y, b.y)) for a, b in pairwise(route)
    ]


def overlap(a: tuple[float, ...], b: tuple[float, ...], slack: float = 0.01) -> bool:
    return (
        a[0] < b[2] - slack and b[0] < a[2] - slack and a[1] < b[3] - slack and b[1] < a[3] - slack
    )


@given(graphs(), WIDTHS)
@settings(max_examples=150, deadline=None)
def test_boxes_do_not_overlap(graph: tuple[Sizes, Edges, list[float]], width: float | None) -> None:
    sizes, edges, labels = graph
    boxes = corners(lay_out(sizes, edges, labels=labels, width=width), sizes)
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert not overlap(a, b)


@given(graphs(), WIDTHS, st.sampled_from([None, 0, 5]))
@settings(max_examples=200, deadline=None)
def test_edges_touch_only_their_own_boxes(
    graph: tuple[Sizes, Edges, list[float]], width: float | None, limit: int | None
) -> None:
    sizes, edges, labels = graph
    layout = lay_out(sizes, edges, labels=labels, width=width, dummy_limit=limit)
    boxes = corners(layout, sizes)
    for route in layout.routes:
        for stretch in stretches(list(route)):
            # A line has no area; give it some.
            thick = (stretch[0], stretch[1] - 0.02, stretch[2], stretch[3] + 0.02)
            for box in boxes:
                assert not overlap(thick, box)


@given(graphs(), WIDTHS)
@settings(max_examples=100, deadline=None)
def test_room_for_labels_is_free(
    graph: tuple[Sizes, Edges, list[float]], width: float | None
) -> None:
    sizes, edges, labels = graph
    layout = lay_out(sizes, edges, labels=labels, width=width)
    boxes = corners(layout, sizes)
    readers = {source for source, _ in edges}
    for number, (box, room) in enumerate(zip(boxes, labels, strict=True)):
        if not room or number not in readers:
            continue
        middle = (box[1] + box[3]) / 2
        label = (box[2], middle - 8, box[2] + room, middle - 1)
        assert not any(overlap(label, other) for other in boxes)
        for (source, _), route in zip(edges, layout.routes, strict=True):
            for stretch in stretches(list(route)):
                thick = (stretch[0], stretch[1] - 0.02, stretch[2], stretch[3] + 0.02)
                assert not overlap(label, thick), (source, number)


@given(graphs(), WIDTHS, st.sampled_from([None, 0, 5]))
@settings(max_examples=100, deadline=None)
def test_edges_lead_from_the_right_of_their_source_to_the_left_of_their_target(
    graph: tuple[Sizes, Edges, list[float]], width: float | None, limit: int | None
) -> None:
    sizes, edges, labels = graph
    layout = lay_out(sizes, edges, labels=labels, width=width, dummy_limit=limit)
    boxes = corners(layout, sizes)
    assert len(layout.routes) == len(edges)
    for (source, target), route in zip(edges, layout.routes, strict=True):
        assert layout.layers[source] < layout.layers[target]
        start, end = route[0], route[-1]
        assert start.x == pytest.approx(boxes[source][2])
        assert start.y == pytest.approx(layout.centers[source].y)
        assert end.x == pytest.approx(boxes[target][0])
        assert boxes[target][1] < end.y < boxes[target][3]
        assert end.x > route[-2].x


@given(graphs(), WIDTHS, st.sampled_from([None, 0]))
@settings(max_examples=100, deadline=None)
def test_everything_is_inside_the_picture(
    graph: tuple[Sizes, Edges, list[float]], width: float | None, limit: int | None
) -> None:
    sizes, edges, labels = graph
    layout = lay_out(sizes, edges, labels=labels, width=width, dummy_limit=limit)
    everything = corners(layout, sizes)
    everything += [s for route in layout.routes for s in stretches(list(route))]
    for left, top, right, bottom in everything:
        assert left >= -0.01
        assert top >= -0.01
        assert right <= layout.width + 0.01
        assert bottom <= layout.height + 0.01


def test_a_chain_is_one_straight_line() -> None:
    layout = lay_out([(80.0, 30.0)] * 6, [(i, i + 1) for i in range(5)])
    assert len({center.y for center in layout.centers}) == 1
    assert all(len(route) == 2 for route in layout.routes)


def test_the_main_path_remains_straight_next_to_skips() -> None:
    chain = [(i, i + 1) for i in range(6)]
    layout = lay_out([(80.0, 30.0)] * 7, [*chain, (1, 3), (3, 5)])
    assert len({round(center.y, 3) for center in layout.centers}) == 1


def test_branches_of_an_inception_block_do_not_cross() -> None:
    branches = [[1], [2, 3], [4, 5], [6, 7]]
    edges = []
    for branch in branches:
        way = [0, *branch, 8]
        edges += list(pairwise(way))
    layout = lay_out([(60.0, 30.0)] * 9, edges)
    order = [layout.centers[branch[0]].y for branch in branches]
    ends = [layout.centers[branch[-1]].y for branch in branches]
    assert sorted(range(4), key=order.__getitem__) == sorted(range(4), key=ends.__getitem__)
    assert layout.centers[0].y == pytest.approx(layout.centers[8].y)


def test_crossings_that_can_be_avoided_are_avoided() -> None:
    # Two chains whose boxes are given in opposite orders.
    layout = lay_out([(50.0, 20.0)] * 6, [(0, 3), (1, 2), (3, 4), (2, 5)])
    assert (layout.centers[0].y < layout.centers[1].y) == (
        layout.centers[3].y < layout.centers[2].y
    )


def test_a_long_chain_continues_in_rows_of_the_given_width() -> None:
    layout = lay_out([(100.0, 40.0)] * 20, [(i, i + 1) for i in range(19)], width=700)
    assert layout.rows > 2
    assert layout.around == layout.rows - 1
    assert layout.width <= 700


def test_inputs_move_to_their_readers() -> None:
    edges = [(i, i + 1) for i in range(8)] + [(9, 8)]
    layout = lay_out([(50.0, 20.0)] * 10, edges)
    assert layout.layers[9] == 7


@pytest.mark.parametrize("edges", [[(0, 1), (1, 0)], [(0, 0)], [(0, 1), (1, 2), (2, 1)]])
def test_cycles_are_refused(edges: Edges) -> None:
    with pytest.raises(ValueError, match="cycle"):
        lay_out([(10.0, 10.0)] * 3, edges)


def test_an_empty_graph_needs_no_room() -> None:
    layout = lay_out([], [])
    assert (layout.width, layout.height) == (0, 0)


def test_deep_graphs_are_laid_out() -> None:
    count = 5_000
    layout = lay_out([(10.0, 10.0)] * count, [(i, i + 1) for i in range(count - 1)] + [(0, 4_999)])
    assert layout.layers[-1] == count - 1


@given(
    st.lists(
        st.lists(st.integers(0, 6), max_size=4).map(sorted),
        min_size=1,
        max_size=6,
    )
)
def test_crossings_are_counted_as_pairs_of_edges(ends: list[list[int]]) -> None:
    every = [(source, end) for source, targets in enumerate(ends) for end in targets]
    expected = sum(1 for a in every for b in every if a[0] < b[0] and a[1] > b[1])
    positions = [*range(len(ends)), *range(7)]
    after = [[len(ends) + end for end in targets] for targets in ends]
    assert count_crossings(range(len(ends)), after, positions) == expected
    by_pairs = sum(pair_crossings(ends[i], ends[j]) for j in range(len(ends)) for i in range(j))
    assert by_pairs == expected

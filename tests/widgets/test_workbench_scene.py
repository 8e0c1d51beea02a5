"""Blocks open in place: nothing is lost, nothing overlaps, no edge crosses a foreign box."""

from __future__ import annotations

from itertools import pairwise

import pytest
from drawn_graphs import drawn_graphs, long_graph
from hypothesis import given, settings
from hypothesis import strategies as st

from nnefkit.display.folding import PlainOperation
from nnefkit.display.layout import Point
from nnefkit.pictures.outline import Outline, OutlineBlock
from nnefkit.pictures.viewed_graph import viewed
from nnefkit.widgets.workbench.scene import HEAD, Scene, SceneBox

Drawn = tuple[list[PlainOperation], list[str], list[str]]
SETTINGS = settings(max_examples=60, deadline=None)


def opened(graph: Drawn, choices: list[bool]) -> Outline:
    """The outline of a graph, with some blocks open, chosen from the outside to the inside."""
    outline = Outline(*graph)
    wanted = iter(choices)
    waiting = list(outline.roots)
    for block in waiting:
        if next(wanted, False) and outline.open(block):
            waiting.extend(outline.children(block))
    return outline


CHOICES = st.lists(st.booleans(), max_size=40)


def leaves(outline: Outline, block: OutlineBlock) -> list[OutlineBlock]:
    inner = outline.children(block)
    return [leaf for child in inner for leaf in leaves(outline, child)] if inner else [block]


@given(drawn_graphs())
@SETTINGS
def test_every_operation_is_in_one_place_of_the_outline(graph: Drawn) -> None:
    outline = Outline(*graph)
    found = [leaf for root in outline.roots for leaf in leaves(outline, root)]
    assert len({leaf.key for leaf in found}) == len(found)
    numbers = [number for leaf in found for number in leaf.group.operations]
    assert sorted(numbers) == sorted({*outline.drawn_numbers(), *range(len(graph[1]))})
    for leaf in found:
        assert len(leaf.group.operations) <= 1, "a block of several operations does not open"
        for number in leaf.group.operations:
            assert outline.reveal(number) is leaf


@given(drawn_graphs(), CHOICES)
@SETTINGS
def test_an_operation_is_visible_as_one_box(graph: Drawn, choices: list[bool]) -> None:
    outline = opened(graph, choices)
    boxes = {box.block.key: box for box in Scene(outline).boxes}
    closed = list(outline.closed())
    assert {block.key for block in closed} == {k for k, b in boxes.items() if not b.block.is_open}
    for number in outline.drawn_numbers():
        block = outline.visible(number)
        assert block is not None
        assert number in block.group.operations
        assert block in closed


def rectangle(box: SceneBox) -> tuple[float, float, float, float]:
    return box.x, box.y, box.x + box.width, box.y + box.height


def overlap(a: tuple[float, ...], b: tuple[float, ...], slack: float = 0.05) -> bool:
    return (
        a[0] < b[2] - slack and b[0] < a[2] - slack and a[1] < b[3] - slack and b[1] < a[3] - slack
    )


def contains(outer: OutlineBlock, inner: OutlineBlock) -> bool:
    return outer in inner.ancestors()


@given(drawn_graphs(), CHOICES, st.booleans())
@SETTINGS
def test_boxes_do_not_overlap_and_are_inside_of_their_blocks(
    graph: Drawn, choices: list[bool], valued: bool
) -> None:
    scene = Scene(opened(graph, choices), 400.0, valued=valued)
    for i, one in enumerate(scene.boxes):
        left, top, right, bottom = rectangle(one)
        assert left >= -0.05
        assert top >= -0.05
        assert right <= scene.width + 0.05
        assert bottom <= scene.height + 0.05
        for other in scene.boxes[:i]:
            if contains(one.block, other.block) or contains(other.block, one.block):
                outer, inner = (one, other) if contains(one.block, other.block) else (other, one)
                assert rectangle(outer)[0] <= rectangle(inner)[0]
                assert rectangle(outer)[1] + HEAD <= rectangle(inner)[1] + 0.05
                assert rectangle(outer)[2] >= rectangle(inner)[2]
                assert rectangle(outer)[3] >= rectangle(inner)[3]
            else:
                assert not overlap(rectangle(one), rectangle(other))


def stretches(points: list[Point]) -> list[tuple[float, float, float, float]]:
    """Rectangles that contain the parts of a route, its curves included; lines get some area."""
    return [
        (min(a.x, b.x), min(a.y, b.y) - 0.1, max(a.x, b.x), max(a.y, b.y) + 0.1)
        for a, b in pairwise(points)
    ]


@given(drawn_graphs(), CHOICES)
@SETTINGS
def test_no_edge_passes_through_a_box(graph: Drawn, choices: list[bool]) -> None:
    """Edges touch open blocks only where they lead into or out of them."""
    scene = Scene(opened(graph, choices), 400.0)
    closed = [rectangle(box) for box in scene.boxes if not box.block.is_open]
    for edge in scene.edges:
        for stretch in stretches(edge.points):
            assert not any(overlap(stretch, box) for box in closed)


@given(drawn_graphs(), CHOICES)
@SETTINGS
def test_every_tensor_leads_from_its_box_to_those_that_read_it(
    graph: Drawn, choices: list[bool]
) -> None:
    """Parts of edges join at the borders of open blocks, without a gap."""
    outline = opened(graph, choices)
    scene = Scene(outline, 400.0)
    for number, operation in enumerate(graph[0]):
        reader = outline.visible(number)
        for name in operation.inputs if reader is not None else ():
            maker = outline.visible(outline.maker[name])
            if maker is None or maker is reader:
                continue
            parts = [edge.points for edge in scene.edges if name in edge.tensors]
            source, target = scene.box_of[maker.key], scene.box_of[reader.key]
            reached = {(round(source.x + source.width, 2), round(source.y + source.height / 2, 2))}
            for _ in parts:
                for points in parts:
                    first, last = points[0], points[-1]
                    if (round(first.x, 2), round(first.y, 2)) in reached:
                        reached.add((round(last.x, 2), round(last.y, 2)))
            assert any(
                x == round(target.x, 2) and target.y < y < target.y + target.height
                for x, y in reached
            ), (name, maker.key, reader.key)


def test_a_repeat_opens_to_its_instances_and_folds_again() -> None:
    graph = viewed(long_graph(400))
    outline = Outline(graph.operations, graph.inputs, graph.outputs)
    before = [box.block.key for box in Scene(outline).boxes]
    block = max(outline.roots, key=lambda one: len(one.group.operations))
    assert outline.open(block)
    inside = outline.children(block)
    assert sum(len(child.group.operations) for child in inside) == len(block.group.operations)
    assert len(Scene(outline).boxes) == len(before) + len(inside)
    outline.fold(block)
    assert [box.block.key for box in Scene(outline).boxes] == before


def test_fragments_unfold_level_by_level() -> None:
    def call(name: str, source: str, scope: tuple[str, ...]) -> PlainOperation:
        return PlainOperation(name, [source], [f"{name}_{source}"], [(1, 2)], scope)

    operations = [PlainOperation("external", [], ["x"], [(1, 2)])]
    last = "x"
    for k in range(3):
        for inner in ("attention", "mlp"):
            for name in ("matmul", "softmax", "matmul", "add", "tanh", "mul", "matmul", "sub"):
                scope = (f"layer:{k}", f"{inner}:{k}")
                operations.append(call(name, last, scope))
                last = operations[-1].outputs[0]
    outline = Outline(operations, ["x"], [last], budget=4)
    titles = [outline.box(block).title for block in outline.roots]
    layer = next(b for b in outline.roots if outline.box(b).title == "layer")
    assert "layer" in titles
    inner = [outline.box(child).title for child in outline.children(layer)]
    assert {"attention", "mlp"} <= set(inner) or inner.count("layer") == 3, inner


@pytest.mark.parametrize("detail", ["blocks", "operations"])
def test_a_graph_without_operations_has_a_scene(detail: str) -> None:
    operations = [PlainOperation("external", [], ["x"], [(1,)])]
    outline = Outline(operations, ["x"], ["x"], detail)  # type: ignore[arg-type]
    assert len(Scene(outline).boxes) == 2


@pytest.mark.parametrize("branches", [2, 3, 4, 5])
@pytest.mark.parametrize("late", [1, 2])
def test_a_tensor_that_is_read_late_in_a_block_enters_it_past_all_boxes(
    branches: int, late: int
) -> None:
    scope = ("call:y",)
    shape = [(1, 2)]
    operations = [PlainOperation("external", [], [name], shape) for name in ("x", "z", "q")]
    names = ("conv", "matmul", "box", "deconv", "linear")
    ends = [f"a{i}" for i in range(branches)]
    operations += [
        PlainOperation(names[i], ["x"], [end], shape, scope) for i, end in enumerate(ends)
    ]
    operations.append(PlainOperation("concat", ends, ["j"], shape, scope))
    operations.append(PlainOperation("conv", ["j"], ["k"], shape, scope))
    operations.append(PlainOperation("add", ["k", *["z", "q"][:late]], ["l"], shape, scope))
    operations.append(PlainOperation("matmul", ["l"], ["m"], shape, scope))
    operations.append(PlainOperation("tanh", ["m"], ["y"], shape, scope))
    operations.append(PlainOperation("softmax", ["y"], ["out"], shape))
    outline = Outline(operations, ["x", "z", "q"], ["out"])
    for block in list(outline.closed()):
        outline.open(block)
    scene = Scene(outline)
    assert any(box.block.is_open for box in scene.boxes)
    closed = [rectangle(box) for box in scene.boxes if not box.block.is_open]
    for edge in scene.edges:
        for stretch in stretches(edge.points):
            assert not any(overlap(stretch, box) for box in closed), edge

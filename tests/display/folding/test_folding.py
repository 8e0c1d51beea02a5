"""Folding chooses the boxes of a picture, loses nothing, and always fits."""

from __future__ import annotations

import cProfile
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnefkit.arrays import Shape
from nnefkit.display.folding import Picture, PlainOperation, fold_graph
from nnefkit.display.folding.chains import tandems


class Builder:
    """Builds graphs, one operation after the other."""

    def __init__(self) -> None:
        self.operations: list[PlainOperation] = []

    def add(
        self,
        name: str,
        *sources: str,
        shape: Shape | None = (1, 8, 4, 4),
        weights: int = 0,
        words: str = "",
        scope: Sequence[str] = (),
    ) -> str:
        parameters = [self.add("variable", scope=scope) for _ in range(weights)]
        result = f"{name}{len(self.operations)}"
        shapes = [shape]
        self.operations.append(
            PlainOperation(name, [*sources, *parameters], [result], shapes, scope, words)
        )
        return result

    def input(self, shape: Shape = (1, 3, 4, 4)) -> str:
        return self.add("external", shape=shape)

    def picture(self, inputs: Sequence[str], outputs: Sequence[str], budget: int = 150) -> Picture:
        found = fold_graph(self.operations, inputs, outputs, budget)
        check(found, self.operations, budget)
        return found


def check(found: Picture, steps: Sequence[PlainOperation], budget: int = 150) -> None:
    """Check what is true for every picture."""
    assert len(found.boxes) <= max(budget, 3)
    shown = [number for box in found.boxes for number in box.operations]
    assert len(shown) == len(set(shown)), "an operation is in two boxes"
    for number in set(range(len(steps))) - set(shown):
        assert steps[number].name in ("variable", "constant") or acts_on_parameters(number, steps)
    for edge in found.edges:
        assert edge.source < edge.target, "boxes are in a valid order"
    pairs = [(edge.source, edge.target) for edge in found.edges]
    assert len(pairs) == len(set(pairs))
    connected = {(e.source, e.target) for e in found.edges}
    home = {number: i for i, box in enumerate(found.boxes) for number in box.operations}
    maker = {name: n for n, step in enumerate(steps) for name in step.outputs}
    if not found.omitted:
        for number, step in enumerate(steps):
            for name in step.inputs:
                source = maker[name]
                if source in home and number in home and home[source] != home[number]:
                    assert (home[source], home[number]) in connected, "an edge got lost"


def acts_on_parameters(number: int, steps: Sequence[PlainOperation]) -> bool:
    maker = {name: n for n, step in enumerate(steps) for name in step.outputs}
    waiting, seen = [number], set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        if steps[current].name == "external":
            return False
        waiting += [maker[name] for name in steps[current].inputs]
    return True


def titles(found: Picture) -> list[str]:
    return [
        f"{box.title} × {box.count}" if box.count > 1 else box.title
        for box in found.boxes
        if box.kind == "operation"
    ]


# -- what becomes of what ---------------------------------------------------------------------


def test_parameters_and_operations_on_them_have_no_boxes() -> None:
    b = Builder()
    x = b.input()
    weights = b.add("transpose", b.add("reshape", b.add("variable")))
    y = b.add("conv", x, weights, b.add("constant"))
    found = b.picture([x], [y])
    assert titles(found) == ["conv"]
    assert found.parameters == 2, "variables and constants are not operations on parameters"
    assert found.operations == 1


def test_small_operations_join_their_neighbors() -> None:
    b = Builder()
    x = b.input()
    y = b.add("conv", b.add("pad", b.add("transpose", x)), weights=2, words="3×3")
    y = b.add("relu", b.add("batch_normalization", b.add("add", y, weights=1), weights=4))
    z = b.add("max_pool", y, words="2×2")
    found = b.picture([x], [b.add("softmax", b.add("reshape", z))])
    assert titles(found) == ["conv", "max_pool"]
    assert found.boxes[1].lines == ["3×3 · pad · add · batch_norm · relu"]
    assert found.boxes[2].lines == ["2×2 · softmax"]
    assert len(found.boxes[1].operations) == 6


def test_a_result_that_is_read_twice_ends_a_box() -> None:
    b = Builder()
    x = b.input()
    y = b.add("conv", x, weights=1)
    z = b.add("relu", y)
    found = b.picture([x], [y, z])
    assert titles(found) == ["conv", "relu"]


def test_equal_operations_in_a_row_are_one_box() -> None:
    b = Builder()
    x = y = b.input()
    for _ in range(5):
        y = b.add("relu", b.add("conv", y, weights=2, words="3×3"))
    for _ in range(2):
        y = b.add("relu", b.add("conv", y, weights=2, words="5×5"))
    found = b.picture([x], [y])
    assert titles(found) == ["conv × 5", "conv × 2"]
    assert [len(box.operations) for box in found.boxes[1:3]] == [10, 4]


def residual(b: Builder, x: str, words: str = "3×3", shape: Shape = (1, 8, 4, 4)) -> str:
    y = b.add("relu", b.add("conv", x, weights=2, words=words, shape=shape), shape=shape)
    y = b.add("conv", y, weights=2, words="3×3", shape=shape)
    return b.add("relu", b.add("add", y, x, shape=shape), shape=shape)


def test_repeated_residual_blocks_are_one_box() -> None:
    b = Builder()
    x = b.input()
    y = b.add("conv", x, weights=2, words="7×7")
    for _ in range(11):
        y = residual(b, y)
    found = b.picture([x], [b.add("linear", y, weights=2)])
    assert titles(found) == ["conv", "residual block × 11", "linear"]


def test_a_tensor_that_is_also_read_elsewhere_separates_the_repeats() -> None:
    b = Builder()
    x = y = b.input()
    for _ in range(3):
        y = residual(b, y)
    head = b.add("conv", y, weights=1, words="1×1")
    for _ in range(4):
        y = residual(b, y)
    found = b.picture([x], [y, head])
    assert sorted(titles(found)) == ["conv", "residual block × 3", "residual block × 4"]


def test_stages_of_a_network_stay_apart() -> None:
    b = Builder()
    x = y = b.input()
    for stage in range(3):
        shape = (1, 8 << stage, 16 >> stage, 16 >> stage)
        y = b.add("max_pool", y, words="2×2 stride 2", shape=shape)
        for _ in range(2):
            y = b.add("relu", b.add("conv", y, weights=2, words="3×3", shape=shape), shape=shape)
    found = b.picture([x], [y])
    assert titles(found) == ["max_pool", "conv × 2"] * 3


def test_equal_layers_fold_with_their_contents() -> None:
    b = Builder()
    x, mask = b.input(), b.input()
    bias = b.add("mul", b.add("sub", mask))
    y = x
    for _ in range(12):
        q, k, v = (b.add("linear", y, weights=2) for _ in range(3))
        scores = b.add("softmax", b.add("add", b.add("matmul", q, k), bias))
        y = b.add("add", b.add("linear", b.add("matmul", scores, v), weights=2), y)
        y = b.add("add", b.add("linear", b.add("gelu", b.add("linear", y, weights=2))), y)
    found = b.picture([x, mask], [y])
    assert titles(found) == ["sub", "attention block × 12"]
    assert len(found.edges) == 4


def test_decoder_layers_fold_although_all_read_the_encoder() -> None:
    b = Builder()
    source, target = b.input(), b.input()
    memory = b.add("conv", source, weights=1)
    y = b.add("conv", target, weights=1)
    for _ in range(8):
        k, v = b.add("linear", memory, weights=2), b.add("linear", memory, weights=2)
        scores = b.add("softmax", b.add("matmul", b.add("linear", y, weights=2), k))
        y = b.add("add", b.add("linear", b.add("matmul", scores, v), weights=2), y)
    found = b.picture([source, target], [y])
    assert titles(found) == ["conv", "conv", "attention block × 8"]


def test_a_single_block_stays_open() -> None:
    b = Builder()
    x = b.input()
    found = b.picture([x], [residual(b, b.add("conv", x, weights=1))])
    assert titles(found) == ["conv", "conv", "conv", "add"]
    (skip,) = [edge for edge in found.edges if edge.skips]
    assert found.boxes[skip.target].title == "add"


def test_runs_that_occur_between_blocks_become_blocks() -> None:
    b = Builder()
    x = y = b.input()
    for _ in range(3):
        for words in ("1×1", "3×3 depthwise stride 2", "1×1"):
            y = b.add("clamp", b.add("conv", y, weights=2, words=words))
        y = residual(b, y)
    found = b.picture([x], [y])
    assert titles(found) in (
        ["conv block", "residual block"] * 3,
        ["conv block × 3"],
    )


def test_equal_siblings_are_one_box() -> None:
    b = Builder()
    x = b.input()
    heads = [b.add("linear", x, weights=1) for _ in range(8)]
    found = b.picture([x], [b.add("concat", *heads)])
    assert titles(found) == ["linear × 8", "concat"]
    assert found.boxes[1].parallel


def test_nested_skips_keep_their_levels() -> None:
    b = Builder()
    x = y = b.input()
    kept = []
    for _ in range(4):
        y = b.add("conv", b.add("conv", y, weights=1, words="3×3"), weights=1, words="5×5")
        kept.append(y)
        y = b.add("max_pool", y, words="2×2")
    for _ in range(4):
        y = b.add("conv", b.add("concat", kept.pop(), b.add("deconv", y)), weights=1, words="3×3")
    found = b.picture([x], [y])
    assert sum(edge.skips for edge in found.edges) == 4
    assert 8 <= len(titles(found)) <= 12


def test_fragment_calls_become_boxes() -> None:
    b = Builder()
    x = b.input()
    y = b.add("conv", x, weights=2, scope=("stem",))
    y = b.add("max_pool", y, scope=("stem",))
    z = b.add("conv", b.add("conv", y, weights=1, scope=("head",)), weights=1, scope=("head",))
    found = b.picture([x], [b.add("softmax", z)])
    assert titles(found) == ["stem", "head", "softmax"]


def test_a_nested_call_belongs_to_the_box_of_its_caller_and_calls_repeat() -> None:
    build = Builder()
    last = build.add("conv", start := build.input(), weights=1)
    for turn in range(6):
        outer = f"block:y{turn}"
        inner = build.add("conv", last, weights=1, scope=(outer, f"unit:z{turn}"))
        inner = build.add("relu", inner, scope=(outer, f"unit:z{turn}"))
        last = build.add("add", last, inner, scope=(outer,))
    found = build.picture([start], [last])
    (block,) = [box for box in found.boxes if box.title == "block"]
    assert block.count == 6
    assert len(block.operations) == 18


def test_fragment_calls_are_opened_while_there_is_room() -> None:
    b = Builder()
    x = y = b.input()
    for name in ("one", "two", "three"):
        y = b.add("conv", y, weights=1, scope=("net", name))
        y = b.add("max_pool", y, scope=("net", name))
    assert titles(b.picture([x], [y])) == ["one", "two", "three"]


def test_inputs_and_outputs_show_their_shapes() -> None:
    b = Builder()
    x = b.input((1, 3, 224, 224))
    y = b.add("conv", x, weights=1, shape=(1, 8, 112, 112))
    found = b.picture([x], [y])
    assert [(box.kind, list(box.lines)) for box in found.boxes if box.kind != "operation"] == [
        ("input", ["1×3×224×224"]),
        ("output", ["1×8×112×112"]),
    ]
    assert [edge.shapes for edge in found.edges] == [((1, 3, 224, 224),), ((1, 8, 112, 112),)]


def test_unknown_shapes_and_operations_do_no_harm() -> None:
    b = Builder()
    x = b.input()
    y = b.add("my_operation", x, shape=None)
    found = b.picture([x], [b.add("relu", y, shape=None)])
    assert titles(found) == ["my_operation"]


def test_outputs_that_are_inputs_or_parameters() -> None:
    b = Builder()
    x, w = b.input(), b.add("variable")
    found = b.picture([x], [x, w])
    assert [box.kind for box in found.boxes] == ["input", "output", "output"]
    assert [(edge.source, edge.target) for edge in found.edges] == [(0, 1)]


def test_an_empty_graph_is_an_empty_picture() -> None:
    assert fold_graph([], [], []).boxes == []


# -- budgets ------------------------------------------------------------------------------------


def long_chain(b: Builder, count: int) -> tuple[list[str], list[str]]:
    x = y = b.input()
    for i in range(count):
        y = b.add("conv", y, weights=1, words=f"{i % 97}×{i % 89}", shape=(1, i + 1, 4, 4))
    return [x], [y]


def many_branches(b: Builder, count: int) -> tuple[list[str], list[str]]:
    x = b.input()
    return [x], [b.add("conv", x, weights=1, words=f"{i}×{i}") for i in range(count)]


def many_inputs(b: Builder, count: int) -> tuple[list[str], list[str]]:
    inputs = [b.input() for _ in range(count)]
    y = inputs[0]
    for i, x in enumerate(inputs[1:]):
        y = b.add("mul" if i % 3 else "add", y, x)
    return inputs, [y]


def dense(b: Builder, count: int) -> tuple[list[str], list[str]]:
    names = [b.input()]
    for i in range(count):
        names.append(b.add("concat", *names[-9:], shape=(1, i + 2)))
    return names[:1], names[-1:]


def nested(b: Builder, count: int) -> tuple[list[str], list[str]]:
    x = y = b.input()
    kept = []
    for _ in range(count // 2):
        y = b.add("conv", y, weights=1)
        kept.append(y)
    for name in reversed(kept):
        y = b.add("add", y, name)
    return [x], [y]


def deep_residual(b: Builder, count: int) -> tuple[list[str], list[str]]:
    x = y = b.input()
    for i in range(count // 4):
        y = residual(b, y, words=f"{i % 83}×{i % 79}")
    return [x], [y]


Shaper = Callable[[Builder, int], tuple[list[str], list[str]]]
SHAPERS = [long_chain, many_branches, many_inputs, dense, nested, deep_residual]


@pytest.mark.parametrize("budget", [5, 20, 150])
@pytest.mark.parametrize("shaper", SHAPERS)
def test_a_picture_never_has_more_boxes_than_its_budget(shaper: Shaper, budget: int) -> None:
    b = Builder()
    inputs, outputs = shaper(b, 500)
    found = b.picture(inputs, outputs, budget)
    assert len(found.boxes) >= 3


@pytest.mark.parametrize("shaper", [long_chain, deep_residual])
def test_operations_that_do_not_repeat_are_not_folded_into_one_box(shaper: Shaper) -> None:
    b = Builder()
    inputs, outputs = shaper(b, 400)
    assert len(b.picture(inputs, outputs).boxes) > 15


@pytest.mark.parametrize("shaper", SHAPERS)
def test_work_grows_linearly_with_the_graph(shaper: Shaper) -> None:
    def calls(count: int) -> int:
        b = Builder()
        inputs, outputs = shaper(b, count)
        profile = cProfile.Profile()
        profile.runcall(fold_graph, b.operations, inputs, outputs)
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(4_000) < 6 * calls(1_000)


@st.composite
def any_steps(draw: st.DrawFn) -> tuple[list[PlainOperation], list[str], list[str]]:
    """Arbitrary graphs: several inputs, dead ends, operations on parameters, shared scopes."""
    b = Builder()
    names = [b.input() for _ in range(draw(st.integers(1, 3)))]
    inputs = list(names)
    names.append(b.add("variable"))
    operations = st.sampled_from(["conv", "relu", "add", "concat", "max_pool", "transpose", "own"])
    for _ in range(draw(st.integers(0, 40))):
        reach = draw(st.sampled_from([1, 1, 2, 8, 40]))
        number = draw(st.sampled_from([1, 1, 1, 2, 3]))
        sources = [names[-draw(st.integers(1, min(reach, len(names))))] for _ in range(number)]
        scope = draw(st.sampled_from([(), (), ("a",), ("a", "b"), ("c",)]))
        words = draw(st.sampled_from(["", "3×3"]))
        names.append(b.add(draw(operations), *sources, scope=scope, words=words))
    outputs = draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    return b.operations, inputs, outputs


@given(any_steps(), st.sampled_from([3, 6, 12, 150]))
@settings(max_examples=200, deadline=None)
def test_any_graph_is_folded_without_cycles_or_losses(
    graph: tuple[list[PlainOperation], list[str], list[str]], budget: int
) -> None:
    steps, inputs, outputs = graph
    check(fold_graph(steps, inputs, outputs, budget), steps, budget)


# -- repeats in a row -----------------------------------------------------------------------------


@given(st.lists(st.integers(0, 2), max_size=24))
def test_tandems_do_repeat_and_do_not_overlap(tokens: list[int]) -> None:
    end = 0
    for start, period, count in tandems(tokens, range(1, 17)):
        assert start >= end
        assert count > 1
        end = start + period * count
        assert tokens[start:end] == tokens[start : start + period] * count


def test_tandems_prefer_the_longest_and_then_the_shortest_period() -> None:
    assert tandems("aaaa", range(1, 17)) == [(0, 1, 4)]
    assert tandems("xababab", range(1, 17)) == [(1, 2, 3)]
    assert tandems("aabaab", range(1, 17)) == [(0, 3, 2)]
    assert tandems("abc", range(1, 17)) == []

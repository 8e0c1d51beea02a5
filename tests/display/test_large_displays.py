"""Displays of what is very large, very deep or very wide stay small and quick."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from timing import assert_quick, least_seconds

import nnefkit as nk
from nnefkit.display.html import BUDGET
from nnefkit.display.images import reduced
from nnefkit.errors import Diagnostic, Span
from nnefkit.graph import Graph, Identifier, Operation, Tensor

MANY = 100_000
NAMES = [Identifier(f"v{i}") for i in range(MANY)]


def check(*shown: Any, seconds: float, words: tuple[str, ...] = ()) -> None:
    """Check text and HTML: the size of each, the time of all, and the `words` that each has."""
    writers = [write for each in shown for write in (each.__repr__, each._repr_html_)]
    for document in assert_quick(lambda: [write() for write in writers], seconds):
        assert len(document.encode()) <= BUDGET
        for word in words:
            assert word in document, word


@cache
def network(count: int) -> Graph:
    """A parsed network of `count` operations, a quarter of them convolutions."""
    lines = [f"version 1.0;\ngraph big( x0 ) -> ( x{count} )\n{{"]
    lines.append("    x0 = external(shape = [1, 8, 16, 16]);")
    for i in range(count):
        if i % 4 == 0:
            lines.append(f"    w{i} = variable(shape = [8, 8, 1, 1], label = 'w{i}');")
        call = (f"conv(x{i}, w{i})", f"relu(x{i})", f"add(x{i}, x{i - 1})", f"tanh(x{i})")[i % 4]
        lines.append(f"    x{i + 1} = {call};")
    return nk.infer_shapes(nk.parse("\n".join([*lines, "}"])))


@pytest.mark.parametrize(
    ("count", "seconds"), [(20_000, 1.0), pytest.param(100_000, 5.0, marks=pytest.mark.slow)]
)
def test_graphs(count: int, seconds: float) -> None:
    """The picture takes most of the time, and is made once."""
    graph = network(count)
    words = (f" of {count:,} operations", "graph.to_frame()", "graph.variables")
    check(graph, seconds=seconds, words=words)
    assert_quick(graph._repr_html_, seconds / 4)
    assert_quick(lambda: repr(graph), seconds / 4)


def test_the_first_picture_of_20_000_operations() -> None:
    graph = network(20_000)
    copy = Graph(graph.name, graph.inputs, graph.outputs, graph.operations, graph.tensors)
    assert_quick(copy._repr_html_, 1.0, tries=1)


def test_comparisons_and_reports_of_many_rows() -> None:
    count = 5_000
    first = {f"t{i}": np.float32([i, 1]) for i in range(count)}
    second = {name: values + np.float32(name > "t5") for name, values in first.items()}
    comparison = nk.compare(first, {**second, "other": np.ones(1)})
    check(comparison, seconds=0.5, words=(f" of {count + 1:,} tensors",))
    for rows in (comparison.rows, comparison.differing):
        check(rows, seconds=0.3, words=(f" of {len(rows):,} tensors", ".to_frame()"))
    missing = nk.compare({"x": 1.0, **dict.fromkeys(first, 1.0)}, {"x": 1.0}).missing
    assert len(missing.first_only) == count
    assert len(repr(missing)) < 1_000
    found = Diagnostic("code", "message", "error", "graph.nnef", 5, 5, Span(5, 9), "hint", "3.1")
    report = nk.ValidationReport("x.nnef", (found,) * count)
    check(report, seconds=0.3, words=(f" of {count:,} diagnostics", "report.errors"))


def external(name: str) -> Operation:
    """An input of three elements."""
    return Operation("external", {}, {"output": Identifier(name)}, {"shape": [1, 3]}, "scalar")


def tensors(*names: str) -> dict[str, Tensor]:
    """Tensors of three elements."""
    return {name: Tensor(name, "scalar", (1, 3)) for name in names}


def many_inputs() -> Graph:
    """An operation that joins all inputs of a graph."""
    joined = Operation("concat", {"values": list(NAMES)}, {"value": Identifier("y")}, {"axis": 1})
    operations = (*map(external, NAMES), joined)
    return Graph("g", tuple(NAMES), ("y",), operations, tensors("y", *NAMES))


def many_outputs() -> Graph:
    """An operation with many results, all outputs of a graph."""
    ratios = [1] * MANY
    split = Operation("split", {"value": Identifier("x")}, {"values": NAMES}, {"ratios": ratios})
    return Graph("g", ("x",), tuple(NAMES), (external("x"), split), tensors("x", *NAMES))


def many_parameters(count: int = MANY) -> Graph:
    """A vendor's operation with many parameters of each kind."""
    inputs = {f"k{i}": Identifier("x") for i in range(count)}
    attributes = {f"a{i}": i for i in range(count)}
    operation = Operation("vendor", inputs, {f"r{i}": NAMES[i] for i in range(count)}, attributes)
    return Graph("g", ("x",), (NAMES[0],), (external("x"), operation), tensors("x", *NAMES))


def many_weights() -> Graph:
    """A sum over many variables, computed without any input."""
    lines = [Operation("variable", {}, {"output": NAMES[0]}, {"shape": [1, 3], "label": "v"})]
    for before, name in pairwise(NAMES):
        weight = Identifier(f"{name}w")
        attributes = {"shape": [1, 3], "label": weight}
        lines.append(Operation("variable", {}, {"output": weight}, attributes))
        lines.append(Operation("add", {"x": before, "y": weight}, {"z": name}))
    every = tensors(*(name for op in lines for name in op.output_names))
    return Graph("g", (), (NAMES[-1],), tuple(lines), every)


@pytest.mark.parametrize(
    "make",
    [
        many_outputs,
        pytest.param(many_parameters, marks=pytest.mark.slow),
        pytest.param(many_inputs, marks=pytest.mark.slow),
        pytest.param(many_weights, marks=pytest.mark.slow),
    ],
)
def test_operations_of_a_hundred_thousand_arguments(make: Callable[[], Graph]) -> None:
    graph = make()
    check(graph, seconds=6.0)
    check(graph.operations[-1], seconds=0.3)


def test_an_operation_says_how_many_of_its_arguments_are_left_out() -> None:
    operation = many_parameters(1_000).operations[-1]
    assert "2,964 more arguments" in repr(operation)
    assert "60 of 3,000 arguments · all: " in operation._repr_html_()
    assert "operation.attribs" in operation._repr_html_()


SHAPES = {
    "rank": (1,) * MANY,
    "count": (2,) * MANY,
    "rank and extents": (10**18,) * MANY,
    "zero at the end": (10**18,) * MANY + (0,),
    "extents": (10**18,) * 4,
    "digits": (10**5_000, 1),
    "empty": (0, 3),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_shapes(shape: tuple[int, ...]) -> None:
    x, y, w, z = map(Identifier, "xywz")
    extents = list(shape)
    large = 10**9_000
    operations = (
        Operation("external", {}, {"output": x}, {"shape": extents}, "scalar"),
        Operation("variable", {}, {"output": w}, {"shape": extents, "label": "w"}),
        Operation("reshape", {"input": x}, {"output": y}, {"shape": extents}, macs=large),
        Operation(
            "conv", {"input": y, "filter": w}, {"output": z}, {"stride": extents, "groups": large}
        ),
    )
    every = {name: Tensor(name, "scalar", shape, None, "w" * (name == "w")) for name in "xywz"}
    graph = Graph("g", ("x",), ("z",), operations, every)
    check(graph, *every.values(), *operations, seconds=1.0)


def test_a_long_shape_states_its_rank() -> None:
    tensor = Tensor("x", "scalar", (2,) * MANY)
    for document in (repr(tensor), tensor._repr_html_()):
        assert "float 2×2×2×2×2×2×…×2×2 (100,000 axes) · over 1e307 elements" in document
    assert "1e72 elements" in repr(Tensor("x", "scalar", (10**18,) * 4))


def nested(depth: int, value: Any) -> Any:
    """`value` in as many lists."""
    for _ in range(depth):
        value = [value]
    return value


def wide(depth: int) -> Any:
    """Lists of 24 lists of 24 lists and so on."""
    return [wide(depth - 1)] * 24 if depth else 0.5


VALUES = {
    "deep": nested(50_000, 1),
    "wide": wide(12),
    "not finite": [math.nan, math.inf, -math.inf, 1e308],
    "digits": 10**6_000,
    "negative": [-(10**6_000)],
    "string": ["a'b\\" * 50_000],
    "tuples": [(1, 2)] * MANY,
    "array": np.ones((100, 100, 100)),
    "mapping": {"key": 1},
    "nothing": None,
}


@pytest.mark.parametrize("value", VALUES.values(), ids=list(VALUES))
def test_attributes_of_any_value(value: Any) -> None:
    """A graph that code has built was not checked: its displays show what is wrong with it."""
    x, y = Identifier("x"), Identifier("y")
    keys = ("padding", "size", "stride", "dilation", "axes", "factor", "axis", "shape", "groups")
    kinds = ("max_pool", "softmax", "concat", "reshape", "transpose", "nearest_upsample", "conv")
    shown: list[Any] = [Tensor("x", quantization={"op-name": "q", "v": value})]
    for kind in (*kinds, "pad", "stack", "local_response_normalization", "vendor"):
        operation = Operation(kind, {"x": x}, {"y": y}, dict.fromkeys(keys, value))
        operations = (external("x"), operation)
        shown += [operation, Graph("g", ("x",), ("y",), operations, tensors("x", "y"))]
    check(*shown, seconds=2.0)


def test_a_thousand_levels_of_fragments() -> None:
    scope = tuple(f"fragment{i}:y{i}" for i in range(1_000))
    names = [Identifier(f"x{i}") for i in range(3_001)]
    for at in (lambda i: scope, lambda i: scope[: i % 1_001]):
        operations = [
            Operation("relu", {"x": names[i]}, {"y": names[i + 1]}, scope=at(i))
            for i in range(3_000)
        ]
        every = (Operation("external", {}, {"output": names[0]}), *operations)
        graph = Graph("g", ("x0",), ("x3000",), every, tensors(*names))
        check(graph, operations[-1], seconds=1.0)


def test_a_graph_without_operations() -> None:
    check(Graph("empty", (), (), (), {}), seconds=0.1, words=("0 operations",))


ARRAYS = {
    "NaN": np.full((3, 4), np.nan),
    "infinite": np.array([np.inf, -np.inf, 1e308, -1e308]),
    "empty": np.zeros((0, 3)),
    "rank 0": np.array(3.0),
    "unsigned": np.array([2**63, 2**64 - 1], np.uint64),
    "rank 62": np.ones((1,) * 60 + (2, 2)),
    "strings": np.array(["a\x1b" * 99]),
    "half": np.full((2, 2), 65504, np.float16),
    "subnormal": np.array([5e-324, 1e-320]),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=list(ARRAYS))
def test_values(array: np.ndarray[Any, Any]) -> None:
    check(Tensor("t", "scalar", array.shape, array), seconds=0.3)


LARGE = {
    "rank 1": (5_000_000,),
    "rank 2": (2_500, 2_000),
    "tall": (10_000, 1_000),
    "wide": (1_000, 10_000),
    "rank 3": (300, 200, 100),
    "rank 4": (4, 64, 128, 128),
    "filters": (512, 512, 3, 3),
    "pictures": (32, 3, 224, 224),
    "vectors": (256, 20_000, 1, 1),
}


@pytest.mark.parametrize("shape", LARGE.values(), ids=list(LARGE))
def test_tensors_of_millions_of_elements(shape: tuple[int, ...]) -> None:
    """Noise, which makes the largest pictures."""
    values = np.random.default_rng(0).standard_normal(shape, np.float32)
    tensor = Tensor("x", "scalar", shape, values, "w" if shape[0] > 100 else "")
    graph = nk.parse(
        f"version 1.0; graph g(x) -> (y) {{ x = external(shape = {list(shape)}); y = copy(x); }}"
    )
    traced = nk.trace(graph, values)
    for shown in (tensor, traced.tensor("x")):
        page = assert_quick(shown._repr_html_, 0.2)
        assert 1_000 < len(page.encode()) <= BUDGET
        assert len(assert_quick(shown.__repr__, 0.2)) < 2_000


def test_the_first_trace_and_comparison_of_a_deep_network_of_large_tensors() -> None:
    """As many tensors as a ResNet-50 has, of its sizes; noise, which makes the largest pictures."""
    lines = ["x0 = external(shape = [1, 64, 56, 56]);"]
    lines += [f"x{i + 1} = {('sin', 'cos')[i % 2]}(x{i});" for i in range(120)]
    graph = nk.parse(f"version 1.0; graph g(x0) -> (x120) {{ {' '.join(lines)} }}")
    values = np.random.default_rng(0).standard_normal((1, 64, 56, 56), np.float32)
    first, second = nk.trace(graph, values), nk.trace(graph, values + 1)
    for shown in (first, nk.compare(first, second), nk.view(graph, trace=first)):
        write = shown.static if isinstance(shown, nk.widgets.View) else shown._repr_html_
        page = assert_quick(write, 0.4, tries=1)
        assert 5_000 < len(page.encode()) <= BUDGET
        assert_quick(write, 0.2)
        assert len(assert_quick(shown.__repr__, 0.2)) < 5_000


def test_reducing_a_large_map_takes_about_as_long_as_adding_it_up() -> None:
    """Its rows are added as they are in memory; taking them one by one takes five times as long."""
    values = np.random.default_rng(0).standard_normal((2_500, 1_000), np.float32)
    rows, columns = 25 * np.arange(100), 10 * np.arange(100)
    expected = values.reshape(100, 25, 100, 10).mean(axis=(1, 3), dtype=np.float64)
    assert np.allclose(reduced(values, 100, 100), expected, rtol=1e-12)

    def by_elements() -> None:
        sums = np.add.reduceat(values.astype(np.float64), rows, axis=0)
        np.add.reduceat(sums, columns, axis=1)

    slow = least_seconds(by_elements)
    assert least_seconds(lambda: reduced(values, 100, 100)) < slow / 2

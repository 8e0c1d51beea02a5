"""The formulas of FLOPs: one for each standard operation, and equal to what its body does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from oracles.one_call import SOURCES, calls_of, graph_of

import nnefkit as nk
from nnefkit.language import declarations
from nnefkit.operations.regions import cell_slices
from nnefkit.operations.registry import AT_MOST, FLOPS, READS, VIEWS

ONE_FUNCTION = {
    *("sqr", "sqrt", "rsqr", "rsqrt", "log2", "min", "max", "clamp"),
    *("gelu", "softplus"),
}
"""Their bodies are one way to compute them, but they count as elementary functions."""
MOVES = {"nearest_downsample", "nearest_upsample", "copy_n"}
"""Their bodies add up windows with one element."""
POOLS = {"max_pool", "max_pool_with_index"}
BODIES = sorted(
    name
    for name, declaration in declarations().items()
    if declaration.body is not None and name not in ONE_FUNCTION | MOVES | POOLS
)


def test_every_standard_operation_has_a_formula() -> None:
    assert set(FLOPS) == set(declarations())
    assert set(READS) | VIEWS | AT_MOST <= set(declarations())
    assert all(rule.__doc__ for rule in FLOPS.values())


@pytest.mark.parametrize("name", BODIES)
@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=15)
@given(data=st.data())
def test_a_compound_operation_costs_what_its_body_does(name: str, data: st.DataObject) -> None:
    one = data.draw(calls_of(name))
    graph = graph_of(name, one)[0]
    # Literals that stand for tensors are parts of the operation, and folded in its body.
    assume(all(isinstance(v, nk.Identifier | list) for v in graph.operations[-1].inputs.values()))
    lowered = nk.lower(graph, [name])
    expected = nk.cost(lowered)
    found = nk.cost(graph)
    assert found.flops + found.once.flops == expected.flops + expected.once.flops, str(lowered)
    assert found.macs + found.once.macs == expected.macs + expected.once.macs


@pytest.mark.parametrize("name", sorted(set(declarations()) - SOURCES - {"constant"}))
@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=10)
@given(data=st.data())
def test_every_drawn_call_has_a_cost(name: str, data: st.DataObject) -> None:
    graph = graph_of(name, data.draw(calls_of(name)))[0]
    costs = nk.cost(graph)
    row = costs.operations[-1]
    assert row.flops is not None
    assert row.flops >= 2 * (row.macs or 0) >= 0
    sizes = {
        n: int(np.prod(t.shape or ())) * {"scalar": 4, "integer": 8, "logical": 1}[t.dtype]
        for n, t in graph.tensors.items()
    }
    op = graph.operations[-1]
    assert 0 <= row.bytes_read <= sum(sizes[each] for each in dict.fromkeys(op.input_names))
    assert row.bytes_written in (0, sum(sizes[each] for each in op.output_names))


@given(
    extent=st.integers(1, 12),
    start=st.integers(-5, 15),
    length=st.integers(-3, 20),
    count=st.integers(1, 6),
)
def test_the_bound_of_pooled_regions_holds(
    extent: int, start: int, length: int, count: int
) -> None:
    cells = cell_slices(start, start + length, count, extent)
    covered = sum(max(cell.stop - cell.start, 0) for cell in cells)
    text = f"""version 1.0; graph g( x, r, b ) -> ( y ) {{ x = external(shape = [1, 1, {extent}]);
    r = external(shape = [1, 2]); b = external<integer>(shape = [1, 1]);
    y = max_roi_pool(x, r, b, output_size = [{count}]); }}"""
    flops = nk.cost(nk.parse(text)).flops
    assert covered <= flops - count <= extent + count - 1


def flops_of(call: str, *shapes: list[int]) -> int:
    names = [f"x{i}" for i in range(len(shapes))]
    lines = "".join(f"x{i} = external(shape = {shape});" for i, shape in enumerate(shapes))
    graph = f"graph g( {', '.join(names)} ) -> ( y ) {{ {lines} y = {call}; }}"
    return nk.cost(nk.parse(f"version 1.0; {graph}")).flops


@pytest.mark.parametrize(
    ("call", "shapes", "flops"),
    [
        ("conv(x0, x1)", [[1, 2, 5, 5], [3, 2, 3, 3]], 2 * 75 * 18),
        ("conv(x0, x1, 0.5)", [[1, 2, 5, 5], [3, 2, 3, 3]], 2 * 75 * 18 + 75),
        ("conv(x0, x1, groups = 0)", [[1, 2, 5, 5], [4, 1, 3, 3]], 2 * 100 * 9),
        ("deconv(x0, x1, stride = [2, 2])", [[1, 3, 4, 4], [3, 2, 3, 3]], 2 * 48 * 18),
        ("box(x0, size = [1, 1, 3, 2], normalize = true)", [[1, 1, 6, 6]], 36 * 7),
        ("max_pool(x0, size = [1, 1, 3, 3])", [[1, 1, 6, 6]], 36 * 9),
        ("linear(x0, x1, x2)", [[1, 3], [4, 3], [5, 4]], 2 * 12 + 20),
        ("multilinear_upsample(x0, factor = [2, 1])", [[1, 1, 3, 3]], 18 * 4),
        ("multilinear_upsample(x0, factor = [2, 2])", [[1, 1, 3, 3]], 36 * 8),
        ("softmax(x0)", [[2, 10]], 100),
        ("batch_normalization(x0, x1, x1, x1, x1, epsilon = 0.1)", [[2, 3, 4], [1, 3]], 96 + 6),
        ("add_n([x0, x0, x0])", [[7]], 14),
        ("transpose(x0, axes = [1, 0])", [[2, 3]], 0),
    ],
)
def test_formulas_in_numbers(call: str, shapes: list[list[int]], flops: int) -> None:
    assert flops_of(call, *shapes) == flops


def test_macs_of_a_broadcast_bias_are_those_of_the_product() -> None:
    text = """version 1.0; graph g( x ) -> ( y ) { x = external(shape = [1, 3]);
    w = variable(shape = [4, 3], label = "w"); b = variable(shape = [5, 4], label = "b");
    y = linear(x, w, b); }"""
    graph = nk.parse(text)
    assert graph.tensors["y"].shape == (5, 4)
    assert nk.cost(graph).macs == graph.producers["y"].macs == 12

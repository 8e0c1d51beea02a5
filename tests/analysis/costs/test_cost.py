"""`nk.cost`: arithmetic, memory traffic, peak memory, and sums of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timing import least_seconds

import nnefkit as nk

NETWORK = """version 1.0;
graph net( x ) -> ( y )
{
    x = external(shape = [2, 3, 9, 7]);
    w = variable(shape = [4, 3, 3, 3], label = 'block1/conv/filter');
    b = variable(shape = [1, 4], label = 'block1/conv/bias');
    v = variable(shape = [6, 4], label = 'block2/dense/filter');
    c = conv(x, w, b, padding = [(0, 0), (0, 0)], stride = [2, 1]);
    r = relu(c);
    m = mean_reduce(r, axes = [2, 3]);
    s = squeeze(m, axes = [2, 3]);
    t = transpose(v, axes = [1, 0]);
    y = matmul(s, t);
}"""


@pytest.fixture(scope="module")
def costs() -> nk.Cost:
    return nk.cost(nk.parse(NETWORK))


def test_each_operation_has_its_arithmetic_and_traffic(costs: nk.Cost) -> None:
    # The result of the convolution is 2x4x4x5: 160 elements of 4 bytes.
    frame = costs.to_frame().set_index("tensor")
    assert frame.loc["c", "macs"] == 160 * 27
    assert frame.loc["c", "flops"] == 2 * 160 * 27 + 160
    assert frame.loc["c", "bytes_read"] == 4 * (2 * 3 * 9 * 7 + 4 * 27 + 4)
    assert frame.loc["c", "bytes_written"] == 4 * 160
    assert frame.loc["c", "intensity"] == pytest.approx(8800 / (4 * (378 + 112 + 160)))
    assert frame.loc["r", ["macs", "flops", "parameters"]].tolist() == [0, 160, 0]
    assert frame.loc["m", "flops"] == 160 + 8
    assert frame.loc["y", "macs"] == 2 * 4 * 6
    assert frame.loc["c", "parameters"] == 112


def test_the_whole_is_the_sum_without_what_depends_on_weights_alone(costs: nk.Cost) -> None:
    assert costs.macs == 160 * 27 + 48
    assert costs["t"].once
    assert costs.once.operations == 1
    assert costs.once.bytes_written == 4 * 24
    # The transposed weights are in memory in runs, instead of the variable.
    assert costs.weight_bytes == 4 * (108 + 4 + 24)
    assert costs.parameters == 108 + 4 + 24
    # Parameters count at the operation that combines them with data.
    assert costs["y"].parameters == 24
    assert sum(row.parameters for row in costs.operations) == costs.parameters


def test_a_change_of_shape_moves_nothing_and_shares_memory(costs: nk.Cost) -> None:
    row = costs["s"]
    assert (row.flops, row.bytes_read, row.bytes_written, row.intensity) == (0, 0, 0, None)
    assert row.live_bytes == 4 * 8
    assert costs["y"].live_bytes == 4 * (8 + 12)


def test_memory_peaks_where_most_tensors_are_live(costs: nk.Cost) -> None:
    peak = costs.peak
    assert peak is not None
    assert (peak.tensor, peak.operation, peak.bytes) == ("c", "conv", 4 * (378 + 160))
    assert peak.live == {"x": 4 * 378, "c": 4 * 160}
    assert costs.graph.operations[peak.number].output_names == ("c",)


def test_a_tensor_that_is_read_twice_is_read_once_from_memory() -> None:
    text = "version 1.0; graph g( x ) -> ( y ) { x = external(shape = [5]); y = mul(x, x); }"
    assert nk.cost(nk.parse(text))["y"].bytes_read == 20


def test_outputs_and_later_arguments_stay_in_memory() -> None:
    costs = nk.cost(
        nk.parse("""version 1.0;
        graph g( x ) -> ( a, d )
        {
            x = external(shape = [10]);
            a = exp(x);
            b = log(a);
            c = slice(b, axes = [0], begin = [0], end = [2]);
            d = sum_reduce(c, axes = [0]);
        }""")
    )
    live = [row.live_bytes for row in costs.operations]
    assert live == [4 * n for n in (20, 20, 22, 13)]
    assert costs["c"].bytes_read == costs["c"].bytes_written == 8


def test_new_values_of_variables_stay_in_memory() -> None:
    costs = nk.cost(
        nk.parse("""version 1.0;
        graph g( x ) -> ( y )
        {
            x = external(shape = [10]);
            s = variable(shape = [10], label = 's');
            t = add(x, s);
            u = update(s, t);
            y = sum_reduce(x, axes = [0]);
        }""")
    )
    assert [row.live_bytes for row in costs.operations] == [80, 80, 84]
    assert (costs["u"].bytes_read, costs["u"].bytes_written, costs["u"].flops) == (40, 40, 0)
    # What the runs change is not computed once.
    assert not costs["t"].once
    assert costs.weight_bytes == 40


@st.composite
def drawn_graphs(draw: st.DrawFn) -> str:
    count = draw(st.integers(1, 12))
    names = ["x0", "x1"]
    lines = ["x0 = external(shape = [3]);", "x1 = external(shape = [5, 1]);"]
    for i in range(count):
        name = f"t{i}"
        kind = draw(st.sampled_from(["add", "copy", "tile", "exp"]))
        first, second = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        lines.append(
            {
                "add": f"{name} = add({first}, {first});",
                "copy": f"{name} = copy({first});",
                "exp": f"{name} = exp({second});",
                "tile": f"{name} = concat([{first}, {first}], axis = 0);",
            }[kind]
        )
        names.append(name)
    outputs = draw(st.lists(st.sampled_from(names[2:]), min_size=1, max_size=3, unique=True))
    body = "\n".join(lines)
    return f"version 1.0; graph g( x0, x1 ) -> ( {', '.join(outputs)} ) {{ {body} }}"


@given(drawn_graphs())
def test_live_memory_is_what_a_run_would_hold(text: str) -> None:
    """Compared with a run that looks through all later operations for readers."""
    graph = nk.parse(text)
    costs = nk.cost(graph)
    operations = graph.computations
    owner = {name: name for name in graph.inputs}
    for op in operations:
        name = op.output_names[0]
        owner[name] = owner[op.input_names[0]] if op.name == "copy" else name

    def size(name: str) -> int:
        return 4 * int(np.prod(graph.tensors[name].shape or ()))

    for place, op in enumerate(operations):
        here = {owner[name] for name in (*op.input_names, *op.output_names)}
        made = {owner[name] for o in operations[:place] for name in o.output_names}
        read = {owner[name] for o in operations[place:] for name in o.input_names}
        kept = read | {owner[name] for name in graph.outputs}
        # An input that nothing reads is there until the run has begun.
        live = here | (made & kept) | (set(graph.inputs) & kept)
        live |= set(graph.inputs) if place == 0 else set()
        assert costs.operations[place].live_bytes == sum(map(size, live))


# -- fragments ------------------------------------------------------------------------------------

FRAGMENT = """version 1.0;
extension KHR_enable_fragment_definitions KHR_enable_operator_expressions;
fragment layer( x: tensor<scalar>, w: tensor<scalar> ) -> ( y: tensor<scalar> )
{
    t = transpose(w, axes = [1, 0]);
    p = matmul(x, t);
    y = relu(p) + 1.0;
}
graph g( x ) -> ( z )
{
    x = external(shape = [2, 3]);
    w = variable(shape = [5, 3], label = 'w');
    y = layer(x, w);
    z = exp(y);
}"""


def test_a_call_of_a_fragment_costs_what_its_operations_do() -> None:
    whole = nk.cost(nk.parse(FRAGMENT))
    calls = nk.cost(nk.parse(FRAGMENT, expand=False))
    assert [row.operation for row in calls.operations] == ["layer", "exp"]
    for name in ("macs", "flops", "bytes_read", "bytes_written", "parameters", "weight_bytes"):
        assert getattr(calls, name) == getattr(whole, name), name
    assert calls["y"].macs == 30
    assert calls["y"].parameters == 15
    assert calls["y"].live_bytes == max(row.live_bytes or 0 for row in whole.operations[:-1])
    assert calls.peak is not None
    assert calls.graph.operations[calls.peak.number].name == "layer"


def test_blocks_are_calls_of_fragments() -> None:
    blocks = nk.cost(nk.parse(FRAGMENT)).by("fragment")
    assert [*blocks] == ["layer:y", "(outside of fragments)"]
    assert blocks["layer:y"].operations == 3
    assert blocks["layer:y"].macs == 30


# -- blocks ---------------------------------------------------------------------------------------


def test_blocks_by_label_hold_what_follows_the_weights(costs: nk.Cost) -> None:
    blocks = costs.by("label")
    assert [*blocks] == ["block1", "block2"]
    assert blocks["block1"].operations == 4
    assert blocks["block1"].flops == 8800 + 160 + 168
    assert [*costs.by("label", depth=2)] == ["block1/conv", "block2/dense"]


@pytest.mark.parametrize("by", ["fragment", "label", "family", "operation"])
def test_blocks_add_up_to_the_whole(costs: nk.Cost, by: str) -> None:
    frame = costs.by(by).to_frame()
    for name in ("macs", "flops", "parameters", "bytes_read", "bytes_written"):
        assert frame[name].sum() == getattr(costs.run, name)
    assert frame["operations"].sum() == costs.run.operations == 5


def test_operations_before_the_first_label_are_a_block() -> None:
    text = """version 1.0; graph g( x ) -> ( y ) { x = external(shape = [2]);
    w = variable(shape = [2], label = "w"); a = exp(x); y = mul(a, w); }"""
    assert [*nk.cost(nk.parse(text)).by("label")] == ["(before the first label)", "w"]


# -- unknown and wrong ----------------------------------------------------------------------------

CUSTOM = """version 1.0; extension KHR_enable_fragment_definitions;
fragment mystery( x: tensor<scalar> ) -> ( y: tensor<scalar> );
graph g( x ) -> ( z ) { x = external(shape = [4]); y = mystery(x); z = exp(y); }"""


def test_the_cost_of_a_custom_operation_is_unknown_and_not_zero() -> None:
    custom = nk.CustomOperations()
    custom.register("mystery", shape=lambda x: x)
    graph = nk.parse(CUSTOM, custom_operations=custom)
    costs = nk.cost(graph)
    row = costs["y"]
    assert (row.macs, row.flops, row.intensity, row.note) == (None, None, None, "unknown")
    assert (row.bytes_read, row.bytes_written) == (16, 16)
    assert costs.unknown == ("y",)
    assert costs.intensity is None
    assert costs.run.unknown == 1
    assert "Left out, as their MACs and FLOPs are unknown: y." in costs.summary
    assert costs.to_frame()["flops"].isna().tolist() == [True, False]
    for shown in (repr(costs), costs._repr_html_()):
        assert "unknown" in shown


def test_a_custom_operation_may_count_its_macs() -> None:
    custom = nk.CustomOperations()
    custom.register("mystery", shape=lambda x: x, macs=lambda inputs, outputs, attribs: 7)
    graph = nk.parse(CUSTOM, custom_operations=custom)
    row = nk.cost(graph, custom_operations=custom)["y"]
    assert (row.macs, row.flops, row.note) == (7, 14, "")


def test_a_custom_count_that_fails_is_located() -> None:
    custom = nk.CustomOperations()
    custom.register("mystery", shape=lambda x: x)
    graph = nk.parse(CUSTOM, custom_operations=custom)
    custom.register("mystery", shape=lambda x: x, macs=lambda inputs, outputs, attribs: 1 // 0)
    with pytest.raises(nk.ArgumentError, match=r"'mystery', which computes 'y'.*ZeroDivisionError"):
        nk.cost(graph, custom_operations=custom)


def test_a_negative_custom_count_is_refused() -> None:
    custom = nk.CustomOperations()
    custom.register("mystery", shape=lambda x: x, macs=lambda inputs, outputs, attribs: -3)
    graph = nk.parse(CUSTOM, custom_operations=custom)
    with pytest.raises(nk.ArgumentError, match="cannot be negative"):
        nk.cost(graph, custom_operations=custom)


def test_unknown_operations_are_refused_with_the_remedy() -> None:
    text = "version 1.0; graph g( x ) -> ( y ) { x = external(shape = [4]); y = vendor(x); }"
    graph = nk.parse(text, strict=False)
    with pytest.raises(nk.InputError, match=r"nk\.register_operation\('vendor', shape="):
        nk.cost(graph)


def test_unknown_shapes_are_refused_with_the_remedy() -> None:
    graph = nk.parse(CUSTOM)
    with pytest.raises(nk.InputError) as raised:
        nk.cost(graph)
    assert "those of 2 tensors are unknown, first that of 'y'" in str(raised.value)
    assert "nk.register_operation('mystery', shape=..., macs=...)" in str(raised.value)


def test_a_graph_built_by_hand_needs_shapes() -> None:
    tensors = {name: nk.Tensor(name) for name in ("x", "y")}
    external = nk.Operation("external", {}, {"output": nk.Identifier("x")}, {"shape": [3]})
    exp = nk.Operation("exp", {"x": nk.Identifier("x")}, {"y": nk.Identifier("y")})
    graph = nk.Graph("g", ("x",), ("y",), (external, exp), tensors)
    with pytest.raises(nk.InputError, match=r"nk.infer_shapes\(graph\) computes them"):
        nk.cost(graph)
    assert nk.cost(nk.infer_shapes(graph)).flops == 3


def test_regions_of_interest_have_an_upper_bound() -> None:
    costs = nk.cost(
        nk.parse("""version 1.0;
        graph g( x, rois, batch ) -> ( y )
        {
            x = external(shape = [1, 2, 9, 7]);
            rois = external(shape = [3, 4]);
            batch = external<integer>(shape = [3, 1]);
            y = max_roi_pool(x, rois, batch, output_size = [2, 2]);
        }""")
    )
    assert costs["y"].note == "at most"
    assert costs.summary.startswith("0 MACs, at most ")
    assert "≤ " in repr(costs)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda g: nk.cost(None), "'graph' must be a Graph, not None"),
        (lambda g: nk.cost("model"), "nnefkit.load(path)"),
        (lambda g: nk.cost(g, dtype="float31"), "Did you mean 'float32'?"),
        (lambda g: nk.cost(g, dtype=3), "There are: int8, float16"),
        (lambda g: nk.cost(g).by("labels"), "Did you mean 'label'?"),
        (lambda g: nk.cost(g).by("label", 0), "'depth' must be a positive integer"),
        (lambda g: nk.cost(g).by("label")["blok1"], "Did you mean 'block1'?"),
        (lambda g: nk.cost(g)["w"], "no operation of graph 'net' computes 'w'"),
    ],
)
def test_wrong_arguments_are_refused(call: object, words: str) -> None:
    with pytest.raises(nk.NnefError) as raised:
        call(nk.parse(NETWORK))  # type: ignore[operator]
    assert words in str(raised.value)


# -- sizes ----------------------------------------------------------------------------------------


def test_scalars_have_the_width_that_is_asked_for(costs: nk.Cost) -> None:
    graph = costs.graph
    assert nk.cost(graph, dtype="float16").bytes_read * 2 == costs.bytes_read
    assert nk.cost(graph, dtype="int8").weight_bytes * 4 == costs.weight_bytes
    wide = graph.with_data({"block1/conv/filter": np.zeros((4, 3, 3, 3))})
    assert nk.cost(wide).dtype == "float64"
    assert nk.cost(wide).bytes_read == 2 * costs.bytes_read


def test_integers_and_logicals_have_widths_of_their_own() -> None:
    costs = nk.cost(
        nk.parse("""version 1.0;
        graph g( x, i ) -> ( y, z )
        {
            x = external(shape = [10, 4]);
            i = external<integer>(shape = [3]);
            y = gather(x, i, axis = 0);
            z = gt(x, 0.0);
        }""")
    )
    assert costs["y"].bytes_read == 4 * 12 + 8 * 3
    assert costs["z"].bytes_written == 40


def test_variables_of_one_label_count_once() -> None:
    costs = nk.cost(
        nk.parse("""version 1.0;
        graph g( x ) -> ( z )
        {
            x = external(shape = [2, 3]);
            a = variable(shape = [3, 3], label = 'w');
            b = variable(shape = [3, 3], label = 'W');
            y = matmul(x, a);
            z = matmul(y, b);
        }""")
    )
    assert costs.parameters == 9
    assert costs["y"].parameters == 9
    assert costs["z"].parameters == 0
    assert costs.weight_bytes == 36


def test_numbers_beyond_64_bits_are_written_and_tabulated() -> None:
    text = f"""version 1.0; graph g( a, b ) -> ( y ) {{ a = external(shape = [{10**6}, {10**8}]);
    b = external(shape = [{10**8}, {10**6}]); y = matmul(a, b); }}"""
    costs = nk.cost(nk.parse(text))
    assert costs.flops == 2 * 10**20
    assert costs.to_frame()["flops"].tolist() == [2e20]
    assert "200,000 P FLOPs" in repr(costs)
    assert costs._repr_html_()


def test_a_graph_of_weights_alone_has_no_run() -> None:
    text = """version 1.0; graph g( x ) -> ( y ) { x = external(shape = [1]);
    w = variable(shape = [2, 3], label = "w"); y = exp(w); }"""
    costs = nk.cost(
        nk.parse(
            text,
        )
    )
    assert costs.peak is None
    assert (costs.flops, costs.once.flops) == (0, 6)
    assert "1 operation depends on weights alone" in costs.summary


def test_ten_thousand_operations_take_a_fraction_of_a_second() -> None:
    lines = "".join(
        f"t{i + 1} = conv(t{i}, w);" if i % 2 else f"t{i + 1} = relu(t{i});" for i in range(10_000)
    )
    graph = nk.parse(
        f"version 1.0; graph g( t0 ) -> ( t10000 ) {{ t0 = external(shape = [1, 4, 8, 8]);"
        f"w = variable(shape = [4, 4, 3, 3], label = 'w'); {lines} }}"
    )
    assert least_seconds(lambda: nk.cost(graph), bound=0.7) < 0.7
    costs = nk.cost(graph)
    assert least_seconds(costs._repr_html_, bound=0.5) < 0.5
    assert len(costs._repr_html_()) < 100 << 10


def test_text_and_page_have_the_same_sums(costs: nk.Cost) -> None:
    for shown in (repr(costs), costs._repr_html_()):
        assert "4.37 k MACs, " in shown
        assert "136 parameters" in shown
        assert "block1" in shown


def test_blocks_are_displayed_as_a_table(costs: nk.Cost) -> None:
    blocks = costs.by("label", 2)
    for shown in (repr(blocks), blocks._repr_html_()):
        assert "net: cost by label" in shown
        assert "block1/conv" in shown
        assert "4.32 k" in shown

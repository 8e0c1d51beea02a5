"""`nk.diff`: what differs between two graphs, found by structure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from timing import least_seconds

import nnefkit as nk

TEXT = """version 1.0;
graph net( x ) -> ( y )
{
    x = external(shape = [1, 3, 8, 8]);
    w1 = variable(shape = [4, 3, 3, 3], label = 'one/filter');
    b1 = variable(shape = [1, 4], label = 'one/bias');
    w2 = variable(shape = [4, 4, 3, 3], label = 'two/filter');
    c1 = conv(x, w1, b1, stride = [1, 1]);
    r1 = relu(c1);
    c2 = conv(r1, w2, groups = 1);
    r2 = leaky_relu(c2, alpha = 0.1);
    s = add(r1, r2);
    y = softmax(s, axes = [1]);
}"""
RANDOM = np.random.default_rng(7)
WEIGHTS = {
    "one/filter": RANDOM.normal(size=(4, 3, 3, 3)).astype(np.float32),
    "one/bias": RANDOM.normal(size=(1, 4)).astype(np.float32),
    "two/filter": RANDOM.normal(size=(4, 4, 3, 3)).astype(np.float32),
}


def made(text: str = TEXT, quantization: str | None = None, **changed: Any) -> nk.Graph:
    graph = nk.parse(text, quantization)
    values = {**WEIGHTS, **{name.replace("_", "/"): array for name, array in changed.items()}}
    labels = {variable.label for variable in graph.variables}
    return graph.with_data({name: array for name, array in values.items() if name in labels})


GRAPH = made()


def difference(old: str, new: str, **changed: Any) -> Any:
    assert TEXT.count(old) == 1
    return nk.diff(GRAPH, made(TEXT.replace(old, new), **changed))


def only(found: Any) -> Any:
    (row,) = found.operations
    return row


# -- equal graphs ---------------------------------------------------------------------------------


def test_a_graph_is_equal_to_itself_and_says_so() -> None:
    found = nk.diff(GRAPH, made())
    assert found.ok
    assert found.equal
    assert found.summary == "The graphs are equal."
    assert found.weights is None
    assert found.weights_equal == 3
    assert found.to_frame().empty
    assert "The graphs are equal." in repr(found)


def test_equality_of_graphs_stays_identity() -> None:
    assert GRAPH == GRAPH
    assert made() != GRAPH


def test_weights_without_values_are_not_claimed_to_be_equal() -> None:
    found = nk.diff(nk.parse(TEXT), GRAPH)
    assert found.weights_unknown == ("one/filter", "one/bias", "two/filter")
    assert found.summary.startswith("The graphs are equal as far as they were compared.")
    assert "3 weights have no values in one of the graphs and were not compared" in found.summary


def test_renamed_tensors_are_found_by_structure() -> None:
    text = TEXT
    for old, new in (("c1", "t9"), ("r1", "c1"), ("c2", "r1"), ("w2", "w1x"), ("w1 ", "w2 ")):
        text = text.replace(old, new)
    text = text.replace("w1,", "w2,")
    found = nk.diff(GRAPH, made(text))
    assert found.ok
    assert not found.equal
    assert found.renamed == {"w1": "w2", "w2": "w1x", "c1": "t9", "r1": "c1", "c2": "r1"}
    assert found.pairs["r2"] == "r2"
    assert found.summary == (
        "The graphs compute the same; only names differ. 5 tensors are renamed."
    )


def test_the_order_of_operations_does_not_matter() -> None:
    lines = TEXT.split("\n")
    x, w1, b1, w2 = lines[3:7]
    text = "\n".join([*lines[:3], w2, b1, x, w1, *lines[7:]])
    assert text != TEXT
    assert nk.diff(GRAPH, made(text)).equal


def test_pairs_compare_runs_of_renamed_graphs() -> None:
    other = made(TEXT.replace("c2", "k").replace("r1", "q"))
    found = nk.diff(GRAPH, other)
    x = np.ones((1, 3, 8, 8))
    traces = nk.trace(GRAPH, x), nk.trace(other, x)
    names = {a: b for a, b in found.pairs.items() if a in traces[0]}
    assert nk.compare(*traces, names=names).equal


# -- operations -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "tensor", "changes"),
    [
        ("stride = [1, 1]", "stride = [2, 2]", "c1", {"stride": ([1, 1], [2, 2])}),
        ("alpha = 0.1", "alpha = 0.2", "r2", {"alpha": (0.1, 0.2)}),
        ("axes = [1]", "axes = [1, 2]", "y", {"axes": ([1], [1, 2])}),
        ("relu(c1)", "sigmoid(c1)", "r1", {"operation": ("relu", "sigmoid")}),
        ("add(r1, r2)", "mul(r1, r2)", "s", {"operation": ("add", "mul")}),
        ("add(r1, r2)", "add(r2, r1)", "s", {"x": ("r1", "r2"), "y": ("r2", "r1")}),
        ("add(r1, r2)", "add(c1, r2)", "s", {"x": ("r1", "c1")}),
        ("add(r1, r2)", "add(r1, 2.0)", "s", {"y": ("r2", 2.0)}),
        ("conv(x, w1, b1,", "conv(x, w1, 0.5,", "c1", {"bias": ("b1", 0.5)}),
    ],
)
def test_a_change_has_its_name_and_both_values(
    old: str, new: str, tensor: str, changes: dict[str, Any]
) -> None:
    found = difference(old, new)
    row = next(row for row in found.operations if row.kind == "changed")
    assert (row.tensor, row.other) == (tensor, tensor)
    assert dict(row.changes) == changes
    assert not found.ok
    assert [each.kind for each in found.operations].count("changed") == 1


def test_a_change_is_written_with_its_place() -> None:
    found = difference("stride = [1, 1]", "stride = [2, 2]")
    row = only(found)
    assert (row.operation, row.number, row.line, row.other_line) == ("conv", 4, 8, 8)
    assert row.words == "stride: [1, 1] → [2, 2]"
    assert found.summary.startswith(
        "The graphs differ: 1 operation changed. Changed c1 (conv, line 8): stride: [1, 1] → "
        "[2, 2]."
    )
    record = found.to_frame().iloc[0]
    assert record[["kind", "what", "tensor", "operation"]].tolist() == [
        *("operation", "stride", "c1", "conv")
    ]
    assert (record["before"], record["after"]) == ([1, 1], [2, 2])


def test_an_insertion_is_one_difference() -> None:
    found = difference("c2 = conv(r1, w2", "t = tanh(r1); c2 = conv(t, w2")
    row = only(found)
    assert (row.kind, row.operation, row.tensor, row.other) == ("added", "tanh", "", "t")
    assert found.summary.startswith("The graphs differ: 1 operation added. Added t (tanh, line ")


def test_a_removal_is_one_difference() -> None:
    found = nk.diff(made(TEXT.replace("c2 = conv(r1", "t = tanh(r1); c2 = conv(t")), GRAPH)
    assert [(row.kind, row.tensor) for row in found.operations] == [("removed", "t")]


def test_a_bypass_to_something_else_is_a_change_of_its_own() -> None:
    before = TEXT.replace("c2 = conv(r1", "t = tanh(r1); c2 = conv(t")
    after = TEXT.replace("c2 = conv(r1", "c2 = conv(c1")
    found = nk.diff(made(before), made(after))
    assert [(row.kind, row.tensor) for row in found.operations] == [
        *(("removed", "t"), ("changed", "c2"))
    ]
    assert found.operations[1].changes == {"input": ("t", "c1")}


def chain(count: int, insert: tuple[int, ...] = (), names: str = "t", label: str = "") -> str:
    """A chain without weights, or with weights of some labels, with operations inserted."""
    lines = [f"{names}0 = external(shape = [1, 2, 8, 8]);"]
    for i in range(count):
        source = f"{names}{i}"
        if i in insert:
            lines.append(f"n{i} = sin({source});")
            source = f"n{i}"
        if i % 3 == 2 and label:
            lines.append(f"w{i} = variable(shape = [1, 2], label = '{label}{i}');")
            lines.append(f"{names}{i + 1} = mul({source}, w{i});")
        else:
            lines.append(f"{names}{i + 1} = {('relu', 'exp', 'tanh')[i % 3]}({source});")
    body = "\n".join(lines)
    return f"version 1.0; graph g( {names}0 ) -> ( {names}{count} ) {{ {body} }}"


@pytest.mark.parametrize("label", ["", "w"])
@pytest.mark.parametrize("insert", [(50,), (0,), (99,), (20, 70), (3, 30, 31, 60, 97)])
def test_insertions_into_a_chain_change_nothing_else(insert: tuple[int, ...], label: str) -> None:
    before = nk.parse(chain(100, label=label))
    after = nk.parse(chain(100, insert, names="u", label=label))
    found = nk.diff(before, after)
    assert [(row.kind, row.other) for row in found.operations] == [
        ("added", f"n{i}") for i in insert
    ]
    assert found.renamed == {f"t{i}": f"u{i}" for i in range(1, 100)}


def test_insertions_are_found_where_labels_differ_too() -> None:
    before = nk.parse(chain(100, label="w"))
    after = nk.parse(chain(100, (20, 70), names="u", label="v"))
    found = nk.diff(before, after)
    assert [(row.kind, row.other) for row in found.operations] == [
        ("added", "n20"),
        ("added", "n70"),
    ]
    assert found.relabeled == {f"w{i}": f"v{i}" for i in range(2, 100, 3)}


def test_a_moved_operation_is_removed_and_added() -> None:
    before = "version 1.0; graph g( x ) -> ( z ) { x = external(shape = [2]); %s z = neg(c); }"
    one = nk.parse(before % "a = exp(x); b = sin(a); c = tanh(b);")
    two = nk.parse(before % "a = exp(x); b = tanh(a); c = sin(b);")
    found = nk.diff(one, two)
    assert not found.ok
    assert {row.kind for row in found.operations} <= {"added", "removed", "changed"}


def test_branches_that_are_swapped_are_found() -> None:
    text = """version 1.0; graph g( x ) -> ( y ) {{ x = external(shape = [4]);
    a = sin(x); b = cos(x); y = sub({0}, {1}); }}"""
    found = nk.diff(nk.parse(text.format("a", "b")), nk.parse(text.format("b", "a")))
    row = only(found)
    assert (row.kind, row.tensor) == ("changed", "y")
    assert row.changes == {"x": ("a", "b"), "y": ("b", "a")}


def test_alike_branches_are_the_same_in_any_order() -> None:
    text = """version 1.0; graph g( x ) -> ( y ) {{ x = external(shape = [4]);
    {0} = sin(x); {1} = sin(x); c = exp({0}); d = exp({1}); y = add(c, d); }}"""
    found = nk.diff(nk.parse(text.format("a", "b")), nk.parse(text.format("b", "a")))
    assert found.ok


def test_fragments_with_other_bodies_differ() -> None:
    text = """version 1.0; extension KHR_enable_fragment_definitions;
    fragment f( x: tensor<scalar> ) -> ( y: tensor<scalar> ) {{ y = {}(x); }}
    graph g( x ) -> ( y ) {{ x = external(shape = [4]); y = f(x); }}"""
    graphs = [nk.parse(text.format(name), expand=False) for name in ("exp", "log")]
    found = nk.diff(*graphs)
    assert only(found).changes == {"operation": ("exp", "log")}
    assert nk.diff(graphs[0], nk.parse(text.format("exp"))).equal


def test_a_constant_that_changed_is_a_change() -> None:
    text = """version 1.0; graph g( x ) -> ( y ) {{ x = external(shape = [2]);
    k = constant(shape = [2], value = {}); y = add(x, k); }}"""
    found = nk.diff(nk.parse(text.format([1.0, 2.0])), nk.parse(text.format([1.0, 3.0])))
    assert only(found).changes == {"value": ([1.0, 2.0], [1.0, 3.0])}


def test_the_type_of_a_generic_operation_is_compared() -> None:
    text = """version 1.0; graph g( x ) -> ( y ) {{ x = external(shape = [2]);
    y = cast<{}>(x); }}"""
    found = nk.diff(nk.parse(text.format("integer")), nk.parse(text.format("logical")))
    assert only(found).changes == {"type": ("integer", "logical")}


# -- inputs and outputs ---------------------------------------------------------------------------


def ports(found: Any) -> list[tuple[Any, ...]]:
    return [(p.port, p.kind, p.tensor, p.other, p.before, p.after) for p in found.ports]


IO = """version 1.0; graph g( {0} ) -> ( {1} ) {{ a = external(shape = [4]);
b = external(shape = [4]); c = add(a, b); d = exp(c); }}"""


def test_inputs_and_outputs_of_other_names_are_listed() -> None:
    text = IO.format("a, b", "c")
    other = text.replace("a ", "q ").replace("a,", "q,").replace("c ", "z ").replace("(c)", "(z)")
    found = nk.diff(nk.parse(text), nk.parse(other))
    assert ports(found) == [
        ("input", "renamed", "a", "q", None, None),
        ("output", "renamed", "c", "z", None, None),
    ]
    assert found.ok
    assert not found.equal
    assert not found.operations
    assert found.summary.startswith(
        "The graphs compute the same; only names differ, those of inputs and outputs, too. "
        "Input a → q renamed."
    )


def test_steps_of_one_are_those_that_are_left_out() -> None:
    text = """version 1.0; graph g( x ) -> ( z ) {{ x = external(shape = [1, 2, 6, 6]);
    y = max_pool(x, size = [1, 1, 2, 2]{0});
    z = slice(y, axes = [2], begin = [0], end = [3]{1}); }}"""
    plain = nk.parse(text.format("", ""))
    ones = nk.parse(
        text.format(", stride = [1, 1, 1, 1], dilation = [1, 1, 1, 1]", ", stride = [1]")
    )
    assert nk.diff(plain, ones).equal
    assert nk.diff(plain, nk.parse(text.format(", stride = [1, 1, 1, 2]", ""))).operations


def test_the_order_of_outputs_is_compared() -> None:
    found = nk.diff(nk.parse(IO.format("a, b", "c, d")), nk.parse(IO.format("a, b", "d, c")))
    assert ports(found) == [
        ("output", "moved", "c", "c", 0, 1),
        ("output", "moved", "d", "d", 1, 0),
    ]


def test_added_and_removed_outputs_are_changes() -> None:
    one, two = nk.parse(IO.format("a, b", "d")), nk.parse(IO.format("a, b", "d, c"))
    assert ports(nk.diff(one, two)) == [("output", "added", "", "c", None, None)]
    assert ports(nk.diff(two, one)) == [("output", "removed", "c", "", None, None)]


def test_an_output_of_the_same_name_from_elsewhere_is_a_change() -> None:
    text = """version 1.0; graph g( x ) -> ( y ) {{ x = external(shape = [4]);
    a = sin(x); {} = exp(a); {} = sin(a); z = neg(t); }}"""
    found = nk.diff(nk.parse(text.format("y", "t")), nk.parse(text.format("t", "y")))
    assert not found.ok


def test_other_shapes_of_inputs_and_tensors_are_listed() -> None:
    found = difference("shape = [1, 3, 8, 8]", "shape = [2, 3, 8, 8]")
    assert ports(found) == [("input", "changed", "x", "x", [1, 3, 8, 8], [2, 3, 8, 8])]
    assert found.shapes["y"] == ((1, 4, 8, 8), (2, 4, 8, 8))
    assert not found.operations
    assert "7 tensors have other shapes" in found.summary


def test_other_data_types_of_inputs_are_listed() -> None:
    text = """version 1.0; graph g( x ) -> ( y ) {{ x = external<{}>(shape = [4]);
    y = copy(x); }}"""
    found = nk.diff(nk.parse(text.format("scalar")), nk.parse(text.format("integer")))
    assert ("input", "changed", "x", "x", "scalar", "integer") in ports(found)


# -- weights --------------------------------------------------------------------------------------


def test_weights_have_the_metrics_of_a_comparison() -> None:
    changed = WEIGHTS["two/filter"] + np.float32(0.01)
    found = nk.diff(GRAPH, made(two_filter=changed))
    assert found.weights is not None
    expected = nk.compare({"w": WEIGHTS["two/filter"]}, {"w": changed})["w"].metrics
    assert found.weights["two/filter"].metrics == expected
    assert found.weights_equal == 2
    assert not found.operations
    record = found.to_frame().iloc[0]
    assert (record["kind"], record["tensor"]) == ("weight", "two/filter")
    assert record["snr_db"] == expected.snr
    assert record["max_abs"] == expected.max_abs
    assert found.summary.startswith("The graphs differ: 1 weight differs. Weight two/filter has ")


def test_a_tolerance_accepts_small_differences_of_weights() -> None:
    other = made(two_filter=WEIGHTS["two/filter"] * np.float32(1 + 1e-6))
    assert not nk.diff(GRAPH, other).ok
    found = nk.diff(GRAPH, other, tolerance=1e-4)
    assert found.ok
    assert not found.equal
    assert found.summary.startswith("The graphs compute the same within the tolerance.")


def test_labels_that_changed_with_equal_values_are_renames() -> None:
    found = difference("label = 'two/filter'", "label = 'deux'")
    assert found.weights_added == ()
    found = nk.diff(
        GRAPH,
        nk.parse(TEXT.replace("two/filter", "deux")).with_data(
            {
                **{k: v for k, v in WEIGHTS.items() if k != "two/filter"},
                "deux": WEIGHTS["two/filter"],
            }
        ),
    )
    assert found.relabeled == {"two/filter": "deux"}
    assert found.ok
    assert not found.equal
    assert found.weights_equal == 3
    assert "1 label changed" in found.summary


def test_labels_differ_in_case_only_for_the_eye() -> None:
    assert nk.diff(GRAPH, made(TEXT.replace("two/filter", "TWO/filter"))).relabeled == {}


def test_weights_of_two_layers_that_are_swapped_are_found() -> None:
    text = """version 1.0; graph g( x ) -> ( y ) {{ x = external(shape = [4]);
    v = variable(shape = [4], label = 'v'); w = variable(shape = [4], label = 'w');
    a = mul(x, {}); b = exp(a); y = mul(b, {}); }}"""
    data = {"v": np.float32([1, 2, 3, 4]), "w": np.float32([5, 6, 7, 8])}
    one, two = (nk.parse(text.format(*p)).with_data(data) for p in (("v", "w"), ("w", "v")))
    found = nk.diff(one, two)
    assert not found.ok
    assert found.weights is None
    assert [dict(row.changes) for row in found.operations] == [{"y": ("v", "w")}, {"y": ("w", "v")}]


def test_a_transposed_weight_is_recognized() -> None:
    turned = np.ascontiguousarray(WEIGHTS["two/filter"].transpose(0, 1, 3, 2))
    found = nk.diff(GRAPH, made(two_filter=turned))
    assert found.weights is not None
    assert found.weights["two/filter"].axes == (0, 1, 3, 2)
    assert not found.ok
    assert "1 weight differs" in found.summary


def test_rounded_weights_are_recognized() -> None:
    values = RANDOM.normal(size=(64, 64)).astype(np.float32)
    text = """version 1.0; graph g( x ) -> ( y ) { x = external(shape = [1, 64]);
    w = variable(shape = [64, 64], label = 'w'); y = matmul(x, w); }"""
    step = np.abs(values).max() / 7
    rounded = (np.round(values / step) * step).astype(np.float32)
    found = nk.diff(
        nk.parse(text).with_data({"w": values}), nk.parse(text).with_data({"w": rounded})
    )
    assert "is on a grid of 4 bits" in found.summary


def test_weights_of_other_shapes_are_listed() -> None:
    one = nk.parse(TEXT).with_data(WEIGHTS)
    text = TEXT.replace("shape = [4, 4, 3, 3]", "shape = [4, 4, 1, 1]")
    other = made(text, two_filter=np.ones((4, 4, 1, 1), np.float32))
    found = nk.diff(one, other)
    assert found.weights is not None
    assert found.weights["two/filter"].metrics is None
    assert found.shapes["w2"] == ((4, 4, 3, 3), (4, 4, 1, 1))
    assert "[4, 4, 3, 3] and [4, 4, 1, 1]" in found.summary


def test_added_and_removed_weights_are_listed() -> None:
    text = TEXT.replace(
        "s = add(r1, r2)",
        "k = variable(shape = [1, 4], label = 'k'); m = mul(r2, k); s = add(r1, m)",
    )
    other = nk.parse(text).with_data({**WEIGHTS, "k": np.ones((1, 4), np.float32)})
    found = nk.diff(GRAPH, other)
    assert found.weights_added == ("k",)
    assert nk.diff(other, GRAPH).weights_removed == ("k",)
    assert only(found).operation == "mul"


def test_nan_in_both_weights_is_equal() -> None:
    values = WEIGHTS["one/bias"].copy()
    values[0, 1] = np.nan
    assert nk.diff(made(one_bias=values), made(one_bias=values.copy())).equal


# -- quantization ---------------------------------------------------------------------------------

QUANT = (
    '"c1": zero_point_linear_quantize(zero_point = 0, scale = {}, bits = 8, signed = true, '
    "symmetric = false);"
)


def test_quantization_differences_name_the_argument() -> None:
    one, two = (made(quantization=QUANT.format(scale)) for scale in (0.1, 0.25))
    found = nk.diff(one, two)
    (row,) = found.quantization
    assert (row.tensor, row.words) == ("c1", "scale: 0.1 → 0.25")
    assert row.sides == ("scale: 0.1", "scale: 0.25")
    assert "1 tensor quantized differently" in found.summary
    assert not found.ok
    found = nk.diff(GRAPH, two)
    assert found.quantization[0].words == "nothing → zero_point_linear_quantize"
    assert found.quantization[0].sides == ("nothing", "zero_point_linear_quantize")
    assert nk.diff(two, made(quantization=QUANT.format(0.25))).equal


# -- paths, arguments and displays ----------------------------------------------------------------


def test_paths_are_loaded(tmp_path: Path) -> None:
    nk.save(GRAPH, tmp_path / "a.nnef.tgz")
    nk.save(made(two_filter=WEIGHTS["two/filter"] * 2), tmp_path / "b")
    found = nk.diff(tmp_path / "a.nnef.tgz", str(tmp_path / "b"))
    assert found.labels == (str(tmp_path / "a.nnef.tgz"), str(tmp_path / "b"))
    assert found.weights is not None
    assert nk.diff(tmp_path / "a.nnef.tgz", GRAPH).equal


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nk.diff(None, GRAPH), "'graph_a' must be a Graph or the path of a model"),
        (lambda: nk.diff(GRAPH, 3), "'graph_b' must be a Graph or the path of a model"),
        (lambda: nk.diff("nowhere", GRAPH), "nowhere"),
        (lambda: nk.diff(GRAPH, GRAPH, labels=("a",)), "two strings"),
        (lambda: nk.diff(GRAPH, made(one_bias=[[0] * 4]), tolerance="a"), "tolerance"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object], words: str) -> None:
    with pytest.raises(nk.NnefError) as raised:
        call()
    assert words in str(raised.value)


def test_text_and_page_list_the_changes() -> None:
    found = difference("stride = [1, 1]", "stride = [2, 2]", two_filter=WEIGHTS["two/filter"] * 2)
    for shown in (repr(found), found._repr_html_()):
        for words in ("The graphs differ:", "stride: [1, 1]", "two/filter", "changed"):
            assert words in shown
    assert "data:image/svg+xml" in found._repr_html_()


def test_ten_thousand_operations_take_a_moment() -> None:
    before = nk.parse(chain(10_000))
    after = nk.parse(chain(10_000, (100, 5_000, 9_000), names="u"))
    assert least_seconds(lambda: nk.diff(before, after), bound=2.0) < 2.0
    found = nk.diff(before, after)
    assert [row.other for row in found.operations] == ["n100", "n5000", "n9000"]
    assert len(found._repr_html_()) < 100 << 10


def test_graphs_with_nothing_in_common_end_in_time() -> None:
    one = nk.parse(chain(4_000))
    text = chain(4_000).replace("relu", "sqr").replace("exp", "neg").replace("tanh", "abs")
    assert least_seconds(lambda: nk.diff(one, nk.parse(text)), bound=8.0, tries=1) < 8.0

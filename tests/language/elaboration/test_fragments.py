"""Fragments (3.2.2, 3.3.2) are checked as a whole and expanded to standard operations."""

from __future__ import annotations

import time

import nnef
import numpy as np
import pytest

import nnefkit as nk
from nnefkit import language
from nnefkit.operations.shape_inference import check_shapes

HEAD = (
    "version 1.0;\n"
    "extension KHR_enable_fragment_definitions;\n"
    "extension KHR_enable_operator_expressions;\n"
)
GRAPH = "graph net(x) -> (y)\n{\nx = external(shape = [1, 2, 3, 4]);\n"
T = "tensor<scalar>"


def _document(fragments: str, body: str) -> str:
    return HEAD + fragments.replace("T", T) + "\n" + GRAPH + body + "\n}"


def _parse(fragments: str, body: str):
    return language.parse(_document(fragments, body))


def _operations(fragments: str, body: str) -> list[str]:
    graph, diagnostics = _parse(fragments, body)
    assert [d.message for d in diagnostics] == []
    assert graph is not None
    return [str(operation) for operation in graph.operations[1:]]


EXPANDED = [
    (
        "fragment f(x: T, n: integer = 2) -> (y: T) { y = reshape(x, shape = [n] * n); }",
        "y = f(x);",
        ["y = reshape(x, shape = [2, 2], axis_start = 0, axis_count = -1);"],
    ),
    (
        "fragment f(x: T) -> (y: T) { t = relu(x); y = tanh(t); }",
        "z = f(x); y = f(z);",
        ["z_t = relu(x);", "z = tanh(z_t);", "y_t = relu(z);", "y = tanh(y_t);"],
    ),
    (
        "fragment f(x: T) -> (y: T) { y = relu(tanh(x)); }",
        "y = f(f(x));",
        [
            "y_f_tanh = tanh(x);",
            "y_f = relu(y_f_tanh);",
            "y_tanh = tanh(y_f);",
            "y = relu(y_tanh);",
        ],
    ),
    # results that are arguments, literals, or the same tensor
    ("fragment f(x: T) -> (y: T) { y = x; }", "y = f(x);", ["y = copy(x);"]),
    (
        "fragment f(x: T) -> (y: T) { y = 0.5; }",
        "y = f(x);",
        ["y = constant<scalar>(shape = [], value = [0.5]);"],
    ),
    ("fragment f(x: T) -> (y: T) { y = 0.5; }", "y = relu(f(x));", ["y = relu(0.5);"]),
    (
        "fragment f(x: T) -> (y: T, z: T) { t = relu(x); y = t; z = t; }",
        "y, z = f(x);",
        ["y = relu(x);", "z = copy(y);"],
    ),
    (
        "fragment f(x: T) -> (y: T, z: T) { y = relu(x); z = y; }",
        "b, y = f(x);",
        ["b = relu(x);", "y = copy(b);"],
    ),
    (
        "fragment f(x: T) -> (z: T, y: T) { y = relu(x); z = y; }",
        "b, y = f(x);",
        ["y = relu(x);", "b = copy(y);"],
    ),
    # several results, arrays of known length
    (
        "fragment f(x: T) -> (y: T, z: T[]) { y = relu(x); z = [for i in [1, 2] yield tanh(x)]; }",
        "y, [a, b] = f(x);",
        ["y = relu(x);", "a = tanh(x);", "b = tanh(x);"],
    ),
    (
        "fragment f(x: T) -> (y: T) { [a, b] = split(x, axis = 1, ratios = [1, 1]); y = a + b; }",
        "y = f(x);",
        ["[y_a, y_b] = split(x, axis = 1, ratios = [1, 1]);", "y = add(y_a, y_b);"],
    ),
    (
        "fragment f(x: T) -> (y: T) { m = moments(x, axes = [1]); y = m[0] * m[1]; }",
        "y = f(x);",
        [
            "y_m_moments, y_m_moments_2 = moments(x, axes = [1]);",
            "y = mul(y_m_moments, y_m_moments_2);",
        ],
    ),
    # an array bound to one identifier, recursively (3.3.2)
    (
        "fragment f(x: T, n: integer) -> (y: T[]) { t = f(x, n = n - 1) if n > 1 else [];"
        " y = [x] + t if n > 0 else []; }",
        "y = add_n([x]); ",
        None,
    ),
    (
        "fragment f(x: T) -> (y: T) { t = copy_n(x, times = 2); y = t[0] + t[1]; }",
        "y = f(x);",
        [
            "[y_t_copy_n, y_t_copy_n_2] = copy_n(x, times = 2);",
            "y = add(y_t_copy_n, y_t_copy_n_2);",
        ],
    ),
    # recursion that ends
    (
        "fragment f(x: T[]) -> (y: T) { y = x[0] + f(x[1:]) if length_of(x) > 1 else x[0]; }",
        "y = f([x, x, x]);",
        ["y_f = add(x, x);", "y = add(x, y_f);"],
    ),
    # forward reference
    (
        "fragment f(x: T) -> (y: T) { y = g(x); } fragment g(x: T) -> (y: T) { y = relu(x); }",
        "y = f(x);",
        ["y = relu(x);"],
    ),
    # generic types: deduced, explicit, by default, passed on
    (
        "fragment f<?>(x: tensor<?>, v: ?) -> (y: tensor<?>) { y = select(true, copy<?>(x), v); }",
        "y = f(x, v = 1.0);",
        ["y_copy = copy(x);", "y = select(true, y_copy, 1.0);"],
    ),
    (
        "fragment f<? = integer>(n: integer) -> (y: tensor<?>)"
        " { y = constant<?>(shape = [n], value = [integer(n)]); }",
        "y = relu(x); z = f(n = 1); ",
        None,
    ),
    (
        "fragment f<?>(x: tensor<>) -> (y: tensor<?>) { y = cast<?>(x); }",
        "b = f<logical>(x); y = not(b);",
        ["b = cast<logical>(x);", "y = not(b);"],
    ),
    # a literal where a fragment wants a tensor
    (
        "fragment f(x: T, a: T = 2.0) -> (y: T) { y = a * a + x; }",
        "y = f(x);",
        ["y_mul = mul(2.0, 2.0);", "y = add(y_mul, x);"],
    ),
    # names that are taken stay as they are
    (
        "fragment f(x: T) -> (y: T) { t = relu(x); y = tanh(t); }",
        "y_t = tanh(x); y = f(y_t);",
        ["y_t = tanh(x);", "y_t_2 = relu(y_t);", "y = tanh(y_t_2);"],
    ),
    # the unchosen branch may have no value
    (
        "fragment f(x: T, a: integer[]) -> (y: T)"
        " { y = leaky_relu(x, alpha = scalar(a[0])) if length_of(a) > 0 else relu(x); }",
        "y = f(x, a = []);",
        ["y = relu(x);"],
    ),
    (
        "fragment f(x: T) -> (y: T, z: T) { y, z = (relu(x), tanh(x)) if true else (x, x); }",
        "a, y = f(x);",
        ["a = relu(x);", "y = tanh(x);"],
    ),
    (
        "fragment f(x: T) -> (y: T, z: T) { y = relu(x); z = tanh(x); }",
        "a, y = f(x) if true else moments(x, axes = [0]) if false else f(x);",
        ["a = relu(x);", "y = tanh(x);"],
    ),
]


@pytest.mark.parametrize(
    ("fragments", "body", "expected"), [row for row in EXPANDED if row[2] is not None]
)
def test_fragments_are_expanded_to_standard_operations(fragments, body, expected):
    assert _operations(fragments, body) == expected


def test_every_operation_has_its_fragment_calls_and_its_span():
    fragments = """
    fragment cell(x: T) -> (y: T) { y = relu(x); }
    fragment block(x: T) -> (y: T) { t = cell(x); y = cell(t) + x; }"""
    text = _document(fragments, "y = block(x);")
    graph, _ = language.parse(text)
    assert graph is not None
    assert [(op.name, op.scope) for op in graph.operations] == [
        ("external", ()),
        ("relu", ("block:y", "cell:y_t")),
        ("relu", ("block:y", "cell:y_cell")),
        ("add", ("block:y",)),
    ]
    spans = [op.span for op in graph.operations]
    assert [text[span.start : span.end] for span in spans if span] == [
        "x = external(shape = [1, 2, 3, 4])",
        "y = relu(x)",
        "y = relu(x)",
        "cell(t) + x",
    ]


def test_fragments_without_a_body_stay_operations_with_their_declaration():
    fragments = (
        "fragment fast(x: T,\n  n: integer = 3) -> (y: T);  fragment unused(x: T) -> (y: T);"
    )
    graph, diagnostics = _parse(fragments, "y = fast(x);")
    assert diagnostics == []
    assert graph is not None
    assert str(graph.operations[1]) == "y = fast(x, n = 3);"
    assert graph.declarations == (
        "fragment fast(x: tensor<scalar>, n: integer = 3) -> (y: tensor<scalar>);",
        "fragment unused(x: tensor<scalar>) -> (y: tensor<scalar>);",
    )
    assert graph.extensions == ("KHR_enable_fragment_definitions",)


@pytest.mark.parametrize(
    ("fragments", "body"), [row[:2] for row in EXPANDED if "_m_" not in str(row[2])]
)
def test_the_khronos_parser_agrees_on_operations_and_attributes(fragments, body):
    text = _document(fragments, body)
    try:
        theirs = nnef.parse_string(text, lowered=["f", "g"])
    except nnef.Error:
        pytest.skip("the Khronos parser does not read it")
    graph, diagnostics = language.parse(text)
    assert diagnostics == []
    assert graph is not None
    # It passes tensors through fragments without a copy, and leaves literals as they are.
    ours = [op for op in graph.operations if op.name not in ("copy", "constant")]
    others = [op for op in theirs.operations if op.name not in ("copy", "constant")]
    assert [op.name for op in ours] == [op.name for op in others]
    assert [dict(op.attribs) for op in ours] == [dict(op.attribs) for op in others]


KEPT = """
fragment cell(x: T, n: integer = 1) -> (y: T)
{
    y = relu(x) * scalar(n);  # a comment
}
fragment block(x: T) -> (y: T) { y = cell(cell(x), n = 2); }
fragment other(x: T) -> (y: T) { y = tanh(x); }
"""


@pytest.mark.parametrize(
    ("expand", "operations", "unexpanded"),
    [
        (True, ["relu", "mul", "relu", "mul", "tanh"], []),
        (False, ["block", "other"], ["cell", "block", "other"]),
        (["block"], ["cell", "cell", "other"], ["cell", "other"]),
        (["block", "other"], ["cell", "cell", "tanh"], ["cell"]),
        (["cell"], ["block", "other"], ["cell", "block", "other"]),
    ],
)
def test_fragments_that_are_not_chosen_stay_calls(expand, operations, unexpanded):
    text = _document(KEPT, "a = block(x); y = other(a);")
    graph, diagnostics = language.parse(text, expand=expand)
    assert diagnostics == []
    assert graph is not None
    assert [op.name for op in graph.operations[1:]] == operations
    assert [d.split()[1].partition("(")[0] for d in graph.declarations] == unexpanded
    again, diagnostics = language.parse(str(graph), expand=False)
    assert diagnostics == []
    assert str(again) == str(graph)
    assert [op.name for op in language.parse(str(graph))[0].operations] == [
        op.name for op in language.parse(text)[0].operations
    ]


def test_unexpanded_calls_have_shapes_and_costs_and_run_like_expanded_ones(tmp_path):
    fragments = (
        "fragment cell(x: T, w: T) -> (y: T) { y = relu(conv(x, w, padding = [(1, 1), (1, 1)])); }"
        "fragment halves(x: T) -> (y: T, z: T) { [y, z] = split(x, axis = 1, ratios = [1, 1]); }"
    )
    body = (
        "w = variable(shape = [2, 2, 3, 3], label = 'w'); a = cell(x, w); b = cell(a, w); "
        "p, q = halves(b); y = concat([p, q], axis = 2);"
    )
    text = _document(fragments, body)
    unexpanded, chosen, whole = (nk.parse(text, expand=e) for e in (False, ["cell"], True))
    names = [[op.name for op in graph.operations[2:]] for graph in (unexpanded, chosen, whole)]
    assert names == [
        ["cell", "cell", "halves", "concat"],
        ["conv", "relu", "conv", "relu", "halves", "concat"],
        ["conv", "relu", "conv", "relu", "split", "concat"],
    ]
    for graph in (unexpanded, chosen):
        for name, tensor in graph.tensors.items():
            assert tensor.shape == whole.tensors[name].shape
            assert tensor.shape is not None
        macs = [sum(op.macs or 0 for op in g.operations) for g in (graph, whole)]
        assert macs[0] == macs[1] > 0
        calls = {"cell", "halves"} & {op.name for op in graph.operations}
        assert str(nk.lower(graph, calls)) == str(whole)
    sized = [nk.infer_shapes(graph, x=[2, 2, 5, 6]) for graph in (unexpanded, whole)]
    assert sized[0].tensors["y"].shape == sized[1].tensors["y"].shape == (2, 1, 10, 6)
    assert all(op.macs is not None for op in sized[0].operations)
    data = {"w": np.random.default_rng(1).normal(size=(2, 2, 3, 3)).astype(np.float32)}
    nk.save(unexpanded.with_data(data), tmp_path / "model")
    assert str(nk.load(tmp_path / "model", expand=False)) == str(unexpanded)
    loaded = nk.load(tmp_path / "model", expand=["halves"])
    assert [op.name for op in loaded.operations[2:4]] == ["cell", "cell"]
    x = np.random.default_rng(2).normal(size=whole.tensors["x"].shape).astype(np.float32)
    ours, theirs = nk.run(loaded, x), nk.run(whole.with_data(data), x)
    np.testing.assert_array_equal(ours["y"], theirs["y"])


def test_comments_inside_of_a_declaration_do_not_hide_its_rest():
    fragment = (
        "fragment f( x: T,  # the input\n n: integer = 1, # = 2,\n s: string = '#' )\n-> (y: T);"
    )
    graph = nk.parse(_document(fragment, "y = f(x, s = '# none');"))
    assert graph.declarations == (
        f"fragment f( x: {T}, n: integer = 1, s: string = '#' ) -> (y: {T});",
    )
    assert str(nk.parse(str(graph))) == str(graph)


@pytest.mark.parametrize("expand", [["cel"], "relu", ["cell", "x"]])
def test_only_fragments_of_the_document_can_be_expanded(expand):
    text = _document("fragment cell(x: T) -> (y: T) { y = relu(x); }", "y = cell(x);")
    with pytest.raises(nk.UnknownNameError, match="no fragment"):
        nk.parse(text, expand=expand)


def test_wrong_shapes_inside_of_an_unexpanded_call_are_reported_at_the_call():
    text = _document("fragment cell(x: T) -> (y: T) { y = matmul(x, x); }", "y = cell(x);")
    with pytest.raises(nk.DocumentError) as raised:
        nk.parse(text, expand=False)
    (diagnostic,) = raised.value.diagnostics
    assert "y = cell(x)" in diagnostic.excerpt
    assert "cell:y" in diagnostic.hint


def test_the_shape_of_a_computed_tensor_comes_from_shape_inference():
    fragments = (
        "fragment f(x: T) -> (y: T) { t = transpose(x, axes = [3, 2, 1, 0]);"
        " y = reshape(x, shape = [shape_of(t)[0], -1]); }"
    )
    text = _document(fragments, "y = f(x);")
    graph, diagnostics = language.parse(text, infer=lambda graph: check_shapes(graph)[0])
    assert [d.code for d in diagnostics] == ["deprecated-function"]
    assert graph is not None
    assert graph.operations[-1].attribs["shape"] == [4, -1]
    _, diagnostics = language.parse(text)
    assert [d.code for d in diagnostics] == ["deprecated-function", "unknown-shape"]


# (section, code, fragments, body)
BROKEN = [
    ("3.2.2", "syntax", "fragment f() -> (y: T);", "y = relu(x);"),
    ("3.2.2", "syntax", "fragment f(x: T) -> ();", "y = relu(x);"),
    ("3.2.2", "syntax", "fragment f(x) -> (y: T);", "y = relu(x);"),
    ("3.2.2", "syntax", "fragment f(x: tensor) -> (y: T);", "y = relu(x);"),
    ("3.2.2", "syntax", "fragment f(x: T) -> (y: T)", "y = relu(x);"),
    ("3.2.2", "syntax", "fragment f(x: T, n: integer = 1 + 1) -> (y: T);", "y = relu(x);"),
    ("3.2.2", "syntax", "fragment f(x: T, n: (integer)) -> (y: T);", "y = relu(x);"),
    ("3.3.1", "syntax", "fragment f(x: T, n: extent) -> (y: T);", "y = relu(x);"),
    ("3.3.2", "redefined-operation", "fragment relu(x: T) -> (y: T);", "y = relu(x);"),
    (
        "3.3.2",
        "redefined-operation",
        "fragment f(x: T) -> (y: T); fragment f(x: T) -> (y: T);",
        "y = f(x);",
    ),
    ("3.3.2", "duplicate-parameter", "fragment f(x: T, x: T) -> (y: T);", "y = relu(x);"),
    ("3.3.2", "duplicate-parameter", "fragment f(x: T) -> (x: T);", "y = relu(x);"),
    ("3.3.2", "parameter-order", "fragment f(n: integer, x: T) -> (y: T);", "y = relu(x);"),
    ("3.3.2", "result-type", "fragment f(x: T) -> (y: scalar);", "y = relu(x);"),
    ("3.3.2", "result-type", "fragment f(x: T) -> (y: integer[]);", "y = relu(x);"),
    ("3.3.1", "result-type", "fragment f(x: T) -> (y: tensor<>);", "y = relu(x);"),
    ("3.3.1", "mixed-tuple", "fragment f(x: (T, integer)) -> (y: T);", "y = relu(x);"),
    ("3.3.2", "type-mismatch", "fragment f(x: T, n: integer = 1.0) -> (y: T);", "y = relu(x);"),
    ("3.3.2", "not-generic", "fragment f(x: tensor<?>) -> (y: T);", "y = relu(x);"),
    ("3.3.2", "needlessly-generic", "fragment f<?>(x: T) -> (y: T);", "y = relu(x);"),
    (
        "3.3.2",
        "assigned-parameter",
        "fragment f(x: T) -> (y: T) { x = relu(x); y = x; }",
        "y = f(x);",
    ),
    ("3.3.2", "unassigned-result", "fragment f(x: T) -> (y: T) { z = relu(x); }", "y = f(x);"),
    (
        "3.3.2",
        "redefined-identifier",
        "fragment f(x: T) -> (y: T) { y = relu(x); y = relu(x); }",
        "y = f(x);",
    ),
    ("3.3.2", "undefined-identifier", "fragment f(x: T) -> (y: T) { y = relu(z); }", "y = f(x);"),
    ("3.3.2", "unknown-operation", "fragment f(x: T) -> (y: T) { y = rellu(x); }", "y = f(x);"),
    (
        "3.3.2",
        "operation-in-fragment",
        "fragment f(x: T) -> (y: T) { y = variable(shape = [1], label = 'v'); }",
        "y = f(x);",
    ),
    (
        "3.3.2",
        "operation-in-fragment",
        "fragment f(x: T) -> (y: T) { y = update(x, x); }",
        "y = f(x);",
    ),
    (
        "3.3.2",
        "operation-in-fragment",
        "fragment f(x: T) -> (y: T) { y = x + external(shape = [1]); }",
        "y = f(x);",
    ),
    ("3.3.2", "type-mismatch", "fragment f(x: T) -> (y: T) { y = x < x; }", "y = f(x);"),
    ("3.3.2", "type-mismatch", "fragment f(x: T) -> (y: T) { y = copy<?>(x); }", "y = f(x);"),
    (
        "3.3.2",
        "result-mismatch",
        "fragment f(x: T) -> (y: T[]) { y = split(x, axis = 1, ratios = [1, 1]); }",
        "[y, z] = f(x);",
    ),
    (
        "3.3.3",
        "invalid-chaining",
        "fragment f(x: T) -> (y: T) { y = concat(split(x, axis = 1, ratios = [1]), axis = 1); }",
        "y = f(x);",
    ),
    ("3.3.3", "endless-recursion", "fragment f(x: T) -> (y: T) { y = f(x); }", "y = f(x);"),
    (
        "3.3.3",
        "endless-recursion",
        "fragment f(x: T) -> (y: T) { y = g(x); } fragment g(x: T) -> (y: T) { y = f(x) + x; }",
        "y = f(x);",
    ),
    ("3.3.2", "result-mismatch", "fragment f(x: T) -> (y: T[]) { y = [x, x]; }", "[y] = f(x);"),
    ("3.3.2", "not-a-tensor", "fragment f(x: T) -> (y: T[]) { y = [x, x]; }", "y = f(x);"),
]


@pytest.mark.parametrize(("section", "code", "fragments", "body"), BROKEN)
def test_each_violated_rule_is_one_error(section, code, fragments, body):
    _, diagnostics = _parse(fragments, body)
    found = [(d.code, d.section) for d in diagnostics if d.code != "undefined-result"]
    assert found == [(code, section)]
    assert all(d.hint for d in diagnostics)


def test_unused_fragments_are_checked_too():
    _, diagnostics = _parse("fragment f(x: T) -> (y: T) { y = rellu(x); }", "y = relu(x);")
    assert [d.code for d in diagnostics] == ["unknown-operation"]


def test_an_error_in_a_fragment_is_reported_once_however_often_it_is_used():
    fragments = "fragment f(x: T, a: integer[]) -> (y: T) { y = reshape(x, shape = [a[2]]); }"
    _, diagnostics = _parse(fragments, "a = f(x, a = [1]); b = f(x, a = [2]); y = add(a, b);")
    assert [d.code for d in diagnostics] == ["index-out-of-range"]


@pytest.mark.parametrize(
    "use",
    [
        "y = values[0]",
        "y = concat(values, axis = 1)",
        "[y, z] = values",
        "y = concat([for v in values yield v], axis = 1)",
        "y = x if length_of(values) > 1 else x",
    ],
)
def test_an_array_of_unknown_length_under_one_name_is_reported_whatever_its_use(use):
    # What is generic is not checked before it is used.
    fragment = "fragment f<?>(x: tensor<?>) -> (y: tensor<?>) { "
    fragment += f"values = split<?>(x, axis = 1, ratios = [1, 1]); {use}; }}"
    for body in ("y = f(x);", f"values = split(x, axis = 1, ratios = [1, 1]); {use};"):
        _, diagnostics = _parse(fragment if "f(x)" in body else "", body)
        found = [d.code for d in diagnostics if "length" in d.message]
        assert found == ["result-mismatch"], [d.message for d in diagnostics]


def test_a_cycle_of_fragments_is_named():
    fragments = (
        "fragment f(x: T) -> (y: T) { y = g(x); } fragment g(x: T) -> (y: T) { y = h(x); }"
        "fragment h(x: T) -> (y: T) { y = f(x); }"
    )
    _, diagnostics = _parse(fragments, "y = g(x);")
    assert diagnostics[0].message.endswith("h -> f -> g -> h")


@pytest.mark.slow
def test_exponential_expansion_is_stopped():
    fragments = (
        "fragment f(x: T, n: integer) -> (y: T)"
        " { y = f(x, n = n - 1) + f(x, n = n - 1) if n > 0 else x; }"
    )
    before = time.process_time()
    _, diagnostics = _parse(fragments, "y = f(x, n = 60);")
    assert [d.code for d in diagnostics] == ["too-long"]
    assert time.process_time() - before < 120


@pytest.mark.parametrize(
    ("code", "fragment"),
    [
        ("parameter-order", "fragment f(n: integer, x: T) -> (y: T) { y = x; }"),
        ("result-type", "fragment f(x: T) -> (y: integer) { y = 1; }"),
        ("result-type", "fragment f(x: T) -> (y: tensor<>) { y = x; }"),
        ("needlessly-generic", "fragment f<?>(x: T) -> (y: T) { y = x; }"),
        ("not-generic", "fragment f(x: tensor<?>) -> (y: T) { y = relu(x); }"),
        ("mixed-tuple", "fragment f(x: T, t: (integer, T)) -> (y: T) { y = x; }"),
        ("type-mismatch", "fragment f(x: T, n: integer = 1.0) -> (y: T) { y = x; }"),
    ],
)
@pytest.mark.parametrize("call", ["y = f(x);", "y = f(x) + 1.0;", "a, b = f(x, n = 1); y = x;"])
def test_a_wrong_declaration_is_reported_once_and_not_again_at_its_calls(code, fragment, call):
    _, diagnostics = _parse(fragment, call)
    assert [d.code for d in diagnostics] == [code]

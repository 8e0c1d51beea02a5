"""Unknown operations, such as those of vendors, are read as opaque ones wherever they occur."""

from __future__ import annotations

import numpy as np
import pytest

import nnefkit as nk

HEAD = (
    "version 1.0;\nextension KHR_enable_fragment_definitions KHR_enable_operator_expressions "
    "VENDOR_more;\n"
    "fragment twice( x: tensor<scalar> ) -> ( y: tensor<scalar> ) { y = relu(x) + x; }\n"
    "fragment inside( x: tensor<scalar>, n: integer = 1 ) -> ( y: tensor<scalar> )\n"
    "{ a, [b, c] = v_many(x, n = n * 2, other = x); y = v_last([a, b], c) * 2.0; }\n"
    "fragment any<?>( x: tensor<?> ) -> ( y: tensor<?> ) { y = copy(x); }\n"
    "graph net(x) -> (y)\n{\nx = external(shape = [1, 4]);\n"
)

# The body after the external of x, and the resulting operations or the code of the error.
KEPT = [
    ("y = v_op(x);", ["y = v_op(x);"]),
    ("y = v_op<integer>(x);", ["y = v_op<integer>(x);"]),
    ("y = v_op(x, 2.5, [x, x], k = [1, 2], m = 'm');", None),
    ("y = v_op(x, k = (1, 2.0), [x]);", "positional-argument"),
    ("y = v_op(x, with = x);", ["y = v_op(x, with = x);"]),
    ("y = v_op(x, k = 1, k = 2);", "duplicate-argument"),
    ("y = v_op();", "syntax"),
    ("y = v_op(nowhere);", "undefined-identifier"),
    ("a = v_op(x); y = relu(a);", ["a = v_op(x);", "y = relu(a);"]),
    (
        "a = v_op(x); y = relu(a) + 1.0;",
        ["a = v_op(x);", "y_relu = relu(a);", "y = add(y_relu, 1.0);"],
    ),
    ("y = v_op(-x) * 2.0;", ["y_neg = neg(x);", "y_v_op = v_op(y_neg);", "y = mul(y_v_op, 2.0);"]),
    ("a = v_op(x); y = twice(a);", ["a = v_op(x);", "y_relu = relu(a);", "y = add(y_relu, a);"]),
    ("y = twice(v_op(x));", ["y_v_op = v_op(x);", "y_relu = relu(y_v_op);"]),
    (
        "y = inside(x);",
        [
            "y_a, [y_b, y_c] = v_many(x, other = x, n = 2);",
            "y_v_last = v_last([y_a, y_b], y_c);",
            "y = mul(y_v_last, 2.0);",
        ],
    ),
    ("a, b = v_op(x); y = concat([a, b, x], axis = 1);", None),
    ("[a, b] = v_op(x); y = add_n([a, b]);", None),
    ("a, [[b], [c]] = v_op(x); y = add(a, b);", None),
    ("a = v_op(x); y = select(a, x, x);", None),
    ("a = v_op(x); b = any(a); c = any<integer>(a); d = lt(a, b); y = select(d, a, c);", None),
    ("a = v_op(x); y = concat([for i in [a, x] yield i * 2.0], axis = 1);", None),
    ("a = v_op(x); y = a if 1 < 2 else x;", None),
    ("a = v_op(x); b = lt(x, x); y = select(b, a, b);", None),
    ("a = v_op(x); y = relu([a]);", "type-mismatch"),
    ("a = v_op(x); y = pad(x, padding = a);", "type-mismatch"),
    ("a = v_op(x); y = x if a else x;", "type-mismatch"),
    ("a = v_op(x); y = reshape(x, shape = [length_of(a)]);", "type-mismatch"),
]


@pytest.mark.parametrize(("body", "expected"), KEPT, ids=[body for body, _ in KEPT])
def test_unknown_operations_are_read_wherever_they_occur(body, expected):
    text = HEAD + body + "\n}\n"
    assert not nk.validate(text).ok
    if isinstance(expected, str):
        with pytest.raises(nk.NnefError) as raised:
            nk.parse(text, strict=False)
        assert expected in [d.code for d in raised.value.diagnostics]
        return
    graph = nk.parse(text, strict=False)
    lines = [str(op) for op in graph.operations[1:]]
    for line in expected or ():
        assert line in lines
    assert "y" in graph.producers
    known = {"x", *(name for op in graph.operations for name in op.output_names)}
    assert all(name in known for op in graph.operations for name in op.input_names)
    assert nk.validate(text, strict=False).ok


@pytest.mark.parametrize("body", [body for body, expected in KEPT if not isinstance(expected, str)])
@pytest.mark.parametrize("expand", [True, False])
def test_documents_with_unknown_operations_are_saved_and_loaded(body, expand, tmp_path):
    graph = nk.parse(HEAD + body + "\n}\n", strict=False, expand=expand)
    again = nk.parse(str(graph), strict=False, expand=expand)
    assert str(again) == str(graph)
    assert [op.name for op in again.operations] == [op.name for op in graph.operations]
    kinds = [{n: t.dtype for n, t in g.tensors.items()} for g in (again, graph)]
    assert kinds[0] == kinds[1]
    assert nk.to_text(again, defaults=False) == nk.to_text(graph, defaults=False)
    nk.save(graph, tmp_path / "model")
    assert str(nk.load(tmp_path / "model", strict=False, expand=expand)) == str(graph)


def test_unknown_operations_are_refused_by_name_in_a_run():
    graph = nk.parse(HEAD + "a = v_op(x); y = relu(a) + 1.0; }", strict=False)
    with pytest.raises(nk.NnefError, match="v_op"):
        nk.run(graph, np.ones((1, 4), np.float32))
    part = graph.between(["a"], ["y"]) if graph.tensors["a"].shape else None
    assert part is None
    assert "v_op" in repr(graph)


def test_documents_of_2017_may_have_unknown_operations_but_not_those_of_1_0():
    text = (
        "version 1.0\nfragment f( x: tensor ) -> ( y: tensor ) { y = v_op(x, k = 2) + relu(x) }\n"
        "graph g( x ) -> ( y )\n{\n x = external(shape = [1])\n a = other(x, [x, x], mode = 'm')\n"
        " b = f(a)\n y = relu(b)\n}\n"
    )
    graph = nk.parse(text, strict=False)
    assert [str(op) for op in graph.operations[1:]] == [
        "a = other(x, [x, x], mode = 'm');",
        "b_v_op = v_op(a, k = 2);",
        "b_relu = relu(a);",
        "b = add(b_v_op, b_relu);",
        "y = relu(b);",
    ]
    assert str(nk.parse(str(graph), strict=False)) == str(graph)
    with pytest.raises(nk.DocumentError, match="which exists since"):
        nk.parse(text.replace("relu(b)", "gelu(b)"), strict=False)

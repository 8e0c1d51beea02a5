"""Operator expressions (3.2.3, 3.3.3): known values are computed, others become operations."""

from __future__ import annotations

import nnef
import pytest

from nnefkit import language

HEAD = (
    "version 1.0;\nextension KHR_enable_fragment_definitions;\n"
    "extension KHR_enable_operator_expressions;\n"
)
PROBE = """
fragment scalars(x: tensor<scalar>, v: scalar) -> (y: tensor<scalar>);
fragment integers(x: tensor<scalar>, v: integer) -> (y: tensor<scalar>);
fragment logicals(x: tensor<scalar>, v: logical) -> (y: tensor<scalar>);
fragment strings(x: tensor<scalar>, v: string) -> (y: tensor<scalar>);
fragment arrays(x: tensor<scalar>, v: integer[]) -> (y: tensor<scalar>);
fragment pairs(x: tensor<scalar>, v: (integer,integer)[]) -> (y: tensor<scalar>);
"""
GRAPH = "graph net(x) -> (y) { x = external(shape = [1, 2, 3, 4]); "


def _probe(kind: str, expression: str, lets: str = "") -> str:
    fragment = (
        f"fragment probe(x: tensor<scalar>) -> (y: tensor<scalar>)"
        f"{{ {lets} y = {kind}(x, v = {expression}); }}"
    )
    return HEAD + PROBE + fragment + GRAPH + "y = probe(x); }"


# (kind, expression, value)
VALUES = [
    ("integers", "1 + 2 * 3", 7),
    ("integers", "(1 + 2) * 3", 9),
    ("integers", "7 - 2 - 1", 4),
    ("integers", "7 / 2", 3),
    ("integers", "-7 / 2", -3),
    ("integers", "8 / 2 / 2", 2),
    ("integers", "2 ^ 10", 1024),
    ("integers", "2 ^ 3 ^ 2", 64),
    ("integers", "-2 ^ 2", 4),
    ("integers", "- 2 ^ 2", 4),
    ("integers", "2 * -3", -6),
    ("integers", "+3 - -3", 6),
    ("integers", "1-1", 0),
    ("integers", "--1", 1),
    ("integers", "- -1", 1),
    ("integers", "3-2-1", 0),
    ("scalars", "1.0 / 4.0", 0.25),
    ("scalars", "2.0 ^ 0.5", 2.0**0.5),
    ("scalars", "2.0 ^ -1.0", 0.5),
    ("logicals", "1 < 2", True),
    ("logicals", "2.5 <= 2.5", True),
    ("logicals", "1 >= 2", False),
    ("logicals", "1 == 1 && 2 != 2", False),
    ("logicals", "false || true", True),
    ("logicals", "!true", False),
    ("logicals", "!true || true", True),
    ("logicals", "'a' == 'a'", True),
    ("logicals", "true == false", False),
    ("logicals", "2 in [1, 2, 3]", True),
    ("logicals", "4 in [1, 2, 3]", False),
    ("logicals", "1 + 1 in [1, 2, 3]", True),
    ("logicals", "(1, 2) in [(1, 2), (3, 4)]", True),
    ("logicals", "[1] in [[2], [1]]", True),
    ("logicals", "'b' in ['a', 'b']", True),
    ("logicals", "1 in []", False),
    ("logicals", "(1 in [1]) && (2 in [2])", True),
    ("integers", "1 if true else 2", 1),
    ("integers", "1 if false else 2 if false else 3", 3),
    ("integers", "1 if 1 > 2 else 2 if 1 < 2 else 3", 2),
    ("integers", "(1 if false else 2) if true else 3", 2),
    ("integers", "1 if true else [1][7]", 1),
    ("integers", "[1][7] if false else 2", 2),
    ("integers", "1 if true else 1 / 0", 1),
    ("arrays", "[1, 2] + [3]", [1, 2, 3]),
    ("arrays", "[1, 2] * 2", [1, 2, 1, 2]),
    ("arrays", "[1] * 0", []),
    ("arrays", "[] + [1]", [1]),
    ("arrays", "[1, 2, 3][1:]", [2, 3]),
    ("arrays", "[1, 2, 3][:1]", [1]),
    ("arrays", "[1, 2, 3][0:2]", [1, 2]),
    ("arrays", "[1, 2, 3][:]", [1, 2, 3]),
    ("arrays", "[1, 2, 3][2:2]", []),
    ("arrays", "[1, 2, 3][3:1]", []),
    ("arrays", "[][0:0]", []),
    ("integers", "[1, 2, 3][2]", 3),
    ("integers", "[[1], [2, 3]][1][0]", 2),
    ("integers", "(1, 'a')[0]", 1),
    ("strings", "(1, 'a')[1]", "a"),
    ("integers", "[(1, 2), (3, 4)][1][0]", 3),
    ("strings", "'ab' + 'cd'", "abcd"),
    ("strings", "'ab' * 2", "abab"),
    ("strings", "'abc'[1]", "b"),
    ("strings", "'abc'[0:2]", "ab"),
    ("strings", "'abc'[1:]", "bc"),
    ("integers", "length_of([1, 2])", 2),
    ("integers", "length_of('abc')", 3),
    ("integers", "length_of([])", 0),
    ("arrays", "range_of([5, 6, 7])", [0, 1, 2]),
    ("arrays", "range_of('ab')", [0, 1]),
    ("arrays", "shape_of(x)", [1, 2, 3, 4]),
    ("arrays", "shape_of(1.0)", []),
    ("arrays", "[for i in [1, 2, 3] yield i * i]", [1, 4, 9]),
    ("arrays", "[for i in [1, 2, 3] if i != 2 yield i]", [1, 3]),
    ("arrays", "[for i in [1, 2], j in [10, 20] yield i + j]", [11, 22]),
    ("arrays", "[for i in [1, 2], j in [10, 20] if i > 1 yield i + j]", [22]),
    ("arrays", "[for i in range_of([7, 7]) yield i if i > 0 else 9]", [9, 1]),
    ("arrays", "[for i in [] yield 1]", []),
    ("arrays", "[for a in [[1, 2], [3]] yield length_of([for b in a yield b])]", [2, 1]),
    ("arrays", "[for i in [1] + [2] yield i]", [1, 2]),
    ("arrays", "[for p in [(1, 2), (3, 4)] yield p[1]]", [2, 4]),
    ("pairs", "[for i in [1, 2] yield (i, -i)]", [(1, -1), (2, -2)]),
    ("pairs", "[(0, 0)] * 2", [(0, 0), (0, 0)]),
    ("integers", "integer(2.5)", 2),
    ("integers", "integer(-2.5)", -3),
    ("integers", "integer(true) + integer(false)", 1),
    ("integers", "integer('42') + integer('-2')", 40),
    ("scalars", "scalar(3)", 3.0),
    ("scalars", "scalar(true)", 1.0),
    ("scalars", "scalar('1.5e1')", 15.0),
    ("logicals", "logical(0)", False),
    ("logicals", "logical(0.1)", True),
    ("logicals", "logical('')", False),
    ("strings", "string(7)", "7"),
    ("strings", "string(-0.5)", "-0.5"),
    ("strings", "string(2.0)", "2.0"),
    ("strings", "string(true)", "true"),
    ("strings", "string('s')", "s"),
    ("strings", "'f' + string(1 + 1)", "f2"),
]


def _value(text: str):
    graph, diagnostics = language.parse(text)
    assert [d.message for d in diagnostics if d.severity == "error"] == []
    assert graph is not None
    return graph.operations[-1].attribs["v"]


@pytest.mark.parametrize(("kind", "expression", "value"), VALUES)
def test_known_values_are_computed(kind, expression, value):
    found = _value(_probe(kind, expression))
    assert repr(found) == repr(value)


# Where the Khronos parser differs, the section decides.
KHRONOS_DIFFERS = {
    "-2 ^ 2": "3.1: a minus sign before a number binds first",
    "- 2 ^ 2": "3.1: a minus sign before a number binds first",
    "!true || true": "3.2.3: a unary operator takes the operand after it",
    "'a' == 'a'": "3.3.3: any primitive types can be compared",
    "true == false": "3.3.3: any primitive types can be compared",
    "(1, 'a')[0]": "3.3.3: the element of a tuple",
    "(1, 'a')[1]": "3.3.3: the element of a tuple",
    "[(1, 2), (3, 4)][1][0]": "3.3.3: the element of a tuple",
    "[for p in [(1, 2), (3, 4)] yield p[1]]": "3.3.3: the element of a tuple",
    "integer(-2.5)": "3.3.3: the closest smaller integer",
    "string(-0.5)": "3.3.3: as a literal has it",
    "string(2.0)": "3.3.3: as a literal, which is a scalar with its point",
    "string(true)": "3.3.3: as a literal has it",
}


@pytest.mark.parametrize(("kind", "expression", "value"), VALUES)
def test_the_khronos_parser_computes_the_same(kind, expression, value):
    text = _probe(kind, expression)
    if " / 0" in expression:
        pytest.skip("a division by zero would end the process")
    try:
        graph = nnef.parse_string(text, lowered=["probe"])
    except nnef.Error:
        pytest.skip("the Khronos parser does not read it")
    found = graph.operations[-1].attribs["v"]
    if expression in KHRONOS_DIFFERS:
        assert found != value, KHRONOS_DIFFERS[expression]
    elif isinstance(value, float):
        assert found == pytest.approx(value, rel=1e-6)
    else:
        assert found == value


LETS = [
    ("integers", "a + b", "a = 1; b = a + 1;", 3),
    ("integers", "a", "a, b = (1, 2);", 1),
    ("integers", "b", "[a, b] = [1, 2];", 2),
    ("integers", "c", "a, [b, c] = (1, [2, 3]);", 3),
    ("arrays", "a[1]", "a = ('s', [4]);", [4]),
]


@pytest.mark.parametrize(("kind", "expression", "lets", "value"), LETS)
def test_local_identifiers_hold_any_value(kind, expression, lets, value):
    assert _value(_probe(kind, expression, lets)) == value


OPERATIONS = [
    ("+x", ["y = copy(x);"]),
    ("-x", ["y = neg(x);"]),
    ("x + 1.0", ["y = add(x, 1.0);"]),
    ("1.0 - x", ["y = sub(1.0, x);"]),
    ("x * x", ["y = mul(x, x);"]),
    ("x / 2.0", ["y = div(x, 2.0);"]),
    ("x ^ 2.0", ["y = pow(x, 2.0);"]),
    ("x < x", ["y = lt(x, x);"]),
    ("x <= x", ["y = le(x, x);"]),
    ("x > x", ["y = gt(x, x);"]),
    ("x >= x", ["y = ge(x, x);"]),
    ("x == x", ["y = eq(x, x);"]),
    ("x != x", ["y = ne(x, x);"]),
    ("!(x < x)", ["y_lt = lt(x, x);", "y = not(y_lt);"]),
    ("x < x && x > x", ["y_lt = lt(x, x);", "y_gt = gt(x, x);", "y = and(y_lt, y_gt);"]),
    ("x < x || true", ["y_lt = lt(x, x);", "y = or(y_lt, true);"]),
    ("-x ^ 2.0", ["y_neg = neg(x);", "y = pow(y_neg, 2.0);"]),
    ("x + x * x", ["y_mul = mul(x, x);", "y = add(x, y_mul);"]),
    ("x - x - x", ["y_sub = sub(x, x);", "y = sub(y_sub, x);"]),
    ("relu(x) + tanh(x)", ["y_relu = relu(x);", "y_tanh = tanh(x);", "y = add(y_relu, y_tanh);"]),
    ("concat([x, relu(x)] + [x] * 2, axis = 1)",
     ["y_relu = relu(x);", "y = concat([x, y_relu, x, x], axis = 1);"]),
    ("concat([for s in [1.0, 2.0] yield x * s], axis = 1)",
     ["y_mul = mul(x, 1.0);", "y_mul_2 = mul(x, 2.0);",
      "y = concat([y_mul, y_mul_2], axis = 1);"]),
    ("relu(x) if 1 < 2 else tanh(x)", ["y = relu(x);"]),
    ("[x, relu(x)][0]", ["y_relu = relu(x);", "y = copy(x);"]),
    ("x", ["y = copy(x);"]),
    ("(x)", ["y = copy(x);"]),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), OPERATIONS)
def test_tensor_expressions_become_operations(expression, expected):
    text = HEAD + GRAPH + f"y = {expression}; }}"
    graph, diagnostics = language.parse(text)
    assert diagnostics == []
    assert graph is not None
    assert [str(operation) for operation in graph.operations[1:]] == expected


# (section, code, kind, expression)
BROKEN = [
    ("3.3.3", "type-mismatch", "integers", "1 + 1.0"),
    ("3.3.3", "type-mismatch", "integers", "1 + 'a'"),
    ("3.3.3", "type-mismatch", "integers", "1 + true"),
    ("3.3.3", "type-mismatch", "integers", "-true"),
    ("3.3.3", "type-mismatch", "logicals", "!1"),
    ("3.3.3", "type-mismatch", "logicals", "1 < 2.0"),
    ("3.3.3", "type-mismatch", "logicals", "'a' < 'b'"),
    ("3.3.3", "type-mismatch", "logicals", "1 == 1.0"),
    ("3.3.3", "type-mismatch", "logicals", "[1] == [1]"),
    ("3.3.3", "type-mismatch", "logicals", "1 && true"),
    ("3.3.3", "type-mismatch", "logicals", "1 in 2"),
    ("3.3.3", "type-mismatch", "logicals", "1 in [1.0]"),
    ("3.3.3", "type-mismatch", "arrays", "[1] + 1"),
    ("3.3.3", "type-mismatch", "arrays", "[1] + ['a']"),
    ("3.3.3", "type-mismatch", "arrays", "[1, 2.0]"),
    ("3.3.3", "type-mismatch", "arrays", "[1] * 2.0"),
    ("3.3.3", "type-mismatch", "integers", "1 if 1 else 2"),
    ("3.3.3", "type-mismatch", "integers", "1 if x < x else 2"),
    ("3.3.3", "type-mismatch", "integers", "1 if true else 'a'"),
    ("3.3.3", "type-mismatch", "integers", "[1][1.0]"),
    ("3.3.3", "type-mismatch", "integers", "1[0]"),
    ("3.3.3", "type-mismatch", "integers", "x[0]"),
    ("3.3.3", "type-mismatch", "integers", "length_of(1)"),
    ("3.3.3", "type-mismatch", "integers", "integer([1])"),
    ("3.3.3", "type-mismatch", "integers", "integer(x)"),
    ("3.3.3", "type-mismatch", "arrays", "[for i in 1 yield i]"),
    ("3.3.3", "tuple-subscript", "integers", "(1, 2)[0 + 0]"),
    ("3.3.3", "tuple-subscript", "integers", "(1, 2)[0:1]"),
    ("3.3.3", "index-out-of-range", "integers", "(1, 2)[2]"),
    ("3.3.3", "index-out-of-range", "integers", "[1, 2][2]"),
    ("3.3.3", "index-out-of-range", "integers", "[1, 2][-1]"),
    ("3.3.3", "index-out-of-range", "arrays", "[1, 2][0:3]"),
    ("3.3.3", "index-out-of-range", "strings", "'abc'[3]"),
    ("3.3.3", "length-mismatch", "arrays", "[for i in [1], j in [1, 2] yield i]"),
    ("3.3.3", "division-by-zero", "integers", "1 / 0"),
    ("3.3.3", "division-by-zero", "scalars", "1.0 / 0.0"),
    ("3.3.3", "not-a-number", "integers", "2 ^ -1"),
    ("3.3.3", "not-a-number", "scalars", "(-2.0) ^ 0.5"),
    ("3.3.3", "out-of-range", "integers", "2 ^ 63"),
    ("3.3.3", "out-of-range", "integers", "2 ^ 9223372036854775807"),
    ("3.3.3", "out-of-range", "integers", "9223372036854775807 + 1"),
    ("3.3.3", "out-of-range", "scalars", "1e300 * 1e300"),
    ("3.3.3", "out-of-range", "scalars", "10.0 ^ 400.0"),
    ("3.3.3", "out-of-range", "integers", "integer(1e300)"),
    ("3.3.3", "invalid-cast", "integers", "integer('1.5')"),
    ("3.3.3", "invalid-cast", "scalars", "scalar('one')"),
    ("3.3.3", "too-long", "arrays", "[1] * 1000000000000"),
    ("3.3.3", "too-long", "strings", "'ab' * 9223372036854775807"),
    ("3.3.1", "type-mismatch", "integers", "'a'"),
    ("3.3.2", "undefined-identifier", "integers", "nowhere"),
    ("3.3.2", "undefined-identifier", "arrays", "[for i in [1] yield i] + [i]"),
    ("3.2.3", "syntax", "arrays", "[for i in [1] i]"),
    ("3.2.3", "syntax", "integers", "1 if true"),
    ("3.2.1", "syntax", "integers", "1 +"),
    ("3.2.1", "syntax", "integers", "(1"),
    ("3.2.1", "syntax", "integers", "1 = 2"),
]


@pytest.mark.parametrize(("section", "code", "kind", "expression"), BROKEN)
def test_each_violated_rule_is_one_error(section, code, kind, expression):
    _, diagnostics = language.parse(_probe(kind, expression))
    assert [(d.code, d.section) for d in diagnostics] == [(code, section)]
    assert diagnostics[0].hint


GRAPH_BROKEN = [
    ("not-a-tensor", "y = 1.0;"),
    ("not-a-tensor", "y = [x, x];"),
    ("not-a-tensor", "y = (x, x);"),
    ("not-a-tensor", "y = copy_n(x, times = 2) if true else [x];"),
    ("result-mismatch", "[y, z] = [x];"),
    ("result-mismatch", "y, z = (x, x, x);"),
    ("invalid-chaining", "y = add_n(copy_n(x, times = 2));"),
    ("invalid-chaining", "y = relu(moments(x, axes = [1]));"),
    ("external-not-parameter", "y = relu(external(shape = [1]));"),
    ("unknown-operation", "y = relu(x) if true else rellu(x);"),
    ("undefined-identifier", "y = x + z;"),
    ("type-mismatch", "y = x + 1;"),
    ("type-mismatch", "y = (x < x) + x;"),
    ("type-mismatch", "y = (x < x) && x;"),
    ("type-mismatch", "y = x + [x];"),
]


@pytest.mark.parametrize(("code", "body"), GRAPH_BROKEN)
def test_each_violated_rule_in_the_graph_is_one_error(code, body):
    _, diagnostics = language.parse(HEAD + GRAPH + body + "}")
    assert [d.code for d in diagnostics] == [code]
    assert diagnostics[0].hint
    assert diagnostics[0].section

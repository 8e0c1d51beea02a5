"""Every rule of sections 3.1 to 3.3 that a flat document can violate, one row for each."""

from __future__ import annotations

import pytest

from nnefkit import language

HEAD = "version 1.0;\ngraph net(x) -> (y)\n{\nx = external(shape = [1, 2, 3, 4]);\n"

# (section, code, line of the problem in the body, the body after the external of x)
BROKEN = [
    ("3.3.2", "syntax", "y = relu(x); 2z = relu(x);"),
    ("3.1", "syntax", "y = relu(é);"),
    ("3.1", "syntax", "y = relu(x); z = relu(x) @ 1;"),
    ("3.1", "syntax", "y = leaky_relu(x, alpha = .5);"),
    ("3.1", "syntax", "y = leaky_relu(x, alpha = 1.);"),
    ("3.2.1", "syntax", "y = leaky_relu(x, alpha = 1e);"),
    ("3.1", "syntax", "y = leaky_relu(x, alpha = 1e999);"),
    ("3.1", "syntax", "y = reshape(x, shape = [9223372036854775808]);"),
    ("3.1", "syntax", "y = reshape(x, shape = [-9223372036854775809]);"),
    ("3.1", "syntax", "y = relu(x); v = variable(shape = [1], label = 'a\n');"),
    ("3.1", "syntax", "y = relu(x); v = variable(shape = [1], label = 'é');"),
    ("3.1", "syntax", "y = relu(x); v = variable(shape = [1], label = 'a\\b');"),
    ("3.1", "syntax", "y = relu(x); v = variable(shape = [1], label = 'a\");"),
    ("3.1", "syntax", "y = relu(x); v = variable(shape = [1], label = 'a\tb');"),
    ("3.2.1", "syntax", "y = relu(x); for = relu(x);"),
    ("3.3.2", "syntax", "y = relu(x); true = relu(x);"),
    ("3.2.1", "syntax", "y = relu(x)"),
    ("3.2.1", "syntax", "y = relu(x,);"),
    ("3.2.1", "syntax", "y relu(x);"),
    ("3.2.1", "syntax", "y = relu(x;"),
    ("3.2.1", "syntax", "y = reshape(x, shape = [1, 24);"),
    ("3.3.2", "missing-argument", "y = relu();"),
    ("3.2.1", "syntax", "y = pad(x, padding = ());"),
    ("3.2.1", "syntax", "y = relu(x); = relu(x);"),
    ("3.3.2", "syntax", "y = relu(x); 3 = relu(x);"),
    ("3.3.2", "syntax", "y = relu(x); f(x) = relu(x);"),
    ("3.2.3", "extension-not-enabled", "y = relu(relu(x));"),
    ("3.2.3", "extension-not-enabled", "y = x;"),
    ("3.2.3", "extension-not-enabled", "y = x + 1.0;"),
    ("3.2.3", "extension-not-enabled", "y = leaky_relu(x, alpha = (0.5));"),
    ("3.2.3", "extension-not-enabled", "y = leaky_relu(x, alpha = - 0.5);"),
    ("3.2.3", "extension-not-enabled", "y = leaky_relu(x, alpha = +0.5);"),
    ("3.2.3", "extension-not-enabled", "y = reshape(x, shape = [1] + [24]);"),
    ("3.2.3", "extension-not-enabled", "y = concat([for i in [x, x] yield i], axis = 0);"),
    ("3.2.3", "extension-not-enabled", "y = concat([relu(x)], axis = 0);"),
    ("3.3.1", "type-mismatch", "y = leaky_relu(x, alpha = 1);"),
    ("3.3.1", "type-mismatch", "y = reshape(x, shape = [1.0]);"),
    ("3.3.1", "type-mismatch", "y = reshape(x, shape = 24);"),
    ("3.3.1", "type-mismatch", "y = reshape(x, shape = (1, 24));"),
    ("3.3.1", "type-mismatch", "y = reshape(x, shape = 'all');"),
    ("3.3.1", "type-mismatch", "y = matmul(x, x, transposeA = 1);"),
    ("3.3.1", "type-mismatch", "y = pad(x, padding = [1, 2]);"),
    ("3.3.1", "type-mismatch", "y = pad(x, padding = [(1, 2, 3)]);"),
    ("3.3.1", "type-mismatch", "y = pad(x, padding = [(1, 2.0)]);"),
    ("3.3.1", "type-mismatch", "y = relu([x]);"),
    ("3.3.1", "type-mismatch", "y = relu(1);"),
    ("3.3.1", "type-mismatch", "y = relu('one');"),
    ("3.3.1", "type-mismatch", "y = not(x);"),
    ("3.3.1", "type-mismatch", "y = concat(x, axis = 1);"),
    ("3.3.1", "type-mismatch", "y = relu(x); c = lt(x, x); d = relu(c);"),
    ("3.3.1", "type-mismatch", "y = reshape(x, shape = x);"),
    ("3.3.1", "type-mismatch", "y = relu(x); c = constant(shape = [1], value = [1]);"),
    ("3.3.1", "type-mismatch", "y = relu(x); c = constant<integer>(shape = [1], value = [1.0]);"),
    ("3.3.1", "type-mismatch", "y = copy<integer>(x);"),
    ("3.3.3", "type-mismatch", "y = reshape(x, shape = [1, 2.0]);"),
    ("3.3.3", "type-mismatch", "y = concat([x, 'x'], axis = 1);"),
    ("3.3.2", "ambiguous-type", "c = lt(x, x); y = select(c, x, 1);"),
    ("3.3.2", "ambiguous-type", "c = lt(x, x); y = select(c, c, x);"),
    ("3.3.2", "undeduced-type", "y = cast(x);"),
    ("3.3.2", "not-generic", "y = relu<scalar>(x);"),
    ("3.3.2", "type-mismatch", "y = copy<?>(x);"),
    ("3.3.2", "unknown-operation", "y = rellu(x);"),
    ("3.3.2", "unknown-operation", "y = softabs(x);"),
    ("3.3.2", "too-many-arguments", "y = relu(x, x);"),
    ("3.3.2", "missing-argument", "y = leaky_relu(x);"),
    ("3.3.2", "missing-argument", "y = add(x);"),
    ("3.3.2", "positional-attribute", "y = leaky_relu(x, 0.1);"),
    ("3.3.2", "positional-argument", "y = pad(padding = [], x);"),
    ("3.3.2", "unknown-argument", "y = softmax(x, axis = [1]);"),
    ("3.3.2", "duplicate-argument", "y = softmax(x, axes = [1], axes = [1]);"),
    ("3.3.2", "duplicate-argument", "y = leaky_relu(x, x = x, alpha = 0.1);"),
    ("3.3.2", "result-mismatch", "y, z = relu(x);"),
    ("3.3.2", "result-mismatch", "[y] = relu(x);"),
    ("3.3.2", "result-mismatch", "y = moments(x, axes = [1]);"),
    ("3.3.2", "result-mismatch", "y, z, w = moments(x, axes = [1]);"),
    ("3.3.2", "result-mismatch", "[y, z] = moments(x, axes = [1]);"),
    ("3.3.2", "result-mismatch", "y = split(x, axis = 1, ratios = [1, 1]);"),
    ("3.3.2", "result-mismatch", "y, z = split(x, axis = 1, ratios = [1, 1]);"),
    ("3.3.2", "result-mismatch", "[y, [z]] = split(x, axis = 1, ratios = [1, 1]);"),
    ("3.3.2", "undefined-identifier", "y = relu(z);"),
    ("3.3.2", "undefined-identifier", "y = relu(z); z = relu(x);"),
    ("3.3.2", "undefined-identifier", "y = relu(y);"),
    ("3.3.2", "undefined-identifier", "y = concat([x, z], axis = 1);"),
    ("3.3.2", "redefined-identifier", "y = relu(x); y = relu(x);"),
    ("3.3.2", "redefined-identifier", "y, y = moments(x, axes = [1]);"),
    ("3.3.2", "redefined-identifier", "x = relu(x); y = relu(x);"),
    ("3.3.2", "undefined-result", "z = relu(x);"),
    ("3.3.2", "external-not-parameter", "y = relu(x); z = external(shape = [1]);"),
]


@pytest.mark.parametrize(("section", "code", "body"), BROKEN)
def test_each_violated_rule_is_one_error_with_position_and_section(section, code, body):
    _, diagnostics = language.parse(HEAD + body + "\n}")
    (diagnostic,) = [d for d in diagnostics if d.severity == "error"]
    assert (diagnostic.code, diagnostic.section) == (code, section)
    assert diagnostic.span is not None
    assert 2 <= diagnostic.line <= 7
    assert diagnostic.message
    assert not diagnostic.message.endswith(".")
    assert diagnostic.excerpt
    assert diagnostic.hint


# (section, code, document)
BROKEN_DOCUMENTS = [
    ("3.2.4", "syntax", ""),
    ("3.2.4", "syntax", "# nothing but a comment\n"),
    ("3.2.4", "syntax", "graph g(x) -> (y) { x = external(shape = [1]); y = relu(x); }"),
    ("3.2.4", "syntax", "version 1; graph g(x) -> (x) { x = external(shape = [1]); }"),
    ("3.2.4", "syntax", "version 1e0; graph g(x) -> (x) { x = external(shape = [1]); }"),
    ("3.2.4", "syntax", "version '1.0'; graph g(x) -> (x) { x = external(shape = [1]); }"),
    ("3.2.4", "syntax", "version 1.0 1.1; graph g(x) -> (x) { x = external(shape = [1]); }"),
    ("3.2.4", "unsupported-version", "version 2.0; graph g(x)->(x) { x = external(shape=[1]); }"),
    ("3.2.4", "syntax", "version 1.0;"),
    ("3.2.4", "syntax", "version 1.0; extension ; graph g(x)->(x) { x = external(shape=[1]); }"),
    ("3.2.4", "syntax", "version 1.0; extension A, 1; graph g(x)->(x) {x = external(shape=[1]);}"),
    ("3.2.4", "syntax", "version 1.0; graph g(x)->(x) { x = external(shape=[1]); } more"),
    (
        "3.2.4",
        "syntax",
        "version 1.0; graph g(x)->(x) { x = external(shape=[1]); } graph h(x)->(x) {}",
    ),
    ("3.2.1", "syntax", "version 1.0; graph g() -> (y) { y = constant(shape=[1], value=[1.0]); }"),
    ("3.2.1", "syntax", "version 1.0; graph g(x) -> () { x = external(shape = [1]); }"),
    ("3.2.1", "syntax", "version 1.0; graph g(x: tensor<scalar>)->(x) {x = external(shape=[1]);}"),
    ("3.2.1", "syntax", "version 1.0; graph g(x) { x = external(shape = [1]); }"),
    ("3.2.1", "syntax", "version 1.0; graph (x) -> (x) { x = external(shape = [1]); }"),
    ("3.2.1", "syntax", "version 1.0; graph g(x) -> (x) { x = external(shape = [1]);"),
    ("3.3.2", "undefined-parameter", "version 1.0; graph g(x, z)->(x) {x = external(shape=[1]);}"),
    ("3.3.2", "duplicate-parameter", "version 1.0; graph g(x, x)->(x) {x = external(shape=[1]);}"),
    ("3.3.2", "duplicate-parameter", "version 1.0; graph g(x)->(x, x) {x = external(shape=[1]);}"),
    (
        "3.3.2",
        "parameter-not-external",
        "version 1.0; graph g(x) -> (x) { x = constant(shape = [1], value = [1.0]); }",
    ),
    (
        "3.2.2",
        "extension-not-enabled",
        "version 1.0; fragment f(x: tensor<scalar>) -> (y: tensor<scalar>);"
        "graph g(x) -> (y) { x = external(shape = [1]); y = f(x); }",
    ),
]


@pytest.mark.parametrize(("section", "code", "text"), BROKEN_DOCUMENTS)
def test_each_invalid_document_has_one_error(section, code, text):
    _, diagnostics = language.parse(text)
    assert [(d.code, d.section) for d in diagnostics] == [(code, section)]
    assert diagnostics[0].hint


def test_an_empty_body_is_reported():
    _, diagnostics = language.parse("version 1.0; graph g(x) -> (x) { }")
    assert "the body is empty" in [d.message for d in diagnostics]


WARNED = [
    ("3.3.2", "named-tensor", "y = relu(x = x);"),
    ("4.9.5", "deprecated-operation", "y = linear_quantize(x, 0.0, 1.0, bits = 8);"),
]


@pytest.mark.parametrize(("section", "code", "body"), WARNED)
def test_deprecated_constructs_are_warnings(section, code, body):
    graph, diagnostics = language.parse(HEAD + body + "\n}")
    assert [(d.code, d.severity, d.section) for d in diagnostics] == [(code, "warning", section)]
    assert graph is not None
    assert [op.name for op in graph.operations][1] == body.partition("= ")[2].partition("(")[0]


@pytest.mark.parametrize(
    ("code", "head"),
    [
        ("unknown-version", "version 1.3;"),
        ("unknown-version", "version 1.10;"),
        ("unknown-extension", "version 1.0; extension VENDOR_fast;"),
    ],
)
def test_unknown_versions_and_extensions_are_warnings(code, head):
    graph, diagnostics = language.parse(head + HEAD.partition(";")[2] + "y = relu(x); }")
    assert [(d.code, d.severity) for d in diagnostics] == [(code, "warning")]
    assert graph is not None
    assert len(graph.operations) == 2


HINTED = [
    ("y = rellu(x);", "Did you mean 'relu'?"),
    ("y = softmax(x, axis = [1]);", "Did you mean 'axes'?"),
    ("y = leaky_relu(x, alpha = 1);", "Write: 1.0"),
    ("z = relu(x); y = relu(zz);", "Did you mean 'z'?"),
    ("y = relu(z); z = relu(x);", "It is defined on line 5."),
    ("y = relu(x); y = relu(x);", "The first definition is on line 5."),
    ("y = leaky_relu(x, 0.1);", "Write: alpha = ..."),
    ("y = moments(x, axes = [1]);", "Write: mean, variance = moments(...)"),
    ("y = relu(relu(x));", "KHR_enable_operator_expressions"),
    ("y = relu(x); c = constant(shape = [1], value = [1]);", "constant<integer>(...)"),
    ("y = leaky_relu(x);", "The parameters of 'leaky_relu' are x, alpha."),
]


@pytest.mark.parametrize(("body", "hint"), HINTED)
def test_hints_say_how_to_fix_the_error(body, hint):
    _, diagnostics = language.parse(HEAD + body + "\n}")
    assert hint in diagnostics[0].hint


def test_seven_unrelated_errors_are_seven_diagnostics():
    body = """
    a = rellu(x);
    b = conv(x, x, dilutoin = [1]);
    c = leaky_relu(x, alpha = 1);
    d = relu(x x);
    e = relu(nowhere);
    a = relu(x);
    y, z = split(x, axis = 1, ratios = [1, 1]);
    f = relu(a); g = relu(b); h = relu(c); i = relu(d); j = relu(e); k = relu(y); l = add(z, z);
    """
    _, diagnostics = language.parse(HEAD + body + "\n}")
    assert [(d.code, d.line) for d in diagnostics] == [
        ("unknown-operation", 6),
        ("unknown-argument", 7),
        ("type-mismatch", 8),
        ("syntax", 9),
        ("undefined-identifier", 10),
        ("redefined-identifier", 11),
        ("result-mismatch", 12),
    ]
    assert all(d.severity == "error" and d.hint and d.section for d in diagnostics[:3])


def test_a_missing_semicolon_is_one_error_without_consequences():
    body = "a = relu(x)\nb = relu(a);\ny = relu(b);"
    graph, diagnostics = language.parse(HEAD + body + "\n}")
    assert [(d.code, d.line, d.column) for d in diagnostics] == [("syntax", 5, 12)]
    assert graph is not None
    assert [op.name for op in graph.operations] == ["external", "relu", "relu", "relu"]


def test_an_open_string_does_not_swallow_the_next_assignment():
    body = "v = variable(shape = [1], label = 'v);\ny = rellu(x);"
    _, diagnostics = language.parse(HEAD + body + "\n}")
    assert [(d.code, d.line) for d in diagnostics] == [("syntax", 5), ("unknown-operation", 6)]


def test_the_valid_part_of_a_document_is_checked_further():
    graph, diagnostics = language.parse(HEAD + "a = rellu(x); b = relu(a); y = relu(x); }")
    assert len(diagnostics) == 1
    assert graph is not None
    assert [op.name for op in graph.operations] == ["external", "relu", "relu"]
    assert set(graph.tensors) == {"x", "a", "b", "y"}

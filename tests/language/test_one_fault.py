"""One fault in a document results in one diagnostic, at its place."""

from __future__ import annotations

import pytest

from nnefkit import language
from nnefkit.language.syntax.lexer import KEYWORDS

HEAD = "version 1.0; extension KHR_enable_fragment_definitions KHR_enable_operator_expressions;\n"
FRAGMENT = "fragment f(a: tensor<scalar>) -> (b: tensor<scalar>) { b = relu(a); }\n"
GRAPH = "graph g(x) -> (y) { x = external(shape = [1]); y = f(x); }\n"
BODY = "{ x = external(shape = [1]); y = relu(x); }"


def _problems(text, **options):
    _, diagnostics = language.parse(text, **options)
    return [(d.code, text[d.span.start : d.span.end] if d.span else "") for d in diagnostics]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("keyword", sorted(KEYWORDS))
def test_a_keyword_as_a_name_is_reported_once(keyword, strict):
    texts = [
        HEAD + FRAGMENT + f"graph {keyword}(x) -> (y) {{ x = external(shape = [1]); y = f(x); }}",
        HEAD
        + FRAGMENT.replace("fragment f", f"fragment {keyword}")
        + GRAPH.replace("f(x)", f"{keyword}(x)"),
        HEAD + FRAGMENT.replace("a:", f"{keyword}:").replace("relu(a)", f"relu({keyword})") + GRAPH,
        HEAD + FRAGMENT.replace("b", keyword) + GRAPH,
        HEAD + FRAGMENT + GRAPH.replace("x", keyword).replace(f"e{keyword}t", "ext"),
        HEAD + FRAGMENT + GRAPH.replace("y", keyword),
    ]
    for text in texts:
        assert _problems(text, strict=strict) == [("syntax", keyword)], text


def test_an_empty_body_is_reported_once():
    assert _problems("version 1.0; graph g(x) -> (y) { }") == [("syntax", "}")]
    empty = FRAGMENT.replace("b = relu(a);", "")
    assert _problems(HEAD + empty + GRAPH) == [("syntax", "}")]


def test_commas_between_extensions_are_reported_once():
    text = HEAD.replace("definitions ", "definitions, ") + FRAGMENT + GRAPH.replace("f(x)", "x + x")
    graph, diagnostics = language.parse(text)
    assert [(d.code, d.severity) for d in diagnostics] == [("comma-between-extensions", "warning")]
    assert "extension A B;" in diagnostics[0].hint
    assert graph is not None
    assert len(graph.operations) == 2


def test_an_extension_without_a_semicolon_is_still_enabled():
    text = HEAD.replace("expressions;", "expressions") + FRAGMENT + GRAPH
    assert [code for code, _ in _problems(text)] == ["syntax"]


@pytest.mark.parametrize("strict", [True, False])
def test_calls_of_a_fragment_that_cannot_be_read_are_not_reported(strict):
    for broken in (
        "fragment f(a: tensor<scalar>,) -> (b: tensor<scalar>) { b = relu(a); }\n",
        "fragment f(a: tensor<scalar>) (b: tensor<scalar>) { b = relu(a); }\n",
        "fragment f(a: tensor<scalar>) -> (b: tensor<scalar>) { b = relu(a);\n",
        "fragment f(a: tensor<scalar>) -> (b: tensor<scalar>)\n",
    ):
        problems = _problems(HEAD + broken + GRAPH, strict=strict)
        assert [code for code, _ in problems] == ["syntax"], broken


ARGUMENTS = {
    "constant(shape = [1], value = q)": "q",
    "constant(shape = q, value = [1.0])": "q",
    "constant(shape = [q], value = [1.0])": "q",
    "constant(shape = [1], value = [q])": "q",
    "constant<integer>(shape = [1], value = q)": "q",
    "variable(shape = q, label = 'a')": "q",
    "variable(shape = [1], label = q)": "q",
    "reshape(x, shape = q)": "q",
    "pad(x, padding = q)": "q",
    "conv(x, 1.0, border = q)": "q",
    "softmax(x, axes = q)": "q",
    "relu(q)": "q",
}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("call", ARGUMENTS)
def test_an_undefined_name_as_an_argument_is_the_only_problem(call, strict):
    for body in (f"y = {call};", f"y = {call}; z = copy(y);", f"y = copy({call});"):
        text = HEAD + f"graph g(x) -> (y) {{ x = external(shape = [1]); {body} }}"
        assert _problems(text, strict=strict) == [("undefined-identifier", "q")], text
    after_an_error = f"q = rellu(x); y = {call};"
    text = HEAD + f"graph g(x) -> (y) {{ x = external(shape = [1]); {after_an_error} }}"
    assert _problems(text) == [("unknown-operation", "rellu")]


TRAILING = [
    "concat([x, x,], axis = 0)",
    "concat([x,], axis = 0)",
    "concat([,], axis = 0)",
    "concat([,x], axis = 0)",
    "concat([x,,x], axis = 0)",
    "concat([x x], axis = 0)",
    "concat([x, x], axis = 0,)",
    "relu(x,)",
    "reshape(x, shape = [1, 1,])",
    "reshape(x, shape = [1,])",
    "pad(x, padding = [(0, 0,)])",
    "pad(x, padding = [(0, 0),])",
    "constant(shape = [1], value = [1.0,])",
    "concat([x, relu(x),], axis = 0)",
    "concat([1.0, x,], axis = 0)",
]


@pytest.mark.parametrize("call", TRAILING)
def test_a_comma_without_an_element_is_reported_once(call):
    """The grammar has no trailing commas (A.1)."""
    # The same array twice, since arrays that occur again are not read again.
    for body in ([f"y = {call};"], [f"y = {call};", f"z = {call};"]):
        text = HEAD + f"graph g(x) -> (y) {{ x = external(shape = [1]); {' '.join(body)} }}"
        assert [code for code, _ in _problems(text)] == ["syntax"] * len(body), text


def test_a_trailing_comma_has_a_fitting_hint():
    text = HEAD + "graph g(x) -> (y) { x = external(shape = [1]); y = concat([x, x,], axis = 0); }"
    _, diagnostics = language.parse(text)
    assert "Remove the comma" in diagnostics[0].hint


def test_trailing_commas_of_lists_of_names_are_reported_once():
    for header in ("graph g(x,) -> (y)", "graph g(x) -> (y,)"):
        assert [code for code, _ in _problems(f"version 1.0; {header} {BODY}")] == ["syntax"]
    split = "[y, z,] = split(x, axis = 0, ratios = [1, 1]);"
    for target in (split, split.replace("[y, z,]", "y, z,")):
        text = f"version 1.0; graph g(x) -> (y) {{ x = external(shape = [2]); {target} }}"
        assert [code for code, _ in _problems(text)] == ["syntax"]

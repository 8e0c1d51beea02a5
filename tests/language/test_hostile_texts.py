"""No text crashes the parser, or takes more than linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled import sampled
from timing import assert_linear, least_seconds

import nnefkit as nk
from nnefkit import language
from nnefkit.errors import Diagnostic

EXTENSIONS = "extension KHR_enable_fragment_definitions KHR_enable_operator_expressions;"
HEAD = f"version 1.0; {EXTENSIONS} graph net(x) -> (y) {{ x = external(shape = [1, 2]); "

GARBAGE = {
    "empty": "",
    "blank": " \n\t ",
    "NUL bytes": "\0" * 1000,
    "binary": bytes(range(256)).decode("latin-1") * 40,
    "binary after a head": HEAD + bytes(range(256)).decode("latin-1"),
    "byte order mark": "\ufeff" + HEAD + "y = relu(x); }",
    "open string": HEAD + "y = variable(shape = [1], label = 'abc",
    "open string with escape": HEAD + "y = variable(shape = [1], label = 'abc\\",
    "open comment": HEAD + "y = relu(x); # }",
    "lone surrogate": HEAD + "y = relu(\ud800); }",
    "only brackets": "([{" * 100,
    "only closing brackets": ")]}" * 100,
    "only semicolons": ";" * 1000,
    "keywords": "version extension graph fragment " * 100,
    "assignment without name": HEAD + "= relu(x); }",
    "long number": HEAD + f"y = reshape(x, shape = [{'9' * 100_000}]); }}",
    "long fraction": HEAD + f"y = leaky_relu(x, alpha = 0.{'1' * 100_000}); }}",
    "long identifier": HEAD + f"{'a' * 100_000} = rellu(x); }}",
}


def _check_diagnostics(diagnostics: list[Diagnostic]) -> None:
    for diagnostic in diagnostics:
        assert diagnostic.message
        assert str(diagnostic)


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_results_in_diagnostics(text):
    _, diagnostics = language.parse(text)
    if text not in (GARBAGE["long fraction"], GARBAGE["byte order mark"]):
        assert any(d.severity == "error" for d in diagnostics)
    _check_diagnostics(diagnostics)


def test_a_byte_order_mark_is_not_an_error():
    graph, diagnostics = language.parse(GARBAGE["byte order mark"])
    assert [d.code for d in diagnostics] == ["byte-order-mark"]
    assert [d.severity for d in diagnostics] == ["warning"]
    assert graph is not None
    assert len(graph.operations) == 2


def _nested(count: int) -> dict[str, str]:
    return {
        "parentheses": "y = " + "(" * count + "x" + ")" * count + ";",
        "invocations": "y = " + "relu(" * count + "x" + ")" * count + ";",
        "signs": "y = " + "-" * count + "x;",
        "spaced signs": "y = " + "- " * count + "x;",
        "not": "y = " + "!" * count + "(x < x);",
        "right sums": "y = " + "x + (" * count + "x" + ")" * count + ";",
        "sums": "y = " + "+".join(["x"] * count) + ";",
        "powers": "y = " + "^".join(["x"] * count) + ";",
        "choices": "y = " + "x if false else " * count + "x;",
        "taken choices": "y = " + "x if true else " * count + "x;",
        "nested choices": "y = " + "(x if true else " * count + "x" + ")" * count + ";",
        "conditions": "y = x if " + "(true && " * count + "true" + ")" * count + " else x;",
        "arrays": "y = reshape(x, shape = " + "[" * count + "1" + "]" * count + ");",
        "tensor arrays": "y = reshape(x, shape = " + "[" * count + "x" + "]" * count + ");",
        "tuples": "y = reshape(x, shape = " + "(1, " * count + "1" + ")" * count + ");",
        "array targets": "[" * count + "y" + "]" * count + " = relu(x);",
        "tuple targets": "(a, " * count + "y" + ")" * count + " = relu(x);",
        "subscripts": "y = x" + "[0]" * count + ";",
        "subscripts in subscripts": "y = x" + "[x" * count + "]" * count + ";",
        "comprehensions": "y = " + "[for i in " * count + "[x]" + " yield i]" * count + ";",
        "yields": "y = " + "[for i in [1] yield " * count + "x" + "]" * count + ";",
        "functions": "y = x * scalar(" + "integer(" * count + "1" + ")" * count + ");",
        "open parentheses": "y = " + "(" * count,
        "open arrays": "y = relu(" + "[" * count,
        "open arrays with items": "y = relu(" + "[1, " * count,
        "open invocations": "y = " + "relu(a = [" * count,
        "mixed brackets": "y = " + "([" * count,
        "open choices": "y = " + "x if " * count,
        "closing": "y = x" + ")" * count + ";",
        "commas": "y = relu(" + "," * count + ");",
        "statements": "y = relu(x);" * count,
        "broken statements": "y = relu(;" * count,
        "undefined": "".join(f"a{i} = relu(b{i});" for i in range(count)),
        "unknown": "".join(f"a{i} = b{i}(x);" for i in range(count)),
        "named tensors": "".join(f"a{i} = relu(x = x);" for i in range(count)),
        "duplicate arguments": "y = relu(x, " + "a = 1, " * count + "a = 2);",
        "extra arguments": "y = relu(x" + ", x" * count + ");",
        "strings": "y = variable(shape = [1], label = " + "'a' + " * count + "'a');",
        "quotes": "y = relu(x); " + "'" * count,
        "lines": "y = relu(x);" + "\n" * count,
        "comments": "y = relu(x);" + "#\n" * count,
        "scopes": "y = relu(x);" + "{" * count,
        "ends": "y = relu(x);" + "}" * count,
    }


@pytest.mark.parametrize("kind", sampled(_nested(1), 5))
def test_deep_and_long_texts_are_parsed_in_linear_time(kind):
    def seconds(count: int) -> float:
        text = HEAD + _nested(count)[kind] + " }"
        _, diagnostics = language.parse(text)
        for diagnostic in diagnostics[:20]:
            assert len(str(diagnostic)) < 5000
        return least_seconds(lambda: language.parse(text), tries=2)

    assert_linear(seconds, 3000, factor=4, most=12)


def test_deep_types_are_parsed_in_linear_time():
    before = time.process_time()
    for kind in ("integer" + "[]" * 3000, "(integer, " * 3000 + "integer" + ")" * 3000):
        fragment = f"fragment f(x: tensor<scalar>, a: {kind}) -> (y: tensor<scalar>);"
        text = f"version 1.0; {EXTENSIONS} {fragment} graph g(x) -> (y) {{ "
        _, diagnostics = language.parse(text + "x = external(shape = [1]); y = f(x, a = 1); }")
        assert [d.code for d in diagnostics] == ["type-mismatch"]
        assert len(str(diagnostics[0])) < 1000
    assert time.process_time() - before < 5


def test_many_errors_are_counted_but_not_all_listed():
    text = HEAD + "".join(f"a{i} = relu(b{i});" for i in range(5000)) + "y = relu(x); }"
    _, diagnostics = language.parse(text)
    assert len(diagnostics) == 1001
    assert diagnostics[-1].message == "4000 more problems are not listed"


def test_warnings_do_not_hide_errors():
    text = HEAD + "".join(f"a{i} = relu(x = x);" for i in range(5000)) + "y = rellu(x); }"
    _, diagnostics = language.parse(text)
    assert [d.code for d in diagnostics if d.severity == "error"] == ["unknown-operation"]


@pytest.mark.slow
def test_one_line_of_ten_megabytes():
    values = ", ".join(["0.125"] * 1_400_000)
    text = HEAD + f"y = constant(shape = [1400000], value = [{values}]); z = rellu(x); }}"
    assert len(text) > 9_000_000
    before = time.process_time()
    graph, diagnostics = language.parse(text)
    assert time.process_time() - before < 20
    assert [d.code for d in diagnostics] == ["unknown-operation"]
    assert len(str(diagnostics[0])) < 1000
    assert graph is not None
    assert graph.tensors["y"].data.shape == (1_400_000,)


@pytest.mark.slow
def test_a_hundred_thousand_operations():
    body = "".join(
        f"a{i} = conv({f'a{i - 1}' if i else 'x'}, 1.0, stride = [1], padding = [(0, 0)]);\n"
        for i in range(100_000)
    )
    before = time.process_time()
    graph, diagnostics = language.parse(HEAD + body + "y = relu(a99999); }")
    assert time.process_time() - before < 40
    assert diagnostics == []
    assert graph is not None
    assert len(graph.operations) == 100_002


PIECES = st.sampled_from(
    """version 1.0 ; extension KHR_enable_operator_expressions fragment graph f g x y relu conv
    external split moments ( ) [ ] { } -> = , : < > ? + - * / ^ ! && || == in if else for yield
    1 2.0 -3 'a' "b" true false tensor scalar integer logical string shape_of length_of # @ é ' " \\
    1e999 99999999999999999999 tensor<scalar> x=external(shape=[1]);""".split(" ")  # noqa: SIM905
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=60), st.booleans(), st.booleans())
def test_any_mixture_of_tokens_results_in_diagnostics(pieces, with_head, strict):
    text = (HEAD if with_head else "") + " ".join(pieces)
    _, diagnostics = language.parse(text, strict=strict)
    _check_diagnostics(diagnostics)


VALID = HEAD + (
    "a = conv(x, x, stride = [1, 1], padding = [(0, 1)], border = 'constant'); "
    "[b, c] = split(a, axis = 1, ratios = [1, 1]); d, e = moments(b, axes = [0]); "
    "f = x * 2.0 + relu(-c) if 1 in [1, 2] else x; "
    "y = concat([for i in [1.0, 2.0] if i > 1.0 yield x * i], axis = 0); }"
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_mutation_of_a_valid_text_results_in_diagnostics(data):
    text = VALID
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(st.text(max_size=4)) + text[end:]
    _, diagnostics = language.parse(text)
    _check_diagnostics(diagnostics)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_quantization_text_results_in_diagnostics(text):
    _, diagnostics = language.parse_quantization(text)
    _check_diagnostics(diagnostics)


LARGE = {
    "leading zeros": "0" * 5000 + "2",
    "digits": "9" * 5000,
    "spaced minus": "- " + "9" * 5000,
    "cast": f"integer('{'0' * 5000}2')",
    "cast of digits": f"integer('{'9' * 5000}')",
    "cast of a fraction": f"integer({'0' * 5000}2.0)",
}


@pytest.mark.parametrize("number", LARGE)
def test_integers_of_thousands_of_digits_are_read_or_reported(number):
    text = HEAD + f"y = reshape(x, shape = [{LARGE[number]}]); }}"
    graph, diagnostics = language.parse(text)
    _check_diagnostics(diagnostics)
    assert all(len(d.message) < 3000 for d in diagnostics)
    if "9" in LARGE[number]:
        assert [d.code for d in diagnostics if d.severity == "error"]
    else:
        assert diagnostics == []
        assert graph is not None
        assert graph.operations[1].attribs["shape"] == [2]


@pytest.mark.parametrize("count", [999, 1000, 1001, 2500])
def test_fragments_are_nested_to_any_depth(count):
    declared = "(a: tensor<scalar>) -> (b: tensor<scalar>)"
    fragments = [f"fragment f{i}{declared} {{ b = f{i + 1}(a); }}" for i in range(count)]
    text = HEAD.replace(
        "graph", " ".join([*fragments, f"fragment f{count}{declared} {{ b = relu(a); }} graph"]), 1
    )
    graph, diagnostics = language.parse(text + "y = f0(x); }")
    assert diagnostics == []
    assert graph is not None
    assert [op.name for op in graph.operations] == ["external", "relu"]
    assert len(graph.operations[1].scope) == count + 1


def test_fragments_nested_too_deep_for_the_budget_are_reported():
    declared = "(a: tensor<scalar>) -> (b: tensor<scalar>)"
    fragments = [f"fragment f{i}{declared} {{ b = f{i + 1}(a); }}" for i in range(10_000)]
    text = HEAD.replace("graph", " ".join([*fragments, "graph"]), 1).replace("f10000", "relu")
    _, diagnostics = language.parse(text + "y = f0(x); }")
    assert [d.code for d in diagnostics] == ["too-long"]


def test_recursion_after_deep_calls_is_still_endless():
    declared = "(a: tensor<scalar>) -> (b: tensor<scalar>)"
    fragments = [f"fragment f{i}{declared} {{ b = f{i + 1}(a); }}" for i in range(1200)]
    for cycle in ("b = f1200(a);", "b = f1199(a);"):
        last = f"fragment f1200{declared} {{ {cycle} }} graph"
        text = HEAD.replace("graph", " ".join([*fragments, last]), 1)
        _, diagnostics = language.parse(text + "y = f0(x); }")
        assert [d.code for d in diagnostics] == ["endless-recursion"]


def test_problems_of_operators_are_located():
    """Shapes that do not fit, in an expression without any parenthesis."""
    for operator in ("<", "<=", "+", "==", "^"):
        body = f"w = variable(shape = [5, 7], label = 'w'); y = x {operator} w; }}"
        report = nk.validate(HEAD + body)
        assert [d.code for d in report.errors] == ["shape-mismatch"]
        assert f"x {operator} w" in str(report.errors[0])


def test_the_line_of_many_problems_is_stored_once():
    text = HEAD + "".join(f"a{i} = rellu(x);" for i in range(2000)) + "y = copy(x); }"
    text += " " * 1_000_000
    _, diagnostics = language.parse(text)
    assert len(diagnostics) == 1001
    assert len({id(d.excerpt) for d in diagnostics if d.excerpt}) == 1


def test_white_space_at_the_end_is_skipped_in_linear_time():
    for space in (" ", "\n", "\t \n", "#\n", " # \n\f"):
        text = HEAD + "y = relu(x); }" + space * 200_000
        assert least_seconds(lambda text=text: language.parse(text), tries=2) < 2
        assert language.parse(text)[1] == []


def test_problems_of_shapes_are_counted_but_not_all_listed():
    body = "".join(f"a{i} = reshape(x, shape = [7]);" for i in range(1500))
    before = time.process_time()
    report = nk.validate(HEAD + body + "y = relu(x); }")
    assert time.process_time() - before < 5
    assert len(report.errors) == 1000
    assert [d.message for d in report.notes] == ["500 more problems are not listed"]
    assert len({id(d.excerpt) for d in report.errors}) == 1


def test_problems_in_one_long_assignment_are_located_in_linear_time():
    """The operations of a fragment share its text, which is searched for arguments."""

    def seconds(count: int) -> float:
        body = "b = reshape(a, " + "# x\n" * count + "shape = [7]);"
        fragment = f"fragment f(a: tensor<scalar>) -> (b: tensor<scalar>) {{ {body} }} graph"
        calls = "".join(f"a{i} = f(x);" for i in range(count))
        text = HEAD.replace("graph", fragment, 1) + calls + "y = copy(x); }"
        return least_seconds(lambda: nk.validate(text), tries=2)

    assert_linear(seconds, 250, factor=4, most=12)


def test_messages_have_a_bounded_length():
    name = "n" * 100_000
    calls = "".join(f"a{i} = {name}(x, z = 1);" for i in range(100))
    parameters = ", ".join(f"p{i}: scalar = 1.0" for i in range(10_000))
    fragment = f"fragment {name}(a: tensor<scalar>, {parameters}) -> (b: tensor<scalar>);"
    text = HEAD.replace("graph", fragment + " graph", 1) + calls + "y = copy(x); }"
    _, diagnostics = language.parse(text)
    assert len(diagnostics) == 100
    assert all(len(d.message) + len(d.hint) < 5000 for d in diagnostics)

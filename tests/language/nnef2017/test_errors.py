"""Provisional documents: recognition, errors, and hostile texts."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timing import least_seconds

import nnefkit as nk
from nnefkit import language
from nnefkit.errors import Source
from nnefkit.language.nnef2017 import recognized
from nnefkit.language.syntax.lexer import Tokens
from nnefkit.operations.shape_inference import known_shapes

FOLDER = Path(__file__).parent / "documents"
GRAPH = "graph net( x ) -> ( y )\n{\n    x = external(shape = [1, 3, 8, 8])\n"

# -- recognition --------------------------------------------------------

BODY = "x = external(shape = [1]){0} y = relu(x){0}"
TODAY = [
    "version 1.0; graph net(x) -> (y) { " + BODY.format(";") + " }",
    "version 1.0; graph net(x) -> (y) { " + BODY.format("") + " }",
    "version 1.0 graph net(x) -> (y) { " + BODY.format(";") + " }",
    "version 1.0 graph net(x) -> (y) { extent = external(shape = [1]); y = relu(x); }",
    "version 1.0 extension KHR_enable_operator_expressions; graph net(x) -> (y) { y = x }",
    "version 1.0 fragment f<?>(x: tensor<?>) -> (y: tensor<?>) { y = x } graph n(x) -> (y) { }",
    "graph net(x) -> (y) { " + BODY.format(";") + " }",
    "graph net(x) -> (y)",
    "version 1.0",
    "version",
    "",
    "anything else",
]
OF_2017 = [
    "version 1.0 graph net(x) -> (y) { " + BODY.format("") + " }",
    "graph net(x) -> (y) { " + BODY.format("") + " }",
    "version 1.0 graph net(x) -> (y) { x = external(shape = [1]); y = idn(x); }",
    "version 1.0 graph net(x) -> (y) { x = external(shape = [1]); y = transpose(x, perm = [0]); }",
    "version 1.0 fragment f(x: tensor) -> (y: tensor) { y = x; } graph n(x) -> (y) { y = f(x); }",
    "version 1.0 fragment f(n: extent) -> (m: extent) { m = n; } graph n(x) -> (y) { y = x; }",
]


@pytest.mark.parametrize("text", TODAY)
def test_present_documents_are_not_recognized_as_provisional(text: str) -> None:
    assert not recognized(Tokens(Source(text)))


@pytest.mark.parametrize("text", OF_2017)
def test_provisional_documents_are_recognized(text: str) -> None:
    assert recognized(Tokens(Source(text)))


def test_a_document_without_its_version_is_read_with_a_warning() -> None:
    report = nk.validate(OF_2017[1])
    assert report.ok
    assert [warning.code for warning in report.warnings] == ["missing-version"]


# -- errors -----------------------------------------------------------------------

F = "fragment f( a: tensor, n: extent = 1 ) -> ( b: tensor ) { b = leaky_relu(a, alpha = 0.5) }\n"

# (section, code, marked text, fragments, body)
WRONG = [
    ("3.1", "syntax", "extent", "", "extent = relu(x)\ny = relu(x)"),
    ("3.2.1", "syntax", "f", "fragment f( a: tensor ) -> ( b: tensor )\n", "y = relu(x)"),
    ("3.2.1", "syntax", "<", "fragment f<?>( a: tensor ) -> ( b: tensor ) { b = a }\n", "y = x"),
    ("3.2.1", "syntax", "integer", "fragment f( n: integer ) -> ( b: tensor ) { b = n }\n", ""),
    ("3.2.2", "syntax", "", "", "a = relu(x\ny = relu(x)"),
    ("3.2.2", "syntax", ")", "", "y = relu(x))"),
    ("3.2.2", "syntax", ",", "", "y = leaky_relu(x), alpha = 0.5)"),
    ("3.2.2", "syntax", "<", "", "y = external<scalar>(shape = [1])"),
    ("3.2.3", "syntax", "for", "", "y = concat([for i in [x] yield i], axis = 1)"),
    ("3.2.3", "syntax", ",", "", "y = concat([i for i in [x], j in [x]], axis = 1)"),
    ("3.2.3", "syntax", "in", "", "y = relu(x) if 1 in [1] else x"),
    ("3.2.4", "unsupported-version", "1.1", None, "y = relu(x)"),
    ("3.3.1", "redefined-operation", "idn", F.replace("f(", "idn("), "y = x"),
    ("3.3.1", "redefined-operation", "relu", F.replace("f(", "relu("), "y = x"),
    ("3.3.1", "redefined-operation", "f", F + F, "y = f(x)"),
    ("3.3.1", "unknown-operation", "gather", "", "y = gather(x, x)"),
    ("3.3.1", "unknown-operation", "copy", "", "y = copy(x)"),
    ("3.3.1", "unknown-operation", "rellu", "", "y = rellu(x)"),
    ("3.3.1", "unknown-argument", "axes", "", "y = transpose(x, axes = [0])"),
    ("3.3.1", "unknown-argument", "groups", "", "y = planewise_conv(x, x, groups = 1)"),
    (
        "3.3.1",
        "unknown-argument",
        "epsilon",
        "",
        "y = l2_normalization(x, axes = [1], epsilon = 1.0)",
    ),
    ("3.3.1", "missing-argument", "transpose", "", "y = transpose(x)"),
    ("3.3.1", "positional-attribute", "[0]", "", "y = transpose(x, [0])"),
    ("3.3.1", "undefined-identifier", "z", "", "y = relu(z)"),
    ("3.3.1", "undefined-identifier", "n", "", "y = transpose(x, perm = [n])"),
    ("3.3.1", "undefined-identifier", "n", "", "y = box(x, size = n)"),
    ("3.3.1", "redefined-identifier", "x", "", "x = relu(x)\ny = relu(x)"),
    ("3.3.1", "assigned-parameter", "a", F.replace("b = l", "a = l"), "y = f(x)"),
    ("3.3.1", "unassigned-result", "", F.replace("b = l", "c = l"), "y = f(x)"),
    ("3.3.1", "operation-in-fragment", "external", F.replace("leaky_relu", "external"), "y = x"),
    ("3.3.2", "type-mismatch", "1.5", F.replace("= 1 ", "= 1.5 "), "y = f(x)"),
    ("3.3.2", "type-mismatch", "3", F, "y = f(3)"),
    ("3.3.2", "type-mismatch", "'a'", F, "y = f('a')"),
    ("3.3.2", "type-mismatch", "1", "", "y = leaky_relu(x, alpha = 1)"),
    ("3.3.2", "type-mismatch", "x", "", "y = select(x, x, x)"),
    ("3.3.2", "type-mismatch", "a", F.replace("leaky_relu(a, alpha = 0.5)", "not(a)"), "y = f(x)"),
    (
        "3.3.3",
        "endless-recursion",
        "f(a)",
        F.replace("leaky_relu(a, alpha = 0.5)", "f(a)"),
        "y = f(x)",
    ),
    ("4.1.1", "open-extent", "shape = [1, 0]", "", "y = external(shape = [1, 0])"),
    (
        "4.1.3",
        "label-case",
        "label = 'V'",
        "",
        "v = variable(shape = [1], label = 'v')\nw = variable(shape = [1], label = 'V')\n"
        "y = add(v, w)",
    ),
    ("4.6", "invalid-argument", "x", "", "y = matmul(x, x)"),
]


@pytest.mark.parametrize(("section", "code", "place", "fragments", "body"), WRONG)
def test_errors_are_reported_at_their_position(
    section: str, code: str, place: str, fragments: str | None, body: str
) -> None:
    assert section
    version = "1.1" if fragments is None else "1.0"
    text = f"version {version}\n{fragments or ''}{GRAPH}    {body}\n}}\n"
    report = nk.validate(text)
    found = [error for error in report.errors if error.code == code]
    assert found, [str(error) for error in report.errors]
    assert found[0].span is not None
    assert found[0].line is not None
    pointed = text[found[0].span.start : found[0].span.end]
    assert pointed == place or not place


def test_everything_is_reported_once() -> None:
    body = "a = relu(x\nb = gather(a, a)\nc = rellu(b)\ny = relu(c))"
    text = f"version 1.0\n{GRAPH}{body}\n}}"
    report = nk.validate(text)
    reported = [(error.line, error.code) for error in report.errors]
    assert reported == [
        (5, "syntax"),
        (6, "unknown-operation"),
        (7, "unknown-operation"),
        (8, "syntax"),
    ]


def test_messages_use_the_type_names_of_2017() -> None:
    (error,) = nk.validate(f"version 1.0\n{GRAPH}    y = softmax(x, axes = [1.0])\n}}").errors
    assert error.message == "'axes' of 'softmax' must be extent[], not scalar[]"
    (error,) = nk.validate(f"version 1.0\n{GRAPH}    y = relu('x')\n}}").errors
    assert error.message == "'x' of 'relu' must be tensor, not string"


def test_an_open_batch_extent_is_read_as_1() -> None:
    text = "version 1.0\ngraph net( x ) -> ( y )\n{ x = external(shape = [0, 3])\n y = relu(x) }"
    report = nk.validate(text)
    assert [warning.code for warning in report.warnings] == ["open-extent"]
    assert nk.infer_shapes(nk.parse(text), x=[5, 3]).tensors["y"].shape == (5, 3)


def test_an_external_that_the_graph_does_not_list_becomes_an_input() -> None:
    text = f"version 1.0\n{GRAPH}    z = external(shape = [1])\n    y = add(x, z)\n}}"
    assert nk.parse(text).inputs == ("x", "z")


def test_expressions_in_the_graph_are_read_with_one_warning() -> None:
    text = f"version 1.0\n{GRAPH}    z = relu(relu(x))\n    y = x + z\n}}"
    report = nk.validate(text)
    assert report.ok
    assert [warning.code for warning in report.warnings] == ["graph-not-flat"]


def test_unknown_operations_are_retained_unless_strict() -> None:
    graph = nk.parse(f"version 1.0\n{GRAPH}    y = vendor(x, mode = 'fast')\n}}", strict=False)
    assert [operation.name for operation in graph.operations] == ["external", "vendor"]


def test_labels_are_checked_when_fragments_repeat_them() -> None:
    # Two variables of one label are one variable, in 2017 as in 1.0 (4.1.3).
    fragment = (
        "fragment f( a: tensor ) -> ( b: tensor )\n{ b = a * variable(shape = [1], label = 'w') }\n"
    )
    graph = nk.parse(f"version 1.0\n{fragment}{GRAPH}    z = f(x)\n    y = f(z)\n}}")
    assert [variable.label for variable in graph.variables] == ["w", "w"]


# -- quantization files ----------------------------------------------------------------------------

QUANTIZED = f"version 1.0\n{GRAPH}    y = relu(x)\n}}"


def test_provisional_quantization_files_are_read() -> None:
    quantization = (
        "'x': linear_quantize(min = -2.0, max = 2.5, bits = 8)\n"
        '"y": quantize_linear(min = 0.0,\n'
        "     max = constant(shape = [1, 3], value = [1.0, 2.0, 3.0]), bits = 8)\n"
    )
    graph = nk.parse(QUANTIZED, quantization)
    assert graph.tensors["x"].quantization == {
        "op-name": "min_max_linear_quantize",
        "min": -2.0,
        "max": 2.5,
        "bits": 8,
        "signed": False,
        "symmetric": False,
    }
    found = graph.tensors["y"].quantization
    assert found is not None
    assert found["max"] == [[1.0, 2.0, 3.0]]


def test_changes_of_quantization_files_are_noted() -> None:
    _, found = language.parse(
        QUANTIZED, quantization="'x': quantize_linear(min = -2.0, max = 2.5, bits = 8)"
    )
    reported = [(d.severity, d.line, d.column, d.message) for d in found if d.file == "graph.quant"]
    assert reported == [
        ("note", 1, 6, "'quantize_linear' is called 'min_max_linear_quantize' since 1.0"),
        ("note", 1, 53, "lines end with a semicolon since 1.0"),
    ]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("'x': logarithmic_quantize(max = 2.0, bits = 8)", "no-equivalent"),
        ("'x': linear_quantize(min = -2.0, bits = 8)", "missing-argument"),
        ("'x': linear_quantize(-2.0, max = 2.0, bits = 8)", "positional-argument"),
        ("'x': linear_quantize(min = -2.0, max = 2.0, bits = 8.0)", "type-mismatch"),
        ("'z': linear_quantize(min = -2.0, max = 2.0, bits = 8)", "unknown-tensor"),
        ("'x': linear_quantize(min = -2.0, max = 2.0, bits = 8", "syntax"),
        ("x: linear_quantize(min = -2.0, max = 2.0, bits = 8)", "syntax"),
        ("'x': relu(min = -2.0, max = 2.0, bits = 8)", "unknown-operation"),
        ("'x': linear_quantize(min = y, max = 2.0, bits = 8)", "not-constant"),
        (
            "'x': linear_quantize(min = constant(shape = [2], value = [1.0]), max = 9.0, bits = 8)",
            "",
        ),
        (
            "'x': linear_quantize(min = constant(shape = [0], value = []), max = 9.0, bits = 8)",
            "not-constant",
        ),
    ],
)
def test_errors_in_quantization_files_are_reported(line: str, code: str) -> None:
    good = "'y': linear_quantize(min = -2.0, max = 2.0, bits = 8)"
    graph, found = language.parse(QUANTIZED, quantization=f"{line}\n{good}\n")
    errors = [d for d in found if d.severity == "error"]
    assert {code} - {""} <= {error.code for error in errors}
    assert bool(errors) == bool(code)
    assert graph is not None
    assert graph.tensors["y"].quantization, "the other lines are read"


# -- hostile texts ---------------------------------------------------------------------------------

START = "version 1.0\ngraph net( x ) -> ( y )\n{\n    x = external(shape = [1])\n"
HOSTILE = {
    "nested arrays": lambda n: f"{START} y = {'[' * n}{']' * n}\n}}",
    "nested parentheses": lambda n: f"{START} y = {'(' * n}x{')' * n}\n}}",
    "open calls": lambda n: f"{START} y = {'relu(' * n}x\n}}",
    "long left-hand sides": lambda n: f"{START}{'a, ' * n}y = relu(x)\n}}",
    "many equals signs": lambda n: f"{START}{'a, b = ' * n}\n}}",
    "groups in a row": lambda n: f"{START}{'[a] ' * n}= x\n}}",
    "groups and commas": lambda n: f"{START}{'[a], ' * n}= x\n}}",
    "nested groups": lambda n: f"{START}{'(' * n}a{')' * n} = x\n}}",
    "subscripts": lambda n: f"{START} y = x{'[0]' * n}\n}}",
    "long sums": lambda n: f"{START} y = x{' + x' * n}\n}}",
    "braces": lambda n: "version 1.0 graph g(x) -> (y) " + "{ a = b } " * n,
    "array types": lambda n: (
        f"version 1.0 fragment f( a: tensor{'[]' * n} ) -> ( b: tensor ) {{ b = a }}\n"
        f"{START} y = f({'[' * n}x{']' * n})\n}}"
    ).replace("\nversion 1.0", "\n"),
    "tuple types": lambda n: (
        f"version 1.0 fragment f( a: {'(' * n}tensor{',extent)' * n} ) -> ( b: tensor )\n"
        "{ b = a }\n"
        f"{START} y = f({'(' * n}x{',1)' * n})\n}}"
    ).replace("\nversion 1.0", "\n"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts_end_in_a_report_in_linear_time(kind: str) -> None:
    seconds = []
    for count in (1_000, 4_000):
        text = HOSTILE[kind](count)
        assert recognized(Tokens(Source(text)))
        _, diagnostics = language.parse(text, infer=known_shapes)
        assert diagnostics
        parse = partial(language.parse, text, infer=known_shapes)
        seconds.append(least_seconds(parse, tries=2))
    # Four times the text; quadratic time would be 16 times as much.
    assert seconds[1] < 10 * seconds[0] + 0.1


@pytest.mark.parametrize(
    "body",
    [
        "y = concat([x] * 200000, axis = 5)",
        "y = concat([x], axis = 1000000000)",
        "[y] = split(x, axis = 1000000000, ratios = [1])",
        "y = f(a = [x] * 200000)",
        "y = g([x] * 3)",
    ],
)
def test_short_texts_cannot_cause_endless_work(body: str) -> None:
    fragments = (
        "fragment f( a: tensor[] ) -> ( b: tensor )\n"
        "{ b = a[0] if length_of(a) == 1 else f(a[1:]) }\n"
        "fragment g( a: tensor[] ) -> ( b: tensor ) { b = g(a * 2) }\n"
    )
    start = time.process_time()
    language.parse(f"version 1.0\n{fragments}{GRAPH}    {body}\n}}", infer=known_shapes)
    assert time.process_time() - start < 20


DOCUMENTS = [path.read_text("ascii") for path in sorted(FOLDER.glob("*_2017.nnef"))]
PIECES = [
    *"()[]{}=,;:<>+-*/^!?#'\"\\\n",
    *["->", "==", "for", "in", "if", "else", "yield", "tensor", "extent", "integer", "scalar"],
    *["fragment", "graph", "version", "1.0", "shape_of(x)", "external", "variable", "update", "é"],
    *["split(x, axis = 0, ratios = [1])", "99999999999999999999", "1e999", "extension", "idn(x)"],
]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_invalid_documents_never_cause_a_traceback(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(DOCUMENTS))
    tokens = Tokens(Source(text))
    places = st.integers(0, tokens.count - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        tokens = Tokens(Source(text))
        if not tokens.count:
            break
        at = min(data.draw(places), tokens.count - 1)
        span = tokens.span(at, min(at + data.draw(st.integers(1, 5)), tokens.count))
        piece = data.draw(st.sampled_from(["", " ", *PIECES]))
        text = text[: span.start] + piece + text[span.end :]
    report = nk.validate(text)
    for diagnostic in report.diagnostics:
        assert diagnostic.line is None or diagnostic.line >= 1
        assert str(diagnostic)
    if report.ok and report.graph is not None:
        assert nk.validate(str(nk.parse(text))).ok, "what is valid is valid when it is saved"

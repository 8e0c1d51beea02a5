"""The lexical elements of section 3.1, where they are valid."""

from __future__ import annotations

import pytest

from nnefkit.language import parse

HEAD = "version 1.0; graph net(x) -> (y) { x = external(shape = [1, 2, 3, 4]); "

NUMBERS = [
    ("0.5", 0.5),
    ("-0.5", -0.5),
    ("007.250", 7.25),
    ("1e3", 1000.0),
    ("1E3", 1000.0),
    ("1e+3", 1000.0),
    ("12.5e-1", 1.25),
    ("-1e-3", -0.001),
    ("0.1", 0.1),
    ("1e-320", 1e-320),
    ("123456789.123456789", 123456789.123456789),
]


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_numbers_with_a_point_or_an_exponent_are_scalars(text, value):
    graph, diagnostics = parse(HEAD + f"y = leaky_relu(x, alpha ={text}); }}")
    assert diagnostics == []
    assert graph is not None
    alpha = graph.operations[1].attribs["alpha"]
    assert (type(alpha), alpha) == (float, value)


INTEGERS = [
    ("0", 0),
    ("-1", -1),
    ("007", 7),
    ("9223372036854775807", 2**63 - 1),
    ("-9223372036854775808", -(2**63)),
    ("000000000000000000000000000001", 1),
]


@pytest.mark.parametrize(("text", "value"), INTEGERS)
@pytest.mark.parametrize("space", ["", " ", "  ", "\n\t"])
def test_numbers_without_are_integers_of_64_bits(text, value, space):
    graph, diagnostics = parse(HEAD + f"y = reshape(x, shape = [{space}{text},{space}{text}]); }}")
    assert diagnostics == []
    assert graph is not None
    shape = graph.operations[1].attribs["shape"]
    assert shape == [value, value]
    assert type(shape[0]) is int


STRINGS = [
    ("'plain'", "plain"),
    ('"double"', "double"),
    ("''", ""),
    (r"'it\'s'", "it's"),
    (r'"say \"no\""', 'say "no"'),
    ("'say \"no\"'", 'say "no"'),
    ('"it\'s"', "it's"),
    (r"'a\\b'", r"a\b"),
    (r"'\\'", "\\"),
    (r"'\\\''", "\\'"),
    ("'# no comment'", "# no comment"),
    ("'; } { [ ( '", "; } { [ ( "),
    ("'~!@#$%^&*()_+`|'", "~!@#$%^&*()_+`|"),
]


@pytest.mark.parametrize(("text", "value"), STRINGS)
def test_string_escapes_are_resolved(text, value):
    graph, diagnostics = parse(HEAD + f"y = variable(shape = [1], label = {text}); }}")
    assert diagnostics == []
    assert graph is not None
    assert graph.operations[1].attribs["label"] == value


@pytest.mark.parametrize("space", [" ", "\t", "\v", "\f", "\n", "\r\n", "\r", " \t\v\f\n\r "])
def test_white_space_is_allowed_between_any_two_tokens(space):
    tokens = (
        "version 1.0 ; graph net ( x ) -> ( y ) { x = external < scalar > ( shape = [ 1 , 2 ] ) ; "
        "y = pad ( x , padding = [ ( 1 , -2 ) ] , border = 'constant' ) ; }"
    )
    graph, diagnostics = parse(space + tokens.replace(" ", space) + space)
    assert diagnostics == []
    assert graph is not None
    assert graph.operations[1].attribs["padding"] == [(1, -2)]


def test_white_space_is_optional_between_distinct_tokens():
    graph, diagnostics = parse(
        "version 1.0;graph net(x)->(y){x=external<scalar>(shape=[1,2]);y=pad(x,padding=[(1,-2)]);}"
    )
    assert diagnostics == []
    assert graph is not None
    assert graph.operations[1].attribs["padding"] == [(1, -2)]


@pytest.mark.parametrize("end", ["\n", "\f", "\r\n"])
def test_comments_end_with_their_line(end):
    text = HEAD + f"# y = nothing(x); 'é \" {end} y = relu(x); }} # the end"
    graph, diagnostics = parse(text)
    assert diagnostics == []
    assert graph is not None
    assert graph.operations[1].name == "relu"


def test_identifiers_can_begin_with_keywords_and_underscores():
    body = (
        "_ = relu(x); _1 = relu(x); for_ = relu(x); iff = relu(x); trueish = relu(x); Y9 = relu(_);"
    )
    graph, diagnostics = parse(HEAD + body + " y = relu(Y9); }")
    assert diagnostics == []
    assert graph is not None
    assert [op.output_names[0] for op in graph.operations[1:-1]] == [
        "_",
        "_1",
        "for_",
        "iff",
        "trueish",
        "Y9",
    ]


KEYWORDS = (
    "version extension graph fragment tensor integer scalar logical string "
    "shape_of length_of range_of for in yield if else"
)


@pytest.mark.parametrize("keyword", KEYWORDS.split())
def test_keywords_are_not_identifiers(keyword):
    _, diagnostics = parse(HEAD + f"y = relu(x); {keyword} = relu(x); }}")
    assert diagnostics
    assert {d.code for d in diagnostics} == {"syntax"}


@pytest.mark.parametrize("text", ["true", "false"])
def test_logical_literals(text):
    graph, diagnostics = parse(HEAD + f"y = matmul(x, x, transposeA = {text}); }}")
    assert diagnostics == []
    assert graph is not None
    assert graph.operations[1].attribs["transposeA"] is (text == "true")


def test_spans_count_every_character():
    text = HEAD + "# ü\n\f\n  z =\n relu( x ) ; y = relu(z); }"
    graph, _ = parse(text)
    assert graph is not None
    span = graph.operations[1].span
    assert span is not None
    assert text[span.start : span.end] == "z =\n relu( x )"

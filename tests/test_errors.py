"""Diagnostics point at the right place, and errors carry them through everything."""

import inspect
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnefkit as nk
import nnefkit.errors
from nnefkit.errors import (
    ArgumentError,
    Diagnostic,
    DocumentError,
    InputError,
    MissingPackageError,
    NnefError,
    Source,
    Span,
    UnknownNameError,
    did_you_mean,
)

FAMILY = [
    kind
    for _, kind in inspect.getmembers(nnefkit.errors, inspect.isclass)
    if issubclass(kind, NnefError)
]


@given(st.text(st.sampled_from("ab\n\r é"), max_size=40), st.data())
def test_line_and_column_are_where_the_character_is(text, data):
    offset = data.draw(st.integers(0, len(text)))
    source = Source(text)
    line, column = source.position(offset)
    before = text[:offset]
    assert line == before.count("\n") + 1
    assert column == len(before) - (before.rfind("\n") + 1) + 1
    assert source.line_count == text.count("\n") + 1
    assert source.line(line) == text.split("\n")[line - 1].rstrip("\r\n")


def test_a_diagnostic_shows_its_line_with_a_caret():
    source = Source("version 1.0;\r\n\ty = reluu(x);\r\n", "net/graph.nnef")
    start = source.text.index("reluu")
    found = source.diagnostic(
        "unknown-operation",
        "there is no operation 'reluu'",
        Span(start, start + 5),
        hint="Did you mean 'relu'?",
        section="3.3.2",
    )
    assert (found.line, found.column, found.excerpt) == (2, 6, "\ty = reluu(x);")
    lines = str(found).splitlines()
    assert lines[0] == "error[unknown-operation]: there is no operation 'reluu'"
    assert lines[1].endswith("net/graph.nnef:2:6")
    excerpt, caret = lines[3:5]
    assert caret.index("^") == excerpt.index("reluu")
    assert caret.count("^") == 5
    assert "Did you mean 'relu'?" in lines[5]
    assert "3.3.2" in lines[6]


def test_a_diagnostic_without_a_place_names_the_file():
    found = Source("", "graph.nnef").diagnostic("empty", "the document is empty", None)
    assert (found.line, found.column, found.span) == (None, None, None)
    assert "graph.nnef" in str(found)
    assert "net.tgz" in str(found.within("net.tgz"))


def test_a_diagnostic_at_the_end_of_the_text_has_a_place():
    source = Source("graph g")
    found = source.diagnostic("unexpected-end", "the text ends", Span(7, 7))
    assert (found.line, found.column) == (1, 8)
    assert "^" in str(found)


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_has_all_its_diagnostics_in_its_text(kind):
    two = [Diagnostic("first", "one thing", hint="fix it"), Diagnostic("second", "another")]
    error = kind(two)
    assert error.diagnostics == tuple(two)
    assert "one thing" in str(error)
    assert "fix it" in str(error)
    assert "another" in str(error)
    assert not str(error).startswith(("'", '"'))


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_is_made_from_a_sentence_as_well(kind):
    error = kind("something is wrong", hint="fix it", file="net/x.dat", section="5.2")
    (found,) = error.diagnostics
    assert found == Diagnostic(
        kind.code, "something is wrong", "error", "net/x.dat", hint="fix it", section="5.2"
    )
    assert "net/x.dat" in str(error)


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_survives_pickling(kind):
    error = kind("x is wrong", hint="fix it")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert again.diagnostics == error.diagnostics
    assert str(again) == str(error)


def test_codes_distinguish_the_kinds_of_errors():
    codes = [kind.code for kind in FAMILY]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [(InputError, ValueError), (UnknownNameError, KeyError), (MissingPackageError, ImportError)],
)
def test_errors_are_caught_as_python_users_expect(kind, builtin):
    with pytest.raises(builtin, match="this is wrong"):
        raise kind("this is wrong")


def test_argument_errors_know_the_argument_of_each_diagnostic():
    two = [Diagnostic("a", "a"), Diagnostic("b", "b")]
    assert ArgumentError(two, arguments=["stride", ""]).arguments == ("stride", "")
    assert ArgumentError(two, argument="stride").arguments == ("stride", "stride")
    assert ArgumentError("x").arguments == ("",)
    again = pickle.loads(pickle.dumps(ArgumentError(two, arguments=["stride", ""])))
    assert again.arguments == ("stride", "")


def test_a_document_error_of_many_diagnostics_keeps_their_order():
    many = [Diagnostic(f"code{i}", f"message {i}") for i in range(20)]
    text = str(DocumentError(many))
    places = [text.index(f"message {i}") for i in range(20)]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("reluu", ["relu", "elu", "selu"], "Did you mean 'relu'?"),
        ("Relu", ["elu", "relu"], "Did you mean 'relu'?"),
        ("bordr", ["border", "padding"], "Did you mean 'border'?"),
        ("conv1/Filter", ["Conv1/filter"], "Did you mean 'Conv1/filter'?"),
        ("q", ["relu"], ""),
        ("relu", [], ""),
        ("", ["relu"], ""),
    ],
)
def test_the_nearest_name_is_proposed(name, known, expected):
    assert did_you_mean(name, known) == expected


def test_a_sea_of_names_is_not_searched_to_its_end():
    looked_at = 0

    def names():
        nonlocal looked_at
        while True:
            looked_at += 1
            yield f"tensor{looked_at}"

    assert did_you_mean("tensor_1", names()) == "Did you mean 'tensor1'?"


GRAPH = "version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = relu(x); }"


@pytest.mark.parametrize(
    "call",
    [
        lambda graph: nk.load("nowhere.nnef"),
        lambda graph: nk.run(graph, [[1.0], [2.0, 3.0]]),
        lambda graph: nk.run(graph, np.zeros(3)),
        lambda graph: nk.run(graph, np.zeros(2), engine="nunpy"),
        lambda graph: nk.compare({"x": [[1.0], [2.0, 3.0]]}, {"x": np.zeros(2)}),
        lambda graph: nk.compare({"x": "text"}, {"x": np.zeros(2)}),
        lambda graph: next(nk.step(graph, np.zeros(2))).outputs.update(y=[[1.0], [2.0, 3.0]]),
        lambda graph: nk.step(graph, np.zeros(2))["y"],
        lambda graph: nk.trace_many(graph, [np.zeros(2), np.zeros(3)]),
        lambda graph: nk.trace(graph, np.zeros(2))["z"],
        lambda graph: graph.tensor("z"),
        lambda graph: nk.plot.comparison(3),
        lambda graph: nk.read_tensor("nowhere.dat"),
    ],
)
def test_an_error_has_no_cause_of_our_own(call) -> None:
    """Python would print the cause first: a second error, which only explains our insides."""
    with pytest.raises(NnefError) as caught:
        call(nk.parse(GRAPH))
    cause, is_hidden = caught.value.__cause__, caught.value.__suppress_context__
    assert isinstance(cause, OSError | None)
    assert is_hidden or caught.value.__context__ is None

"""Extensions (3.2.4): those of vendors are stored as they are written, and saved so."""

import pytest

import nnefkit as nk
from nnefkit import language

GRAPH = "graph g( x ) -> ( y ) { x = external(shape = [1, 2]); y = relu(x); }"

WRITTEN = [
    ("extension VENDOR_a;", ["VENDOR_a"]),
    ("extension tract_registry tract_core;", ["tract_registry tract_core"]),
    (
        "extension tract_registry tract_transformers; extension tract_registry tract_core;",
        ["tract_registry tract_transformers", "tract_registry tract_core"],
    ),
    ("extension tract_symbol B; extension tract_symbol S;", ["tract_symbol B", "tract_symbol S"]),
    ("extension tract_assert T>=0;", ["tract_assert T>=0"]),
    ("extension tract_assert B * min(S, 4)  < 8;", ["tract_assert B * min(S, 4) < 8"]),
    ("extension VENDOR_a # of ours\n  B;", ["VENDOR_a B"]),
    ("extension VENDOR_a, EXT_b;", ["VENDOR_a", "EXT_b"]),
    ("extension VENDOR_a; extension EXT_b 2018; ", None),
    ("extension VENDOR_a; extension VENDOR_a;", ["VENDOR_a"]),
]


@pytest.mark.parametrize(("written", "expected"), WRITTEN)
def test_statements_of_vendors_are_retained_word_for_word(written, expected):
    graph, diagnostics = language.parse(f"version 1.0; {written} {GRAPH}")
    if expected is None:
        assert [d.code for d in diagnostics if d.severity == "error"] == ["syntax"]
        return
    assert {d.severity for d in diagnostics} == {"note" if "tract" in written else "warning"}
    assert list(graph.extensions) == expected
    lines = [line for line in str(graph).splitlines() if line.startswith("extension")]
    assert lines == [f"extension {text};" for text in expected]
    assert nk.parse(str(graph)).extensions == graph.extensions
    formatted = nk.parse(nk.format(str(graph))).extensions
    assert [t.replace(" ", "") for t in formatted] == [t.replace(" ", "") for t in expected]


def test_a_statement_of_a_vendor_has_one_warning_for_all_of_it():
    _, diagnostics = language.parse(f"version 1.0; extension VENDOR_a  fast; {GRAPH}")
    (warning,) = diagnostics
    assert warning.code == "unknown-extension"
    assert "'VENDOR_a fast'" in warning.message
    assert (warning.span.start, warning.span.end) == (23, 37)


@pytest.mark.parametrize(
    "written",
    [
        "extension KHR_enable_fragment_definitions KHR_enable_operator_expressions;",
        "extension KHR_enable_fragment_definitions, KHR_enable_operator_expressions;",
        "extension KHR_enable_fragment_definitions KHR_enable_operator_expressions VENDOR_a b;",
        "extension VENDOR_a KHR_enable_operator_expressions KHR_enable_fragment_definitions;",
    ],
)
def test_a_line_enables_all_extensions_of_khronos_in_it(written):
    fragment = "fragment f( a: tensor<scalar> ) -> ( b: tensor<scalar> ) { b = a + a; }"
    text = f"version 1.0; {written} {fragment} {GRAPH.replace('relu', 'f')}"
    graph = nk.parse(text, expand=False)
    assert nk.parse(str(graph), expand=False).declarations == graph.declarations
    vendors = [text for text in graph.extensions if not text.startswith("KHR_")]
    assert vendors in ([], ["VENDOR_a b"], [written[len("extension ") : -1]])


@pytest.mark.parametrize(
    "written",
    ["extension ;", "extension VENDOR_a,;", "extension tract_assert T >= 0", "extension 'a';"],
)
def test_what_does_not_follow_the_grammar_is_refused(written):
    _, diagnostics = language.parse(f"version 1.0; {written} {GRAPH}")
    assert [d.code for d in diagnostics if d.severity == "error"] == ["syntax"]


@pytest.mark.parametrize("end", ["\n", "\r\n\r\n", " # of 2018\n", " "])
def test_a_version_without_a_semicolon_is_read_with_a_warning(end):
    graph, diagnostics = language.parse(f"version 1.0{end}{GRAPH}")
    assert [(d.code, d.severity) for d in diagnostics] == [("version-without-semicolon", "warning")]
    assert diagnostics[0].column == len("version 1.0") + 1
    assert str(graph).startswith("version 1.0;\n")

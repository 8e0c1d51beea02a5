"""A diagnostic points at its place in any line."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timing import assert_quick

from nnefkit.display.excerpt import marked_excerpt
from nnefkit.display.visible_text import printable, width
from nnefkit.errors import Diagnostic, Source, Span

DOCUMENT = "version 1.0;\n\tconv1 = conv(input, filter, bordr = 'ignore');\n"


def text_lines(text, start, end, **more):
    return str(Source(text).diagnostic("code", "message", Span(start, end), **more)).splitlines()


def test_a_diagnostic_has_severity_code_place_excerpt_hint_and_section():
    start = DOCUMENT.index("bordr")
    lines = text_lines(
        DOCUMENT, start, start + 5, severity="warning", hint="First.\nSecond.", section="3.3.2"
    )
    assert lines == [
        "warning[code]: message",
        "  --> graph.nnef:2:30",
        "  |",
        "2 |     conv1 = conv(input, filter, bordr = 'ignore');",
        "  |                                 ^^^^^",
        "  = hint: First.",
        "          Second.",
        "  = section 3.3.2 of NNEF 1.0.5",
    ]


def test_without_a_place_only_the_file_is_named():
    lines = str(Diagnostic("missing-file", "no file", file="model/a.dat"))
    assert lines == "error[missing-file]: no file\n --> model/a.dat"


def test_the_end_of_a_document_can_be_pointed_at():
    lines = text_lines("graph g", 7, 7)
    assert lines[-2:] == ["1 | graph g", "  |        ^"]


def test_wide_characters_move_the_caret_by_two_columns():
    text = "標 = conv(標, filter);"
    start = text.index("filter")
    *_, line, caret = text_lines(text, start, start + 6)
    assert width(line[: line.index("filter")]) == caret.index("^")


def test_a_very_long_line_is_cut_around_the_caret_quickly():
    text = "a" * 5_000_000 + "bordr" + "b" * 5_000_000
    source = Source(text)
    found = source.diagnostic("code", "message", Span(5_000_000, 5_000_005))
    *_, line, caret = assert_quick(lambda: str(found), 0.1).splitlines()
    assert len(line) < 120
    assert line[caret.index("^") :].startswith("bordrbb")
    assert caret.count("^") == 5


def test_a_mark_longer_than_the_window_still_shows_its_beginning():
    *_, line, caret = text_lines("x = " + "y" * 1000, 4, 1004)
    assert line[caret.index("^")] == "y"
    assert 40 < caret.count("^") < 100


@given(st.text(max_size=300), st.integers(0, 310), st.integers(0, 310))
def test_no_line_smuggles_control_characters_into_a_terminal(line, column, length):
    marked = marked_excerpt(line, column + 1, length)
    for part in (marked.before, marked.marked, marked.after):
        assert part.isprintable()
    assert marked.indent == width(marked.before)
    assert marked.length >= 1


@given(
    st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=400),
    st.data(),
)
def test_the_marked_part_is_what_the_span_names(line, data):
    start = data.draw(st.integers(0, len(line) - 1))
    length = data.draw(st.integers(1, min(30, len(line) - start)))
    marked = marked_excerpt(line, start + 1, length)
    assert marked.marked == line[start : start + length]
    assert marked.before.lstrip("…") == line[:start][-len(marked.before.lstrip("…")) or start :]
    assert len(marked.line) <= 98


@given(st.text())
def test_printable_text_shows_hidden_characters(text):
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    if all(unicodedata.category(c)[0] in "LNPS" and c not in BLANK for c in text):
        assert shown == text


BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols that nothing is drawn for."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("na\u0308me", "na\u0308me"),
        ("a" + "\u0301" * 6, "a" + "\u0301" * 4 + r"\u0301" * 2),
        ("name\u3164", r"name\u3164"),
        ("name\ufe0f", r"name\ufe0f"),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
        ("a\u034fb\u2800", r"a\u034fb\u2800"),
        ("\u202ea\u2066", r"\u202ea\u2066"),
        ("\udc80", r"\udc80"),
    ],
)
def test_names_that_look_alike_are_told_apart(text, shown):
    assert printable(text) == shown

"""The source in a report has marks in their places, with windows around them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from timing import assert_quick

import nnefkit as nk
from nnefkit.analysis.validation import ValidationReport
from nnefkit.display.html import BUDGET
from nnefkit.errors import Diagnostic, Source, Span

NAME = "graph.nnef"


def row(line: int, column: int, length: int = 3, **more: Any) -> Diagnostic:
    facts = {"code": "wrong", "message": f"wrong in {line}:{column}", "file": NAME, **more}
    return Diagnostic(**facts, line=line, column=column, span=Span(0, length))


def report(lines: list[str], *rows: Diagnostic) -> ValidationReport:
    return ValidationReport(NAME, rows, source=Source("\n".join(lines) + "\n", NAME))


def shown(of: ValidationReport) -> list[str]:
    """The lines of the source in the HTML, as a reader sees them."""
    page = of._repr_html_()
    found = re.search(
        r"<details[^>]*><summary[^>]*>(.*?)</summary>.*?<pre[^>]*>(.*?)</pre>", page, re.S
    )
    if found is None:
        return []
    title, listing = (unescape(re.sub(r"<[^>]*>", "", part)) for part in found.groups())
    return [title, *listing.split("\n")]


def numbered(lines: list[str]) -> list[int]:
    """The line numbers in a listing."""
    return [int(line.split("│")[0]) for line in lines if re.match(r" *\d+ │", line)]


def test_a_message_is_below_its_line_with_a_caret_below_its_span() -> None:
    lines = shown(report(["a = 1;", "bad = foo;", "c = 2;"], row(2, 7)))
    assert lines == [
        "Source graph.nnef, 3 lines, 1 mark",
        "1 │ a = 1;",
        "2 │ bad = foo;",
        "  │       ^^^ error: wrong in 2:7",
        "3 │ c = 2;",
    ]


def test_marks_are_colored_by_severity() -> None:
    page = report(
        ["one two;"], row(1, 1), row(1, 5, severity="warning", message="so so")
    )._repr_html_()
    styles = dict(re.findall(r'<span style="([^"]*)">(one|two)</span>', page.split("<details")[1]))
    assert len(styles) == 2
    assert {word: style for style, word in styles.items()}.keys() == {"one", "two"}


def test_several_marks_in_a_line_share_it() -> None:
    lines = shown(report(["aaa bbb ccc"], row(1, 9), row(1, 1), row(1, 5)))
    assert lines[1:] == [
        "1 │ aaa bbb ccc",
        "  │ ^^^ error: wrong in 1:1",
        "  │     ^^^ error: wrong in 1:5",
        "  │         ^^^ error: wrong in 1:9",
    ]


@pytest.mark.parametrize(
    "spans", [((1, 8), (3, 2)), ((1, 3), (1, 3)), ((2, 90), (4, 90)), ((11, 1),)]
)
def test_marks_that_overlap_or_end_after_the_line_leave_it_whole(
    spans: tuple[tuple[int, int], ...],
) -> None:
    lines = shown(report(["aaa bbb ccc"], *(row(1, *span) for span in spans)))
    assert lines[1] == "1 │ aaa bbb ccc"
    assert len(lines) == 2 + len(spans)


def test_long_documents_are_shown_in_windows_with_counts_of_hidden_lines() -> None:
    lines = shown(
        report([f"line {i};" for i in range(1, 501)], row(100, 1), row(105, 1), row(400, 1))
    )
    assert lines[0] == "Source graph.nnef, 19 of 500 lines, 3 marks"
    assert numbered(lines) == [*range(97, 109), *range(397, 404)]
    left_out = [
        int(found[1].replace(",", "")) for found in map(_NOT_SHOWN.fullmatch, lines) if found
    ]
    assert left_out == [96, 288, 97]
    assert sum(left_out) + len(numbered(lines)) == 500


_NOT_SHOWN = re.compile(r" *⋮ +([\d,]+) lines? not shown")


def test_a_gap_of_one_line_is_filled() -> None:
    lines = shown(report([f"line {i};" for i in range(1, 501)], row(100, 1), row(108, 1)))
    assert numbered(lines) == [*range(97, 112)]


def test_lines_are_numbered_as_in_diagnostics_for_any_line_ends() -> None:
    text = "a;\r\nb;\x0cc;\x0b\x1c\r\n\u2028d;\nbad"
    of = ValidationReport(NAME, (row(4, 1),), source=Source(text, NAME))
    assert "4 │ bad" in shown(of)


def test_each_mark_in_a_very_long_line_has_its_own_part() -> None:
    line = "x" * 500_000 + "foo" + "y" * 500_000 + "bar" + "z" * 500_000
    lines = shown(report([line], row(1, 500_001), row(1, 1_000_004)))
    assert len(lines) == 5
    for mark, caret, word in ((1, 2, "foo"), (3, 4, "bar")):
        at = lines[caret].index("^^^")
        assert lines[mark][at : at + 3] == word
        assert len(lines[mark]) < 200


def test_diagnostics_about_other_files_are_not_marked() -> None:
    other = row(1, 1, file="graph.quant")
    assert shown(report(["a;"], other)) == []
    assert shown(report(["a;"], other, row(1, 1)))[0].endswith("1 mark")


def test_text_has_the_excerpts_and_no_second_source() -> None:
    of = report(["a = 1;", "bad = foo;"], row(2, 7))
    assert "Source" not in repr(of)


def test_the_budget_is_respected() -> None:
    lines = [f"    tensor{i} = conv(tensor{i - 1}, <&>'\"'<&>);" + "#" * 200 for i in range(20_000)]
    rows = [row(i + 1, 5, 1000, message="<&>" * 500) for i in range(0, 20_000, 7)]
    page = assert_quick(report(lines, *rows)._repr_html_, 1)
    assert len(page.encode()) <= BUDGET


def test_many_marks_are_counted() -> None:
    title = shown(report(["a;"] * 5000, *(row(i, 1) for i in range(1, 5000, 40))))[0]
    assert title.endswith(" of 5,000 lines, 60 of 125 marks")


# -- with real reports -------------------------------------------------------------------------

BROKEN = (
    "version 1.0;\ngraph g(x) -> (y)\n{\n    x = external(shape = [1]);\n    y = reluu(x);\n}\n"
)


def test_invalid_texts_and_files_show_their_source(tmp_path) -> None:
    path = tmp_path / "graph.nnef"
    path.write_text(BROKEN)
    for found in (nk.validate(BROKEN), nk.validate(path), nk.validate(tmp_path)):
        page = unescape(re.sub(r"<[^>]*>", "", found._repr_html_()))
        assert "y = reluu(x);\n  │         ^^^^^ error: " in page


def test_a_text_without_a_graph_is_shown(tmp_path) -> None:
    path = tmp_path / "graph.nnef"
    path.write_text("version 1.0;\ngrap g(x) -> (y) {}\n")
    found = nk.validate(path)
    assert found.graph is None
    page = unescape(re.sub(r"<[^>]*>", "", found._repr_html_()))
    assert "2 │ grap g(x) -> (y) {}\n  │ ^^^^ error: " in page


def test_valid_models_show_no_source() -> None:
    assert "<details" not in nk.validate(BROKEN.replace("reluu", "relu"))._repr_html_()

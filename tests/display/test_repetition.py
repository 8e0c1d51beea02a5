"""Diagnostics that repeat one problem are shown once, with their number and places."""

from __future__ import annotations

import pytest

import nnefkit as nk
from nnefkit.display.repetition import FEW, repetitions
from nnefkit.errors import Diagnostic


def unread(name: str, line: int | None = None, file: str = "") -> Diagnostic:
    return Diagnostic("missing-data", f"variable '{name}' has no data", "warning", file, line, 1)


def unknown(name: str) -> Diagnostic:
    return Diagnostic("unknown-operation", f"there is no operation '{name}'")


def notes(diagnostics: list[Diagnostic]) -> list[str]:
    return [group.note for group in repetitions(diagnostics)]


def test_a_few_are_shown_one_by_one() -> None:
    few = [unread(f"w{i}") for i in range(FEW)]
    assert [group.first for group in repetitions(few)] == few
    assert notes(few) == [""] * FEW


def test_many_are_shown_once_with_their_lines() -> None:
    many = [unread(f"w{i}", line=i + 1) for i in range(119)]
    assert notes(many) == ["and 118 more like this: lines 2, 3, 4, 5, 6, … 119"]


@pytest.mark.parametrize(
    ("many", "places"),
    [
        ([unread(f"w{i}") for i in range(7)], "'w1', 'w2', 'w3', 'w4', 'w5', 'w6'"),
        ([unread(f"w{i}") for i in range(9)], "'w1', 'w2', 'w3', 'w4', 'w5', … 'w8'"),
        ([unread("w", file=f"{i}.dat") for i in range(6)], "1.dat, 2.dat, 3.dat, 4.dat, 5.dat"),
        ([unread(f"w{i}", line=3) for i in range(6)], "line 3"),
        ([unread("w")] * 6, ""),
    ],
)
def test_without_lines_their_names_or_files_are_listed(many: list[Diagnostic], places: str) -> None:
    note = f"and {len(many) - 1} more like this"
    assert notes(many) == [f"{note}: {places}" if places else note]


def test_kinds_stay_in_the_order_of_the_text() -> None:
    mixed = [d for i in range(6) for d in (unread(f"w{i}"), unknown(f"o{i}"))]
    alone = Diagnostic("x", "another problem")
    groups = repetitions([*mixed[:2], alone, *mixed[2:]])
    assert [group.first for group in groups] == [mixed[0], mixed[1], alone]
    assert sum(1 + len(group.others) for group in groups) == 13


@pytest.mark.parametrize(
    "other",
    [
        Diagnostic("missing-data", "variable 'w' has no data", "error"),
        Diagnostic("other-code", "variable 'w' has no data", "warning"),
        Diagnostic("missing-data", "variable 'w' has other data", "warning"),
        Diagnostic("missing-data", "variable 'w' has no data", "warning", hint="Do this."),
        Diagnostic("missing-data", "variable 'w' has no data", "warning", section="3.1"),
    ],
)
def test_another_severity_code_sentence_hint_or_section_is_another_kind(other: Diagnostic) -> None:
    groups = repetitions([*(unread(f"w{i}") for i in range(6)), other])
    assert [group.first for group in groups][1:] == [other]


def test_texts_reports_and_the_command_line_say_it(
    tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(f"\n y{i} = relu(x{i});" for i in range(60))
    text = f"version 1.0; graph g(x) -> (y0) {{ x = external(shape = [1]);{lines} }}"
    with pytest.raises(nk.DocumentError) as caught:
        nk.parse(text)
    assert len(caught.value.diagnostics) == 60
    report = nk.validate(text)
    (tmp_path / "graph.nnef").write_text(text)
    from nnefkit.cli import main

    assert main(["validate", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    note = "and 59 more like this: lines 3, 4, 5, 6, 7, … 61"
    assert note in report._repr_html_()  # which marks each in the source
    for shown in (str(caught.value), str(report), repr(report), printed):
        assert note in shown
        assert "x37" not in shown
    assert "60 problems: error.diagnostics has all of them" in str(caught.value)
    assert "1 of 60 diagnostics in full" in repr(report)
    assert "nnefkit validate --json" in printed
    assert main(["validate", "--json", str(tmp_path)]) == 1
    assert capsys.readouterr().out.count('"code"') == 60

"""``nnefkit explain``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnefkit.diagnostic_codes import DIAGNOSTIC_CODES, QUANTIZED_GRAPH


def test_explain_lists_all_codes(nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("explain")
    assert (result.status, result.err) == (0, "")
    for entry in DIAGNOSTIC_CODES.values():
        assert f"  {entry.code} " in result.out
        assert f" {entry.title}\n" in result.out


@pytest.mark.parametrize("entry", DIAGNOSTIC_CODES.values(), ids=lambda entry: entry.code)
def test_explain_prints_the_whole_entry(entry: Any, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("explain", entry.code)
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(f"{entry.code}: {entry.title} ({entry.severity})\n")
    words = " ".join(result.out.split())
    assert entry.explanation in words
    assert entry.fix in words
    assert all(section in words for section in entry.sections)
    assert entry.without_example in words
    if entry.example is not None:
        for text in (entry.example.wrong, entry.example.right):
            assert " ".join(text.split()) in words
        assert (" ".join(QUANTIZED_GRAPH.split()) in words) == (
            entry.example.kind == "quantization" or entry.example.right == QUANTIZED_GRAPH
        )


def test_explain_accepts_a_code_as_reports_show_it(nnefkit: Callable[..., Any]) -> None:
    expected = nnefkit("explain", "unknown-argument")
    assert nnefkit("explain", "error[unknown-argument]:") == expected


def test_explain_suggests_the_nearest_code(nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("explain", "unknown-argment")
    assert (result.status, result.out) == (2, "")
    assert "Did you mean 'unknown-argument'?" in result.err


def test_explain_prints_the_entries_of_several_codes(nnefkit: Callable[..., Any]) -> None:
    both = nnefkit("explain", "unknown-argument", "syntax")
    one, other = nnefkit("explain", "unknown-argument"), nnefkit("explain", "syntax")
    assert (both.status, both.out) == (0, f"{one.out}\n\n{other.out}")
    wrong = nnefkit("explain", "syntax", "sintax")
    assert (wrong.status, wrong.out) == (2, "")


def test_the_command_that_a_report_names_explains_all_its_codes(
    broken: Path, nnefkit: Callable[..., Any]
) -> None:
    report = nnefkit("validate", broken).out
    (command,) = re.findall(r"^more about the codes: nnefkit (explain .*)$", report, re.MULTILINE)
    explained = nnefkit(*command.split())
    assert explained.status == 0
    codes = set(re.findall(r"^\w+\[([a-z-]+)\]", report, re.MULTILINE))
    assert codes
    for code in codes:
        assert f"{code}: " in explained.out

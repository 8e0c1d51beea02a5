"""The table of diagnostic codes holds what the package reports, and its examples are true."""

from __future__ import annotations

import re

import pytest
from diagnostic_codes.raised_codes import CODE, raised_codes
from example_runs import reported

import nnefkit as nk
from nnefkit.diagnostic_codes import DIAGNOSTIC_CODES, TOPICS
from nnefkit.language import format_document

EXAMPLES = [
    pytest.param(entry, id=entry.code) for entry in DIAGNOSTIC_CODES.values() if entry.example
]
GRAPHS = [param for param in EXAMPLES if param.values[0].example.kind == "graph"]


@pytest.fixture(scope="module")
def raised():
    """Code -> the places that report it, in the source of the package."""
    return raised_codes()


def test_every_code_that_is_reported_is_documented(raised):
    missing = {code: sorted(raised[code]) for code in raised if code not in DIAGNOSTIC_CODES}
    assert not missing


def test_every_documented_code_is_reported_somewhere(raised):
    assert set(DIAGNOSTIC_CODES) <= set(raised)


def test_codes_are_found_in_every_room_that_reports_some(raised):
    rooms = {place.partition("/")[0] for places in raised.values() for place in places}
    assert {"language", "storage", "operations", "execution", "exchange", "analysis"} <= rooms
    assert len(raised) > 90


def test_no_code_is_documented_twice():
    codes = [entry.code for entries in TOPICS.values() for entry in entries]
    assert len(codes) == len(set(codes)) == len(DIAGNOSTIC_CODES)


@pytest.mark.parametrize("entry", DIAGNOSTIC_CODES.values(), ids=lambda entry: entry.code)
def test_an_entry_is_plain_prose(entry):
    assert CODE.fullmatch(entry.code)
    assert entry.title[0].isupper()
    assert entry.title[-1] not in ".!?"
    assert len(entry.title) <= 60
    assert re.fullmatch(r"[A-Z].*\.", entry.explanation)
    assert len(re.findall(r"\.(?= [A-Z]|$)", entry.explanation)) <= 3
    assert not entry.fix or entry.fix[0].isupper()


@pytest.mark.parametrize("entry", DIAGNOSTIC_CODES.values(), ids=lambda entry: entry.code)
def test_an_entry_has_an_example_or_says_why_not(entry):
    assert (entry.example is None) == bool(entry.without_example)
    assert not entry.without_example or re.fullmatch(r"[A-Z].*\.", entry.without_example)


def test_only_the_codes_that_no_input_triggers_have_no_example():
    without = [entry.code for entry in DIAGNOSTIC_CODES.values() if entry.example is None]
    assert without == ["invalid-document"]


@pytest.mark.parametrize("entry", EXAMPLES)
def test_an_example_triggers_its_code(entry):
    found = [d for d in reported(entry.example.wrong, entry.example.kind) if d.code == entry.code]
    assert entry.severity in {diagnostic.severity for diagnostic in found}
    for diagnostic in found:
        # "4" stands for all of chapter 4.
        sections = tuple(f"{section}." for section in entry.sections)
        assert not diagnostic.section or f"{diagnostic.section}.".startswith(sections)


@pytest.mark.parametrize("entry", EXAMPLES)
def test_a_fixed_example_does_not_trigger_its_code_nor_an_error(entry):
    found = reported(entry.example.right, entry.example.kind)
    assert entry.code not in {diagnostic.code for diagnostic in found}
    assert [diagnostic for diagnostic in found if diagnostic.severity == "error"] == []


@pytest.mark.parametrize("entry", GRAPHS)
def test_examples_are_laid_out_as_the_formatter_does(entry):
    for text in (entry.example.wrong, entry.example.right):
        try:
            laid_out = format_document(text)
        except nk.DocumentError:
            continue
        assert laid_out == text


def test_a_diagnostic_names_the_page_about_its_code():
    (found,) = nk.validate("version 1.0; graph net(x) -> (y) { x = external(shape = [1]); }").errors
    assert found.documentation.endswith("reference/diagnostics/undefined-result.html")

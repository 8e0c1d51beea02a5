"""Every error has a hint that says how to fix it."""

import ast
from pathlib import Path

import pytest

from nnefkit import language
from nnefkit.diagnostic_codes import DIAGNOSTIC_CODES
from nnefkit.language.report import FORMS

REPORTING = {"at": 0, "add": 0, "refuse": 0, "_wrong": 0, "ValueProblem": 0}
GRAMMAR = {"expected", "expect", "SyntaxProblem"}


def _calls():
    for file in sorted(Path(language.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                yield pytest.param(name, node, id=f"{file.parent.name}/{file.name}:{node.lineno}")


def _literals(node):
    return [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]


CODES = [
    call
    for call in _calls()
    if call.values[0] in REPORTING
    and call.values[1].args
    and isinstance(call.values[1].args[0], ast.Constant)
    and "warning" not in _literals(call.values[1])
    and not any(
        keyword.arg == "hint" and isinstance(keyword.value, (ast.Constant, ast.JoinedStr))
        for keyword in call.values[1].keywords
    )
]
SECTIONS = [
    pytest.param(keyword.value.value, id=call.id)
    for call in _calls()
    if call.values[0] in GRAMMAR
    for keyword in call.values[1].keywords
    if keyword.arg == "section" and isinstance(keyword.value, ast.Constant)
]


@pytest.mark.parametrize(("name", "call"), CODES)
def test_an_error_without_a_hint_has_a_general_fix(name, call):
    code = call.args[0].value
    given = len(call.args) > (2 if name == "ValueProblem" else 3)
    assert code == "syntax" or DIAGNOSTIC_CODES[code].fix or given


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_of_the_grammar_has_a_hint(section):
    assert section in FORMS


def test_calls_and_sections_are_found():
    assert len(CODES) > 30
    assert len(SECTIONS) > 15


def test_hints_are_sentences():
    for text in FORMS.values():
        assert text[0].isupper() or text[0] in "<["
        assert len(text) > 20

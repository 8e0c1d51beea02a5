"""The card of a validation report: the codes lead to their explanations."""

from __future__ import annotations

import re

import pytest

import nnefkit as nk
from nnefkit import errors
from nnefkit.diagnostic_codes import DIAGNOSTIC_CODES
from nnefkit.display import html, text
from nnefkit.display.cards.report import report_card
from nnefkit.display.visible_text import printable

WRONG = """version 1.0;
graph net( x ) -> ( y, z )
{
    x = external(shape = [2]);
    y = relu(x, alpha = 1.0);
    z = relu(x, beta = 1.0);
    u = rellu(x);
}
"""


def _folds(page: str) -> list[tuple[str, str]]:
    """Titles and contents of the elements that open."""
    folds = re.findall(
        r"<details[^>]*><summary[^>]*>(.*?)</summary>(.*?)</details>", page, re.DOTALL
    )
    return [(_words(title), _words(content)) for title, content in folds]


def _words(markup: str) -> str:
    words = " ".join(re.sub(r"<[^>]*>", "", markup.replace("</div>", " ")).split())
    return words.replace("&#x27;", "'").replace("&quot;", '"').replace("&gt;", ">")


def test_the_heading_of_a_diagnostic_opens_the_explanation_of_its_code() -> None:
    report = nk.validate(WRONG)
    *headings, _ = _folds(report._repr_html_())
    assert len(headings) == len(report.diagnostics) == 3
    for diagnostic, (title, content) in zip(report.diagnostics, headings, strict=True):
        code = DIAGNOSTIC_CODES[diagnostic.code]
        assert title.startswith(diagnostic.code)
        assert diagnostic.message in title
        assert content.startswith(f"{code.title}. {code.explanation.replace('`', '')}")
        assert code.fix in content


def test_only_the_first_diagnostic_of_a_code_has_the_example() -> None:
    first, second, other, _ = (content for _, content in _folds(nk.validate(WRONG)._repr_html_()))
    for code, content in (("unknown-argument", first), ("unknown-operation", other)):
        example = DIAGNOSTIC_CODES[code].example
        assert example is not None
        for document in (example.wrong, example.right):
            assert " ".join(document.split()) in content
    assert "For example" not in second


@pytest.mark.parametrize("code", DIAGNOSTIC_CODES)
def test_every_code_is_explained_in_place(code: str) -> None:
    report = nk.analysis.ValidationReport("graph.nnef", (errors.Diagnostic(code, "m"),))
    ((title, content),) = _folds(report._repr_html_())
    assert title.startswith(code)
    assert DIAGNOSTIC_CODES[code].title in content


def test_the_page_is_linked_where_the_package_names_its_site(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = nk.validate(WRONG)._repr_html_()
    assert "<a " not in page
    monkeypatch.setattr(
        errors.Diagnostic, "documentation", property(lambda self: f"https://docs.test/{self.code}")
    )
    page = nk.validate(WRONG)._repr_html_()
    assert page.count('<a href="https://docs.test/unknown-argument">') == 2


def test_an_unknown_code_is_shown_without_an_explanation() -> None:
    report = nk.analysis.ValidationReport("f", (errors.Diagnostic("from-elsewhere", "message"),))
    page = html.write(report_card(report, DIAGNOSTIC_CODES))
    assert "<details" not in page
    assert "from-elsewhere" in page


def test_text_names_the_command_that_explains_the_codes() -> None:
    report = nk.validate(WRONG)
    command = "more about the codes: nnefkit explain unknown-argument unknown-operation"
    for shown in (repr(report), str(report), text.write(report_card(report, brief=True))):
        assert command in [line.strip() for line in shown.splitlines()]
    valid = nk.validate(
        WRONG.replace(", alpha = 1.0", "").replace(", beta = 1.0", "").replace("ll", "l")
    )
    assert valid.ok
    assert "explain" not in repr(valid) + str(valid)


def test_the_command_has_few_codes_in_one_line() -> None:
    codes = list(DIAGNOSTIC_CODES)[:30]
    found = tuple(errors.Diagnostic(code, "m") for code in codes)
    shown = repr(nk.analysis.ValidationReport("f", found))
    (line,) = (line for line in shown.splitlines() if "nnefkit explain" in line)
    assert line.split()[-6:] == codes[:6]
    assert line == printable(line)


def test_forty_diagnostics_of_forty_codes_fit_the_budget() -> None:
    found = tuple(errors.Diagnostic(code, "m" * 600, hint="h" * 600) for code in DIAGNOSTIC_CODES)
    page = nk.analysis.ValidationReport("f", found)._repr_html_()
    assert len(page.encode()) <= html.BUDGET
    assert page.count("<details") >= 20

"""The examples on pages of the documentation do what they show."""

from __future__ import annotations

import doctest
import runpy
from pathlib import Path

import numpy as np
import pytest

import nnefkit as nk

PAGES = [
    page
    for page in sorted((Path(__file__).parents[2] / "docs").glob("*/*.md"))
    if ">>> " in page.read_text("utf-8")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_what_its_examples_do(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = page.read_text("utf-8").replace("```pycon\n", "\n").replace("\n```\n", "\n\n")
    test = doctest.DocTestParser().get_doctest(text, {"nk": nk, "np": np}, page.stem, str(page), 0)
    output: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=output.append)
    assert runner.failures == 0, "".join(output)
    assert runner.tries >= 5


def test_pages_are_found() -> None:
    assert {"recorded_runs", "stepping"} <= {page.stem for page in PAGES}


def test_every_public_name_has_a_page_of_the_reference() -> None:
    path = Path(__file__).parents[2] / "docs" / "extensions" / "public_api.py"
    assert runpy.run_path(str(path))["undocumented"]() == set()

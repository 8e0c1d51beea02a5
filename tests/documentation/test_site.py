"""The built documentation: links lead somewhere, nothing is fetched, pages fit the screen.

`pytest tests/documentation --site docs/_build/html` checks the output of `sphinx-build`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser

import nnefkit as nk
from nnefkit.diagnostic_codes import DIAGNOSTIC_CODES

PAGES = [
    *("index", "start/index", "start/comparison", "tutorials/01_explore_a_model"),
    *("tutorials/02_validate", "tutorials/03_inference", "tutorials/04_export_from_pytorch"),
    *("tutorials/05_from_onnx_and_back", "reference/api/graphs", "reference/api/exchange"),
    *("reference/diagnostics/index", "reference/diagnostics/unknown-argument"),
    *("reference/support/operations", "reference/refused_files", "develop/architecture"),
    *("develop/write_an_engine", "develop/contributing"),
]


@pytest.fixture(scope="session")
def site(pytestconfig: pytest.Config) -> Path:
    """The folder of the built pages."""
    folder = pytestconfig.getoption("--site")
    if folder is None:
        pytest.skip("looks at built pages: run with --site FOLDER")
    return Path(folder).resolve()


def _links(page: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r'(?:href|src)="([^"]*)"', text):
        yield unescape(link)


def test_links_lead_to_pages_and_places_that_exist(site: Path) -> None:
    identifiers: dict[Path, set[str]] = {}
    broken = []
    for page in sorted(set(site.rglob("*.html")) - set(site.glob("_static/**/*.html"))):
        for link in _links(page):
            if re.match(r"[a-z]+:", link) or link in ("", "#"):
                continue
            target, _, place = unquote(link).partition("#")
            file = (page.parent / target.partition("?")[0]).resolve() if target else page
            if not file.exists():
                broken.append(f"{page.relative_to(site)}: {link}")
            elif place and file.suffix == ".html":
                known = identifiers.get(file)
                if known is None:
                    text = file.read_text(encoding="utf-8")
                    known = identifiers[file] = set(re.findall(r'\bid="([^"]*)"', text))
                if place not in known:
                    broken.append(f"{page.relative_to(site)}: {link}")
    assert broken == []


def test_every_public_name_and_every_code_has_a_place(site: Path) -> None:
    reference = "".join(
        page.read_text(encoding="utf-8") for page in (site / "reference/api").glob("*.html")
    )
    described = set(re.findall(r'id="nnefkit\.(\w+)"', reference))
    assert set(nk.__all__) - described == {"compat", "plot", "widgets"}
    for code in DIAGNOSTIC_CODES:
        assert (site / f"reference/diagnostics/{code}.html").exists()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800])
def test_pages_fetch_nothing_and_fit_the_screen(
    site: Path, browser: Browser, scheme: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    fetched: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    for name in PAGES:
        page.goto(f"file://{site}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    page.close()
    assert [url for url in fetched if not url.startswith(("file:", "data:"))] == []
    assert faults == []

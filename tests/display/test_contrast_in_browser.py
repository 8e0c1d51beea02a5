"""In a browser, every word of every display can be read on light and on dark pages."""

from __future__ import annotations

from typing import Any

import pytest
from axe import violations
from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
THEMES = {
    "JupyterLab, light": ("white", "rgba(0, 0, 0, 0.87)"),
    "JupyterLab, dark": ("#111111", "rgba(255, 255, 255, 1)"),
    "Notebook of VS Code, dark": ("#1e1e1e", "#cccccc"),
    "Colab, dark": ("#383838", "#e8eaed"),
}


@pytest.mark.parametrize("theme", THEMES)
def test_words_have_contrast_and_columns_have_heads(
    browser: Browser, tame: list[Any], theme: str
) -> None:
    background, color = THEMES[theme]
    displays = "".join(f"<section>{shown.html}</section>" for shown in tame)
    page = browser.new_page(viewport={"width": 1100, "height": 1600})
    try:
        page.set_content(
            f'<html lang="en"><title>displays</title><body style="background:{background};'
            f'color:{color}"><main>{displays}</main></body></html>'
        )
        page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        assert page.locator("td").count() > 100
        found = violations(page, "main")
    finally:
        page.close()
    assert found == {}

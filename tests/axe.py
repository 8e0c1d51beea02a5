"""Checks of pages by axe-core: contrast, heads of tables, names of controls."""

from __future__ import annotations

from importlib import resources
from typing import Any

from playwright.sync_api import Page


def violations(page: Page, selector: str) -> dict[str, list[str]]:
    """Return the rules that elements violate -> the violating elements.

    Args:
        page: The page.
        selector: What to check: the elements that it selects, and what is in them.
    """
    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate(
        # The colors of a terminal are those of the page: nbconvert's red is too light for them.
        "selector => axe.run({include: [[selector]], exclude: [['[class*=ansi-]']]}, "
        "{resultTypes: ['violations']})",
        selector,
    )
    return {
        rule["id"]: [str(node["html"])[:200] for node in rule["nodes"]]
        for rule in found["violations"]
    }

"""Fixtures of the tests of the language."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nnefkit import language
from nnefkit.errors import Diagnostic
from nnefkit.graph import Graph

FRAGMENTS = "KHR_enable_fragment_definitions"
EXPRESSIONS = "KHR_enable_operator_expressions"


def document(body: str, fragments: str = "", *, flat: bool = True) -> str:
    """Return a document that computes `y` from `x`; `body` comes after the external of `x`."""
    extensions = "" if flat else f"extension {FRAGMENTS} {EXPRESSIONS};"
    return (
        f"version 1.0; {extensions}\n{fragments}\n"
        "graph net(x) -> (y)\n{\nx = external(shape = [1, 2, 3, 4]);\n" + body + "\n}\n"
    )


@pytest.fixture
def flat() -> Callable[[str], tuple[Graph | None, list[Diagnostic]]]:
    """Parse a flat graph body."""
    return lambda body: language.parse(document(body))


@pytest.fixture
def compositional() -> Callable[..., tuple[Graph | None, list[Diagnostic]]]:
    """Parse a graph body, perhaps with fragments, with both extensions enabled."""
    return lambda body, fragments="": language.parse(document(body, fragments, flat=False))

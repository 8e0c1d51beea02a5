"""The explanation of a diagnostic code, which a report opens in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from nnefkit.display.elements import Block, Listing, Paragraph, Phrase, code_in


class ExampleLike(Protocol):
    """A document or script that triggers a code, and the same one fixed."""

    @property
    def wrong(self) -> str:
        """Triggers the code."""

    @property
    def right(self) -> str:
        """Does not trigger it."""


class CodeLike(Protocol):
    """The documentation of a diagnostic code."""

    @property
    def title(self) -> str:
        """A short noun phrase."""

    @property
    def explanation(self) -> str:
        """One to three sentences."""

    @property
    def fix(self) -> str:
        """How to fix it; may be empty."""

    @property
    def example(self) -> ExampleLike | None:
        """An example, if there is one."""


def explanation(code: CodeLike, page: str, *, example: bool) -> Iterator[Block]:
    """Yield the blocks that explain a code, with the link to its `page` if that is a URL."""
    yield Paragraph((Phrase(f"{code.title}. ", "strong", limit=0), *code_in(code.explanation)))
    if code.fix:
        yield Paragraph((Phrase("Fix: ", "muted"), *code_in(code.fix)))
    if example and code.example is not None:
        yield from _listing("For example:", code.example.wrong)
        yield from _listing("Fixed:", code.example.right)
    if page.startswith("https://"):
        yield Paragraph((Phrase("Documentation", link=page),))


def _listing(title: str, text: str) -> Iterator[Block]:
    yield Paragraph((Phrase(title, "muted"),))
    lines = text.rstrip("\n").split("\n")
    yield Listing(tuple((Phrase(line, limit=0),) for line in lines), ruled=True)

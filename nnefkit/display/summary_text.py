"""A result in words."""

from __future__ import annotations


class Summary(str):
    """A result in words; calling it returns it, for those who write ``result.summary()``."""

    __slots__ = ()

    def __call__(self) -> str:
        """Return the words."""
        return str(self)


def in_words(*sentences: str) -> Summary:
    """Return sentences, whose code is in backticks, as plain text."""
    return Summary(" ".join(sentences).replace("`", ""))

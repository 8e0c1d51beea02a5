"""Comments and blank lines, which the lexer skips."""

from __future__ import annotations

import re
from itertools import compress
from operator import lt
from typing import NamedTuple

from nnefkit.language.syntax.lexer import Tokens


class Comment(NamedTuple):
    """A comment, with its ``#``."""

    text: str
    trailing: bool
    """True if it follows a token on the same line."""
    blank: bool
    """True if a blank line comes before it."""


class Gap(NamedTuple):
    """The comments and blank lines between two tokens."""

    comments: tuple[Comment, ...] = ()
    blank: bool = False
    """True if a blank line comes right before the second token."""


NO_GAP = Gap()
# A form feed ends a comment like a line end does (3.1).
_COMMENT = re.compile(r"#[^\n\f]*")


def gaps(tokens: Tokens) -> dict[int, Gap]:
    """Return the gaps that are not empty, by the index of the token after them."""
    text, starts, count = tokens.source.text, tokens.starts, tokens.count
    ends = [1 if tokens.byte_order_mark else 0]
    ends += [start + len(t) for start, t in zip(starts, tokens.texts[:count], strict=False)]
    # Only at the end of the text can a single character be a comment.
    wide = compress(range(count), map(lt, (end + 1 for end in ends), starts))
    result = {}
    for index in (*wide, count):
        between = text[ends[index] : starts[index]]
        if "#" in between:
            result[index] = _with_comments(between, after_token=index > 0)
        elif between.count("\n") > 1:
            result[index] = Gap(blank=True)
    return result


def _with_comments(between: str, *, after_token: bool) -> Gap:
    comments: list[Comment] = []
    end = 0
    for match in _COMMENT.finditer(between):
        lines = between.count("\n", end, match.start())
        trailing = after_token and not comments and not lines
        comments.append(Comment(match[0].rstrip(), trailing, lines > 1))
        end = match.end()
    return Gap(tuple(comments), between.count("\n", end) > 1)

"""What the lexer leaves out of a document: its comments and its blank lines."""

from __future__ import annotations

import re
from itertools import compress
from operator import lt
from typing import NamedTuple

from nnefkit.language.syntax.lexer import Tokens


class Comment(NamedTuple):
    """A comment as it is written, with its ``#``."""

    text: str
    trailing: bool
    """Whether it stands behind a token in the same line."""
    blank: bool
    """Whether a blank line is before it."""


class Gap(NamedTuple):
    """What stands between a token and the one before."""

    comments: tuple[Comment, ...] = ()
    blank: bool = False
    """Whether a blank line is right before the token."""


NOTHING = Gap()
# A form feed ends a comment, as a line end does (3.1).
_COMMENT = re.compile(r"#[^\n\f]*")


def gaps(tokens: Tokens) -> dict[int, Gap]:
    """The gaps with comments or blank lines, by the index of the token behind them."""
    text, starts, count = tokens.source.text, tokens.starts, tokens.count
    ends = [1 if tokens.byte_order_mark else 0]
    ends += [start + len(t) for start, t in zip(starts, tokens.texts[:count], strict=False)]
    # A single character is neither a blank line nor a comment, but at the end of the text.
    wide = compress(range(count), map(lt, (end + 1 for end in ends), starts))
    found = {}
    for index in (*wide, count):
        between = text[ends[index] : starts[index]]
        if "#" in between:
            found[index] = _with_comments(between, behind_token=index > 0)
        elif between.count("\n") > 1:
            found[index] = Gap(blank=True)
    return found


def _with_comments(between: str, *, behind_token: bool) -> Gap:
    comments: list[Comment] = []
    end = 0
    for match in _COMMENT.finditer(between):
        lines = between.count("\n", end, match.start())
        trailing = behind_token and not comments and not lines
        comments.append(Comment(match[0].rstrip(), trailing, lines > 1))
        end = match.end()
    return Gap(tuple(comments), between.count("\n", end) > 1)

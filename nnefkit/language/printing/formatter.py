"""Laying out a document: statement after statement, with the blank lines between them."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.arguments import expected_string
from nnefkit.errors import DocumentError, InputError, Source
from nnefkit.language.printing.comments import NOTHING, Comment, Gap, gaps
from nnefkit.language.printing.layout import lay_out
from nnefkit.language.printing.statement import Statement
from nnefkit.language.report import Report
from nnefkit.language.syntax.lexer import Tokens
from nnefkit.language.syntax.parser import Parser
from nnefkit.language.syntax.tree import Assignment

_DEEPEST = 40
_SECTIONS = frozenset(("version", "extension", "fragment", "graph"))


def format_document(
    text: str, *, width: int = 100, indent: int = 4, name: str = "graph.nnef"
) -> str:
    """Lays out the text of a ``graph.nnef``: the same tokens, in lines that read well.

    Comments stay where they are, and so do blank lines between statements, one of several. The
    values and the names are not looked at: a text may be laid out that is not valid otherwise.

    Args:
        text: the document.
        width: how long lines may be; only what has no place to break at is longer.
        indent: how far bodies and what is in brackets are indented.
        name: what messages call the text.

    Raises:
        DocumentError: the text does not follow the grammar; all the errors at once.
        InputError: `text` is no text, or a width or an indentation that no line can have.
    """
    if width < 1 or not 0 <= indent <= _DEEPEST:
        raise InputError(
            f"lines of {width} characters cannot be indented by {indent}",
            hint=f"The width is at least 1, the indentation between 0 and {_DEEPEST}.",
        )
    tokens = Tokens(Source(expected_string(text, "text"), name))
    _check(tokens)
    writer = _Writer(width, indent)
    _feed(tokens, writer)
    line_end = "\r\n" if text.find("\r\n") + 1 == text.find("\n") > 0 else "\n"
    return line_end.join([*writer.lines, ""])


def _check(tokens: Tokens) -> None:
    report = Report(tokens)

    def accept(assignment: Assignment) -> None:
        """Nothing needs to be known of it but that it can be read."""

    Parser(tokens, report).document(lambda *_: accept)
    if report.errors:
        raise DocumentError(report.diagnostics)


def _feed(tokens: Tokens, writer: _Writer) -> None:
    """Cuts the tokens into statements."""
    texts = tokens.texts
    found = gaps(tokens)
    statement: Statement | None = None
    carried: tuple[Comment, ...] = ()
    for index in range(tokens.count):
        text = texts[index]
        gap = found.get(index, NOTHING)
        if carried:
            gap = Gap(carried + gap.comments, gap.blank)
            carried = ()
        if text in ",;" and gap.comments:
            # Separators stay with what they are behind.
            carried, gap = gap.comments, NOTHING
        if statement is None or text == "{":
            if statement is not None:
                writer.end(statement)
            if text in "{}":
                statement = None
                writer.brace(text, gap)
                continue
            statement = Statement(text if text in _SECTIONS else "")
            writer.begin(statement, gap)
        elif gap.comments:
            statement.comment(gap.comments, before=text)
        statement.add(text, texts[index + 1], texts[index + 2])
        if text == ";" and not statement.inside:
            writer.end(statement)
            statement = None
    last = found.get(tokens.count, NOTHING)
    writer.finish(carried + last.comments)


class _Writer:
    """The lines of a document."""

    def __init__(self, width: int, indent: int) -> None:
        self.width = width
        self.indent = indent
        self.lines: list[str] = []
        self.in_body = False
        self.before = ""
        """What the last line belongs to: the keyword of a section, or ``{`` or ``}``."""

    def begin(self, statement: Statement, gap: Gap) -> None:
        """Writes what stands before a statement."""
        kind = statement.kind
        apart = bool(self.lines) and bool(kind) and self._sets_apart(kind)
        self._lead(gap, self.indent if self.in_body else 0, apart=apart)

    def _sets_apart(self, kind: str) -> bool:
        """Whether a blank line is before the section, whatever the text has."""
        together = {"extension": ("version", "extension"), "fragment": ("fragment",)}
        return self.before not in together.get(kind, ())

    def end(self, statement: Statement) -> None:
        """Writes a statement."""
        base = self.indent if self.in_body else 0
        self.lines += lay_out(statement, base, self.width, self.indent)
        self.before = statement.kind

    def brace(self, text: str, gap: Gap) -> None:
        """Writes the begin or the end of a body."""
        self._lead(Gap(gap.comments), self.indent if self.in_body else 0)
        self.lines.append(text)
        self.in_body = text == "{"
        self.before = text

    def finish(self, comments: Sequence[Comment]) -> None:
        """Writes the comments behind everything else."""
        self._lead(Gap(tuple(comments)), 0)

    def _lead(self, gap: Gap, indented: int, *, apart: bool = False) -> None:
        """Writes comments in lines of their own, and blank lines."""
        for position, comment in enumerate(gap.comments):
            if comment.trailing and position == 0:
                self.lines[-1] += f"  {comment.text}"
                continue
            self._blank(comment.blank or apart)
            apart = False
            self.lines.append(" " * indented + comment.text)
            self.before = "#" if self.before == "{" else self.before
        self._blank(gap.blank or apart)

    def _blank(self, wanted: bool) -> None:
        if wanted and self.lines and self.before != "{":
            self.lines.append("")

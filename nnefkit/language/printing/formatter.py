"""The formatter of documents: statements, and the blank lines between them."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.arguments import expected_string
from nnefkit.errors import DocumentError, InputError, Source
from nnefkit.language.printing.comments import NO_GAP, Comment, Gap, gaps
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
    """Format the text of a ``graph.nnef``: the same tokens, with consistent line breaks.

    Comments are preserved, and so are blank lines between statements, at most one in a row. The
    text only needs to follow the grammar; names and values are not checked.

    Args:
        text: The document.
        width: The maximum line length; only a line that cannot be broken is longer.
        indent: The number of spaces by which bodies and the content of brackets are indented.
        name: The name of the text in messages.

    Returns:
        The formatted text.

    Raises:
        DocumentError: The text does not follow the grammar (sections 3.1, 3.2); carries all errors.
        InputError: `text` is not a string, or `width` or `indent` is out of range.

    Example:
        >>> text = "version 1.0;graph net(x)->(y){x=external(shape=[1,3]);y=relu(x);}"
        >>> print(nk.format(text))
        version 1.0;
        <BLANKLINE>
        graph net( x ) -> ( y )
        {
            x = external(shape = [1, 3]);
            y = relu(x);
        }
        <BLANKLINE>
    """
    if width < 1 or not 0 <= indent <= _DEEPEST:
        raise InputError(
            f"a width of {width} and an indentation of {indent} are not possible",
            hint=f"The width is at least 1, the indentation between 0 and {_DEEPEST}.",
        )
    tokens = Tokens(Source(expected_string(text, "text"), name))
    _check(tokens)
    writer = _DocumentWriter(width, indent)
    _feed(tokens, writer)
    line_end = "\r\n" if text.find("\r\n") + 1 == text.find("\n") > 0 else "\n"
    return line_end.join([*writer.lines, ""])


def _check(tokens: Tokens) -> None:
    report = Report(tokens)

    def accept(assignment: Assignment) -> None:
        """Ignore the assignment, which only needs to be parsed."""

    Parser(tokens, report).document(lambda *_: accept)
    if report.errors:
        raise DocumentError(report.diagnostics)


def _feed(tokens: Tokens, writer: _DocumentWriter) -> None:
    """Split the tokens into statements."""
    texts = tokens.texts
    gap_before = gaps(tokens)
    statement: Statement | None = None
    carried: tuple[Comment, ...] = ()
    for index in range(tokens.count):
        text = texts[index]
        gap = gap_before.get(index, NO_GAP)
        if carried:
            gap = Gap(carried + gap.comments, gap.blank)
            carried = ()
        if text in ",;" and gap.comments:
            # A separator stays on the line of what it follows.
            carried, gap = gap.comments, NO_GAP
        if statement is not None and statement.kind == "version" and text in _SECTIONS:
            # The version has no semicolon.
            writer.end(statement)
            statement = None
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
    last = gap_before.get(tokens.count, NO_GAP)
    writer.finish(carried + last.comments)


class _DocumentWriter:
    """The lines of a document."""

    def __init__(self, width: int, indent: int) -> None:
        self.width = width
        self.indent = indent
        self.lines: list[str] = []
        self.in_body = False
        self.before = ""
        """The keyword of the section that the last line belongs to, or ``{`` or ``}``."""
        self.declared = 0
        """The line where a section begins right after the declaration of a fragment, or 0."""

    def begin(self, statement: Statement, gap: Gap) -> None:
        """Write the comments and blank lines before a statement."""
        kind = statement.kind
        apart = bool(self.lines) and bool(kind) and self._sets_apart(kind)
        self.declared = len(self.lines) if kind == self.before == "fragment" else 0
        self._lead(gap, self.indent if self.in_body else 0, apart=apart)

    def _sets_apart(self, kind: str) -> bool:
        """Return whether a blank line is required before the section."""
        together = {"extension": ("version", "extension"), "fragment": ("fragment",)}
        return self.before not in together.get(kind, ())

    def end(self, statement: Statement) -> None:
        """Write a statement."""
        base = self.indent if self.in_body else 0
        self.lines += lay_out(statement, base, self.width, self.indent)
        self.before = statement.kind

    def brace(self, text: str, gap: Gap) -> None:
        """Write the beginning or the end of a body."""
        if text == "{" and self.declared and self.lines[self.declared]:
            # Only declarations without a body follow each other without a blank line.
            self.lines.insert(self.declared, "")
        self._lead(Gap(gap.comments), self.indent if self.in_body else 0)
        self.lines.append(text)
        self.in_body = text == "{"
        self.before = text

    def finish(self, comments: Sequence[Comment]) -> None:
        """Write the comments at the end of the text."""
        self._lead(Gap(tuple(comments)), 0)

    def _lead(self, gap: Gap, indented: int, *, apart: bool = False) -> None:
        """Write comments, trailing or on separate lines, and blank lines."""
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

"""Bodies of graphs and fragments, with recovery at the next ``;`` or ``}`` (3.2.1)."""

from __future__ import annotations

from collections.abc import Callable

from nnefkit.language.report import Report
from nnefkit.language.syntax.expressions import ExpressionParser
from nnefkit.language.syntax.lexer import IDENTIFIER, KEYWORD, LITERAL, Tokens
from nnefkit.language.syntax.syntax_problems import SyntaxProblem
from nnefkit.language.syntax.tree import (
    ArrayOrTuple,
    Assignment,
    Constant,
    Expression,
    Invocation,
    Name,
)

_ASSIGNS = frozenset(("=",))
_AFTER_NAMES = frozenset(("(", ")", ",", ":", "<"))


class BodyParser(ExpressionParser):
    """Parses lists of assignments, and reports syntax errors."""

    def __init__(self, tokens: Tokens, report: Report) -> None:
        super().__init__(tokens)
        self.report = report
        self.sound = True
        self.repeated: Callable[[int], int] | None = None
        """Replays an assignment without parsing it; returns the index after it, or 0."""

    def problem(self, problem: SyntaxProblem) -> None:
        """Report a problem after which parsing continues."""
        self.sound = False
        first = problem.index
        if first >= self.tokens.count:
            # At the end of the text, something is missing after the last token.
            span = self.tokens.after(self.tokens.count - 1)
        elif problem.message.startswith("expected ';'"):
            span = self.tokens.after(first - 1)
        else:
            span = self.tokens.span(first, first + 1)
        self.report.add("syntax", problem.message, span, problem.hint, problem.section)

    def name(self, wanted: str, section: str, hint: str = "") -> Name:
        """Consume the identifier that a definition introduces, described as `wanted` in messages.

        A keyword in its place is reported once, and is a name from there on.
        """
        self._check_keyword(wanted, _AFTER_NAMES, section, hint)
        return self.identifier(wanted, section, hint)

    def _check_keyword(
        self, wanted: str, following: frozenset[str], section: str = "3.2.1", hint: str = ""
    ) -> None:
        text = self.texts[self.index]
        if self.kinds[text] == KEYWORD and self.texts[self.index + 1] in following:
            self.problem(self.expected(wanted, hint, section))
            self.kinds[text] = IDENTIFIER

    def body(self, accept: Callable[[Assignment], None]) -> None:
        """Parse ``{ assignments }`` and pass each to `accept` at once."""
        self.expect("{", section="3.2.1")
        texts = self.texts
        if texts[self.index] == "}":
            self.problem(
                SyntaxProblem(
                    self.index, "the body is empty", "A body has at least one assignment.", "3.2.1"
                )
            )
        opening = self.index - 1
        repeated = self.repeated
        while texts[self.index] != "}":
            first = self.index
            is_section = texts[first] in ("fragment", "graph") and texts[first + 1] != "="
            if not texts[first] or is_section:
                raise SyntaxProblem(
                    first,
                    f"expected '}}' but found {self.described(first)}",
                    f"The body begins on line {self.report.line_of(opening)}.",
                    "3.2.1",
                )
            following = repeated(first) if repeated is not None else 0
            if following:
                self.index = following
                continue
            try:
                assignment = self._assignment()
            except SyntaxProblem as problem:
                self.problem(problem)
                assignment = self._recover(first, problem.index)
            accept(assignment)
        self.index += 1

    def _recover(self, first: int, wrong: int) -> Assignment:
        """Skip the rest of an invalid assignment, and return the names that it defines."""
        texts = self.texts
        index = max(self.index, first)
        if texts[wrong][:1] in ("'", '"') and ";" in texts[wrong]:
            # The semicolon is part of a string without a closing quote.
            self.index = index = wrong + 1
        else:
            while texts[index] not in (";", "}", ""):
                index += 1
            self.index = index + (texts[index] == ";")
        names: list[Expression] = []
        for at in range(first, index):
            if texts[at] == "=" or (names and texts[at] == "("):
                break
            if self.kinds[texts[at]] == IDENTIFIER:
                names.append(Name(texts[at], at, at + 1))
        sure = "=" in texts[first:wrong]
        return Assignment(ArrayOrTuple(tuple(names), False, first, index), None, first, index, sure)

    def _assignment(self) -> Assignment:
        texts, kinds = self.texts, self.kinds
        first = index = self.index
        target: Expression
        if kinds[texts[index]] == KEYWORD:
            wanted = "an identifier on the left-hand side of an assignment"
            self._check_keyword(wanted, _ASSIGNS)
        if texts[index + 1] == "=" and kinds[texts[index]] == IDENTIFIER:
            target = Name(texts[index], index, index + 1)
            self.index = index + 2
        else:
            target = self._target()
            if texts[self.index] != "=":
                raise self.expected("'='", section="3.2.1")
            self.index += 1
        start = self.index
        value: Expression | None = self.flat_invocation()
        if value is None or texts[self.index] != ";":
            self.index = start
            value = self.right_hand_side()
        end = self.index
        if texts[end] == ";":
            self.index = end + 1
        else:
            self.missing_semicolon()
        return Assignment(target, value, first, end)

    def right_hand_side(self) -> Expression:
        """Parse what an assignment assigns, unless it is a flat invocation."""
        value = self.read()
        texts = self.texts
        if type(value) is not Invocation:
            if texts[self.index] == ",":
                raise SyntaxProblem(
                    self.index,
                    "expected ';' but found ','",
                    "A tuple on the right-hand side is written in parentheses.",
                    "3.2.1",
                )
            self.uses_extension(
                value.at, "an assignment of an expression that is not an invocation"
            )
        return value

    def missing_semicolon(self) -> None:
        """Report a missing semicolon; continue if a new line or the end of the body follows."""
        index = self.index
        problem = self.expected("';'", "An assignment ends with a semicolon.", "3.2.1")
        fresh_line = (
            "\n"
            in self.tokens.source.text[
                self.tokens.after(index - 1).start : self.tokens.start(index)
            ]
        )
        if not fresh_line and self.texts[index] != "}":
            raise problem
        self.problem(problem)

    def _target(self) -> Expression:
        at = self.index
        first = self.texts[at]
        if self.kinds[first] not in (IDENTIFIER, LITERAL) and first not in ("[", "("):
            raise self.expected("an identifier on the left-hand side of an assignment")
        extended = self.extended
        elements: list[Expression] = []
        while True:
            elements.append(self.read())
            if self.texts[self.index] != ",":
                break
            self.index += 1
        target = (
            elements[0]
            if len(elements) == 1
            else ArrayOrTuple(tuple(elements), False, at, self.index)
        )
        stack: list[Expression] = [target]
        while stack:
            node = stack.pop()
            if isinstance(node, ArrayOrTuple):
                stack.extend(node.elements)
            elif not isinstance(node, Name) and not (
                isinstance(node, Constant) and node.value == []
            ):
                self.extended = extended
                raise SyntaxProblem(
                    node.at,
                    "expected an identifier on the left-hand side of the assignment",
                    "The left-hand side consists of identifiers, or arrays and tuples of them.",
                    "3.3.2",
                )
        return target

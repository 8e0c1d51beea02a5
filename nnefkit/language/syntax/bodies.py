"""Bodies of graphs and fragments, with recovery at the next ``;`` or ``}`` (3.2.1)."""

from __future__ import annotations

from collections.abc import Callable

from nnefkit.language.report import Report
from nnefkit.language.syntax.expressions import ExpressionParser
from nnefkit.language.syntax.lexer import IDENTIFIER, LITERAL, Tokens
from nnefkit.language.syntax.problems import SyntaxProblem
from nnefkit.language.syntax.tree import Assignment, Constant, Expression, Invocation, Items, Name


class BodyParser(ExpressionParser):
    """Reads lists of assignments, and reports those that do not follow the grammar."""

    def __init__(self, tokens: Tokens, report: Report) -> None:
        super().__init__(tokens)
        self.report = report
        self.sound = True
        self.repeated: Callable[[int], int] | None = None
        """Carries out an assignment that needs no reading; says where the next one begins, or 0."""

    def problem(self, problem: SyntaxProblem) -> None:
        """Reports a problem that parsing goes on after."""
        self.sound = False
        first = problem.index
        if first >= self.tokens.count:
            # The end of the text is shown behind the last token, where something is missing.
            span = self.tokens.after(self.tokens.count - 1)
        elif problem.message.startswith("expected ';'"):
            span = self.tokens.after(first - 1)
        else:
            span = self.tokens.span(first, first + 1)
        self.report.add("syntax", problem.message, span, problem.hint, problem.section)

    def body(self, accept: Callable[[Assignment], None]) -> None:
        """Reads ``{ assignments }``, each of which goes to `accept` at once."""
        self.expect("{", section="3.2.1")
        texts = self.texts
        if texts[self.index] == "}":
            self.problem(
                SyntaxProblem(self.index, "the body is empty", "It needs an assignment.", "3.2.1")
            )
        opening = self.index - 1
        repeated = self.repeated
        while texts[self.index] != "}":
            first = self.index
            if not texts[first] or texts[first] in ("fragment", "graph"):
                raise SyntaxProblem(
                    first,
                    f"expected '}}' but found {self.found(first)}",
                    f"The body begins in line {self.report.line_of(opening)}.",
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
        """Skips the rest of an unreadable assignment, and keeps the names that it defines."""
        texts = self.texts
        index = max(self.index, first)
        if texts[wrong][:1] in ("'", '"') and ";" in texts[wrong]:
            # A string without an end has swallowed the semicolon.
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
        return Assignment(Items(tuple(names), False, first, index), None, first, index, sure)

    def _assignment(self) -> Assignment:
        texts, kinds = self.texts, self.kinds
        first = index = self.index
        target: Expression
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
            value = self._value()
        end = self.index
        if texts[end] == ";":
            self.index = end + 1
        else:
            self._missing_semicolon()
        return Assignment(target, value, first, end)

    def _value(self) -> Expression:
        value = self.read()
        texts = self.texts
        if type(value) is not Invocation:
            if texts[self.index] == ",":
                raise SyntaxProblem(
                    self.index,
                    "expected ';' but found ','",
                    "A tuple on the right-hand side stands in parentheses.",
                    "3.2.1",
                )
            self.uses_extension(value.at, "an assignment of an expression that is no invocation")
        return value

    def _missing_semicolon(self) -> None:
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
        items: list[Expression] = []
        while True:
            items.append(self.read())
            if self.texts[self.index] != ",":
                break
            self.index += 1
        target = items[0] if len(items) == 1 else Items(tuple(items), False, at, self.index)
        stack: list[Expression] = [target]
        while stack:
            node = stack.pop()
            if isinstance(node, Items):
                stack.extend(node.items)
            elif not isinstance(node, Name) and not (
                isinstance(node, Constant) and node.value == []
            ):
                self.extended = extended
                raise SyntaxProblem(
                    node.at,
                    "expected an identifier on the left-hand side of the assignment",
                    "It consists of identifiers, in arrays and tuples.",
                    "3.3.2",
                )
        return target

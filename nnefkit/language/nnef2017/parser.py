"""The grammar of the provisional specification (chapter 3), where it differs from 1.0."""

from __future__ import annotations

from nnefkit.language.nnef2017.report import ProvisionalReport, Upgrades
from nnefkit.language.nnef2017.rewritten_tokens import RewrittenTokens
from nnefkit.language.syntax.parser import Parser
from nnefkit.language.syntax.syntax_problems import SyntaxProblem
from nnefkit.language.syntax.trampoline import Call
from nnefkit.language.syntax.tree import Comprehension, Expression, Fragment, Invocation
from nnefkit.language.types import PRIMITIVES, PrimitiveType


class ProvisionalParser(Parser):
    """Parses a provisional document from rewritten tokens."""

    def __init__(
        self, tokens: RewrittenTokens, report: ProvisionalReport, upgrades: Upgrades
    ) -> None:
        super().__init__(tokens, report)
        self.written = tokens
        self.upgrades = upgrades
        self.in_graph = False
        """True if the parser is in the body of the graph, which is in flat syntax (3.2.4)."""

    def described(self, index: int) -> str:
        """Describe the token at an index in a message, as it is in the source."""
        text = self.texts[index]
        if not text or self.written.written(index) == text:
            return super().described(index)
        return f"'{self.written.written(index)}'" if text != ";" else "the end of the assignment"

    def expected(self, wanted: str, hint: str = "", section: str = "3.2.1") -> SyntaxProblem:
        """Return the problem that the next token is not what `wanted` describes."""
        problem = super().expected(wanted, hint, section)
        if self.written.written(self.index) != self.texts[self.index]:
            problem.message = f"expected {wanted} but found {self.described(self.index)}"
        return problem

    # -- the document ---------------------------------------------------------------------------

    def version(self) -> tuple[str, int] | None:
        """Parse the version, which may be missing."""
        if self.texts[0] == "version":
            return super().version()
        self.report.at(
            "missing-version",
            "the document does not begin with its version",
            0,
            hint="Since it is written like one, it is read as a provisional document.",
            section="3.2.4",
            severity="warning",
        )
        return None

    def fragment(self) -> Fragment:
        """Parse a fragment definition, which must have a body."""
        fragment = super().fragment()
        if fragment.body is None:
            self.problem(
                SyntaxProblem(
                    fragment.name_at,
                    f"the fragment '{fragment.name}' has no body",
                    "Fragments without a body exist since NNEF 1.0.",
                    "3.2.2",
                )
            )
        return fragment

    def generic_declaration(self) -> tuple[bool, PrimitiveType | None]:
        """Refuse generic fragments."""
        if self.texts[self.index] == "<":
            raise self.expected("'('", "Generic fragments exist since NNEF 1.0.", "3.2.2")
        return False, None

    # -- assignments ----------------------------------------------------------------------------

    def right_hand_side(self) -> Expression:
        """Parse what an assignment assigns; a tuple does not need parentheses."""
        value = self.read()
        if self.texts[self.index] == ",":
            value = self._bare_tuple(value)
        if type(value) is not Invocation:
            self.uses_extension(
                value.at, "an assignment of an expression that is not an invocation"
            )
        return value

    def _bare_tuple(self, first: Expression) -> Expression:
        elements = [first]
        comma = self.index
        while self.texts[self.index] == ",":
            self.index += 1
            elements.append(self.read())
        if self.texts[self.index] != ";":
            self.index = comma
            self.missing_semicolon()
        self.upgrades.note(
            "tuples on the right-hand side are written in parentheses since 1.0",
            self.tokens.span(first.at, self.index),
            "3.2.1",
        )
        return self.sequence(elements, first.at, is_array=False)

    def missing_semicolon(self) -> None:
        """Report a statement that does not end where the next one begins."""
        unmatched = self.texts[self.index] in (")", "]", "=", ",")
        hint = "Check the brackets: one may be missing, or one too many." if unmatched else ""
        raise self.expected("the next assignment or '}'", hint, "3.2.1")

    def uses_extension(self, first: int, construct: str) -> None:
        """Warn about the first expression in the graph, whose body is flat (3.2.4)."""
        super().uses_extension(first, construct)
        if self.in_graph:
            self.in_graph = False
            self.report.at(
                "graph-not-flat",
                f"{construct}, but provisional graphs are in flat syntax",
                first,
                max(self.index, first + 1),
                hint="It is read as in fragments.",
                section="3.2.4",
                severity="warning",
            )

    # -- expressions ----------------------------------------------------------------------------

    def generic_argument(self) -> PrimitiveType | None:
        """Refuse type arguments; ``<`` is always a comparison."""
        index = self.index
        if self.texts[index] == "<" and self.texts[index + 1] in PRIMITIVES:
            raise self.expected("'('", "Generic operations exist since NNEF 1.0.", "3.3.1")
        return None

    def binary(self, floor: int) -> Call[Expression]:
        """Parse binary operators that bind tighter than `floor`, except ``in``."""
        return super().binary(max(floor, 1))

    def array(self) -> Call[Expression]:
        """Parse an array or a comprehension, ``[expression for name in array if condition]``."""
        at = self.index
        plain = self.arrays.constant(at)
        if plain is not None:
            self.index = plain.end
            return plain
        self.index = at + 1
        elements: list[Expression] = []
        if self.texts[self.index] == "for":
            raise self.expected("an expression", "Write: [expression for name in array]", "3.2.3")
        if self.texts[self.index] != "]":
            elements.append((yield self.expression()))
            if self.texts[self.index] == "for":
                loop: Expression = yield self._loop(at, elements[0])
                return loop
            while self.texts[self.index] == ",":
                self.index += 1
                elements.append((yield self.expression()))
        if self.texts[self.index] != "]":
            raise self.expected("',' or ']'")
        self.index += 1
        return self.sequence(elements, at, is_array=True)

    def _loop(self, at: int, element: Expression) -> Call[Comprehension]:
        self.index += 1
        name = self.identifier("a loop variable", "3.2.3")
        self.expect("in", section="3.2.3")
        array = yield self.binary(0)
        condition: Expression | None = None
        if self.texts[self.index] == "if":
            self.index += 1
            condition = yield self.expression()
        hint = (
            "Loops over several arrays exist since NNEF 1.0."
            if self.texts[self.index] == ","
            else ""
        )
        self.expect("]", hint, "3.2.3")
        self.upgrades.note(
            "array comprehensions are written [for name in array yield expression] since 1.0",
            self.tokens.span(at, self.index),
            "3.2.3",
        )
        self.uses_extension(at, "an array comprehension")
        return Comprehension(((name, array),), condition, element, at, self.index)

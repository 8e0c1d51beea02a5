"""The grammar of the provisional specification, where it differs from that of 1.0 (chapter 3)."""

from __future__ import annotations

from nnefkit.language.nnef2017.report import ProvisionalReport, Upgrades
from nnefkit.language.nnef2017.rewritten_tokens import RewrittenTokens
from nnefkit.language.syntax.parser import Parser
from nnefkit.language.syntax.problems import SyntaxProblem
from nnefkit.language.syntax.trampoline import Call
from nnefkit.language.syntax.tree import Comprehension, Expression, Fragment, Invocation
from nnefkit.language.types import PRIMITIVES, PrimitiveType


class ProvisionalParser(Parser):
    """Reads a provisional document, whose tokens were rewritten before."""

    def __init__(
        self, tokens: RewrittenTokens, report: ProvisionalReport, upgrades: Upgrades
    ) -> None:
        super().__init__(tokens, report)
        self.written = tokens
        self.upgrades = upgrades
        self.in_graph = False
        """Whether the body of the graph is being read, which consists of flat syntax (3.2.4)."""

    def found(self, index: int) -> str:
        """What stands at a token, in the words of a message."""
        text = self.texts[index]
        if not text or self.written.written(index) == text:
            return super().found(index)
        return f"'{self.written.written(index)}'" if text != ";" else "the end of the assignment"

    def expected(self, what: str, hint: str = "", section: str = "3.2.1") -> SyntaxProblem:
        """The problem that something else than `what` stands at the cursor."""
        problem = super().expected(what, hint, section)
        if self.written.written(self.index) != self.texts[self.index]:
            problem.message = f"expected {what} but found {self.found(self.index)}"
        return problem

    # -- the document ---------------------------------------------------------------------------

    def _version(self) -> tuple[str, int] | None:
        if self.texts[0] == "version":
            return super()._version()
        self.report.at(
            "missing-version",
            "the document does not begin with its version",
            0,
            hint="It is written as those of the provisional specification are, and read as one.",
            section="3.2.4",
            severity="warning",
        )
        return None

    def _fragment(self) -> Fragment:
        fragment = super()._fragment()
        if fragment.body is None:
            self.problem(
                SyntaxProblem(
                    fragment.name_at,
                    f"the fragment '{fragment.name}' has no body",
                    "Fragments without a body came with NNEF 1.0.",
                    "3.2.2",
                )
            )
        return fragment

    def _generic_declaration(self) -> tuple[bool, PrimitiveType | None]:
        if self.texts[self.index] == "<":
            raise self.expected("'('", "Generic fragments came with NNEF 1.0.", "3.2.2")
        return False, None

    # -- assignments ----------------------------------------------------------------------------

    def _value(self) -> Expression:
        value = self.read()
        if self.texts[self.index] == ",":
            value = self._bare_tuple(value)
        if type(value) is not Invocation:
            self.uses_extension(value.at, "an assignment of an expression that is no invocation")
        return value

    def _bare_tuple(self, first: Expression) -> Expression:
        items = [first]
        comma = self.index
        while self.texts[self.index] == ",":
            self.index += 1
            items.append(self.read())
        if self.texts[self.index] != ";":
            self.index = comma
            self._missing_semicolon()
        self.upgrades.tell(
            "tuples on the right-hand side stand in parentheses since 1.0",
            self.tokens.span(first.at, self.index),
            "3.2.1",
        )
        return self._items(items, first.at, is_array=False)

    def _missing_semicolon(self) -> None:
        unmatched = self.texts[self.index] in (")", "]", "=", ",")
        hint = "Is a bracket missing, or one too many?" if unmatched else ""
        raise self.expected("the next assignment or '}'", hint, "3.2.1")

    def uses_extension(self, first: int, what: str) -> None:
        """Warns of the first expression in the graph, whose body is flat (3.2.4)."""
        super().uses_extension(first, what)
        if self.in_graph:
            self.in_graph = False
            self.report.at(
                "graph-not-flat",
                f"{what}, but graphs of the provisional specification use flat syntax only",
                first,
                max(self.index, first + 1),
                hint="It is read as fragments are.",
                section="3.2.4",
                severity="warning",
            )

    # -- expressions ----------------------------------------------------------------------------

    def generic_argument(self) -> PrimitiveType | None:
        """There are no generic operations: ``<`` compares."""
        index = self.index
        if self.texts[index] == "<" and self.texts[index + 1] in PRIMITIVES:
            raise self.expected("'('", "Generic operations came with NNEF 1.0.", "3.3.1")
        return None

    def binary(self, floor: int) -> Call[Expression]:
        """Reads operators that bind tighter than `floor`; ``in`` is none of them."""
        return super().binary(max(floor, 1))

    def array(self) -> Call[Expression]:
        """Reads an array or a comprehension, ``[item for name in array if condition]``."""
        at = self.index
        plain = self.arrays.constant(at)
        if plain is not None:
            self.index = plain.end
            return plain
        self.index = at + 1
        items: list[Expression] = []
        if self.texts[self.index] == "for":
            raise self.expected("an expression", "Write: [item for name in array]", "3.2.3")
        if self.texts[self.index] != "]":
            items.append((yield self.expression()))
            if self.texts[self.index] == "for":
                loop: Expression = yield self._loop(at, items[0])
                return loop
            while self.texts[self.index] == ",":
                self.index += 1
                items.append((yield self.expression()))
        if self.texts[self.index] != "]":
            raise self.expected("',' or ']'")
        self.index += 1
        return self._items(items, at, is_array=True)

    def _loop(self, at: int, item: Expression) -> Call[Comprehension]:
        self.index += 1
        name = self.identifier("a loop variable", "3.2.3")
        self.expect("in", section="3.2.3")
        array = yield self.binary(0)
        condition: Expression | None = None
        if self.texts[self.index] == "if":
            self.index += 1
            condition = yield self.expression()
        hint = "Loops over several arrays came with 1.0." if self.texts[self.index] == "," else ""
        self.expect("]", hint, "3.2.3")
        self.upgrades.tell(
            "array comprehensions are written [for name in array yield item] since 1.0",
            self.tokens.span(at, self.index),
            "3.2.3",
        )
        self.uses_extension(at, "an array comprehension")
        return Comprehension(((name, array),), condition, item, at, self.index)

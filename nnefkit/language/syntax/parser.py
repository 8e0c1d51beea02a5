"""The parser of documents, with recovery at the next ``;`` or ``}`` (A.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from nnefkit.errors import Span
from nnefkit.graph.dialect import is_of_tract
from nnefkit.language.report import Report
from nnefkit.language.syntax.bodies import BodyParser
from nnefkit.language.syntax.lexer import IDENTIFIER, LITERAL, WRONG, Tokens
from nnefkit.language.syntax.syntax_problems import SyntaxProblem
from nnefkit.language.syntax.trampoline import Call, run
from nnefkit.language.syntax.tree import (
    ArrayOrTuple,
    Assignment,
    Constant,
    Document,
    Extension,
    Fragment,
    GraphSyntax,
    Name,
    ParameterSyntax,
)
from nnefkit.language.types import (
    PRIMITIVES,
    PrimitiveType,
    Type,
    array_of,
    tensor_of,
    tuple_of,
)

BeginGraph: TypeAlias = Callable[[Document, GraphSyntax], Callable[[Assignment], None]]

_SECTIONS = frozenset(("version", "extension", "fragment", "graph", ""))
HEADER = "Write: graph name(inputs) -> (outputs) { ... }"
EXTENSION = "Write: extension NAME;"
KHRONOS = "KHR_"
"""The beginning of the names of Khronos' extensions."""
_WITH_EXPRESSION = frozenset(("tract_assert",))
"""Extensions of vendors whose argument is an expression, as in ``tract_assert N >= 1``."""
_VERSION = re.compile(r"[0-9]+\.[0-9]+")


class Parser(BodyParser):
    """Parses a document, and reports syntax errors."""

    def __init__(self, tokens: Tokens, report: Report) -> None:
        super().__init__(tokens, report)
        self.unread: set[str] = set()
        """Fragments whose definition has a syntax error: their calls are not checked."""
        self.of_tract = False
        """True in documents in tract's dialect, where fragments may have no parameters."""

    # -- the document (3.2.4) -----------------------------------------------------------------

    def document(self, begin: BeginGraph) -> Document:
        """Parse the whole document.

        Args:
            begin: Called with the part of the document before the graph and with the header of
                the graph; returns the function that is called with each assignment. Assignments
                are not stored.
        """
        self._check_byte_order_mark()
        version = self.version()
        extensions: list[Extension] = []
        fragments: list[Fragment] = []
        graph: GraphSyntax | None = None
        while self.texts[self.index]:
            text = self.texts[self.index]
            try:
                if text == "extension" and not fragments and graph is None:
                    extensions += self._extensions()
                    self.of_tract = is_of_tract(extension.text for extension in extensions)
                elif text == "fragment" and graph is None:
                    fragments.append(self.fragment())
                elif text == "graph" and graph is None:
                    header = self._graph_header()
                    graph = header
                    accept = begin(
                        Document(version, tuple(extensions), tuple(fragments), header), header
                    )
                    self.body(accept)
                else:
                    self._misplaced(text, graph is not None)
            except SyntaxProblem as problem:
                self.problem(problem)
                self._skip_section()
        if graph is None and self.tokens.count and self.sound:
            self.problem(
                SyntaxProblem(
                    self.tokens.count,
                    "the document has no graph",
                    "A document ends with: graph name(inputs) -> (outputs) { ... }",
                    "3.2.4",
                )
            )
        return Document(version, tuple(extensions), tuple(fragments), graph)

    def declarations(self) -> list[Fragment]:
        """Parse a text that consists of fragment definitions only."""
        fragments: list[Fragment] = []
        while self.texts[self.index]:
            try:
                fragments.append(self.fragment())
            except SyntaxProblem as problem:
                self.problem(problem)
                self._skip_section()
        return fragments

    def _check_byte_order_mark(self) -> None:
        if self.tokens.byte_order_mark:
            self.report.add(
                "byte-order-mark",
                "the text begins with a byte order mark",
                Span(0, 1),
                "NNEF documents consist of ASCII characters.",
                "3.1",
                "warning",
            )

    def _misplaced(self, text: str, after_graph: bool) -> None:
        if text == "graph":
            raise SyntaxProblem(
                self.index, "a second graph", "A document has one graph.", section="3.2.4"
            )
        if after_graph:
            raise SyntaxProblem(
                self.index,
                f"{self.described(self.index)} after the end of the graph",
                "The graph is the last part of a document.",
                section="3.2.4",
            )
        if text == "extension":
            raise SyntaxProblem(
                self.index,
                "an extension after a fragment",
                "Extensions come between the version and the first fragment.",
                section="3.2.4",
            )
        raise self.expected(
            "'extension', 'fragment' or 'graph'",
            "A document is: version 1.0; extensions; fragments; one graph.",
            section="3.2.4",
        )

    def _skip_section(self) -> None:
        self.index += 1
        while self.texts[self.index] not in _SECTIONS:
            self.index += 1

    def version(self) -> tuple[str, int] | None:
        """Parse ``version 1.0;``, and return the number and its token; None if it is wrong."""
        example = "The document begins with: version 1.0;"
        try:
            if not self.tokens.count:
                raise SyntaxProblem(0, "the document is empty", example, "3.2.4")
            self.expect("version", example, "3.2.4")
            index = self.index
            text = self.texts[index]
            if self.kinds[text] != LITERAL or not _VERSION.fullmatch(text):
                raise self.expected("a version number such as 1.0", example, "3.2.4")
            self.index += 1
            if self.texts[self.index] in ("extension", "fragment", "graph"):
                self._missing_after_version(index, example)
            else:
                self.expect(";", example, "3.2.4")
        except SyntaxProblem as problem:
            self.problem(problem)
            while self.texts[self.index] not in _SECTIONS and self.texts[self.index - 1] != ";":
                self.index += 1
            return None
        return text, index

    def _missing_after_version(self, index: int, example: str) -> None:
        self.report.add(
            "version-without-semicolon",
            "the version does not end with a semicolon",
            self.tokens.after(index),
            example,
            "3.2.4",
            "warning",
        )

    def _extensions(self) -> list[Extension]:
        self.index += 1
        comma = 0
        extensions = self._listed_extensions()
        while self.texts[self.index] == ",":
            comma = comma or self.index
            self.index += 1
            extensions += self._listed_extensions()
        if comma:
            self.report.at(
                "comma-between-extensions",
                "extensions are separated by spaces, not by commas",
                comma,
                hint="Write: extension A B; or one line for each extension.",
                section="3.2.4",
                severity="warning",
            )
        if self.texts[self.index] in _SECTIONS:
            # Only the semicolon is missing: the names count.
            self.problem(self.expected("';'", EXTENSION, "3.2.4"))
        else:
            self.expect(";", EXTENSION, "3.2.4")
        return extensions

    def _listed_extensions(self) -> list[Extension]:
        """Parse names up to a comma or the semicolon.

        Each name of Khronos is one extension. What follows the name of a vendor's extension may be
        its arguments, as in ``tract_registry tract_core``, and belongs to it.
        """
        extensions: list[Extension] = []
        first = self.identifier("the name of an extension", "3.2.4", EXTENSION)
        while first.name.startswith(KHRONOS):
            extensions.append(Extension(first.name, (first.name,), first.at, first.end))
            if self.kinds[self.texts[self.index]] != IDENTIFIER:
                return extensions
            first = self.identifier("the name of an extension", "3.2.4", EXTENSION)
        names = [first.name]
        if first.name in _WITH_EXPRESSION:
            while self._in_statement(self.texts[self.index]):
                self.index += 1
        while self.kinds[self.texts[self.index]] == IDENTIFIER:
            names.append(self.texts[self.index])
            self.index += 1
        text = self._written(first.at, self.index)
        extensions.append(Extension(text, tuple(names), first.at, self.index))
        return extensions

    def _in_statement(self, text: str) -> bool:
        return text != ";" and text not in _SECTIONS and self.kinds[text] != WRONG

    def _written(self, first: int, end: int) -> str:
        """Return the tokens from `first` up to `end` as a line, without comments."""
        tokens = self.tokens
        pieces = [self.texts[first]]
        for index in range(first + 1, end):
            if tokens.start(index) > tokens.ends[index - 1]:
                pieces.append(" ")
            pieces.append(self.texts[index])
        return "".join(pieces)

    # -- fragments (3.2.2) --------------------------------------------------------------------

    def fragment(self) -> Fragment:
        """Parse a fragment definition."""
        at = self.index
        self.expect("fragment")
        name = self.name("the name of the fragment", "3.2.2")
        self.unread.add(name.name)
        generic, default = self.generic_declaration()
        parameters = self._parameters("a parameter")
        self.expect("->", section="3.2.2")
        results = self._parameters("a result")
        header_end = self.index
        body: tuple[Assignment, ...] | None = None
        if self.texts[self.index] == ";":
            self.index += 1
        elif self.texts[self.index] == "{":
            assignments: list[Assignment] = []
            self.body(assignments.append)
            body = tuple(assignments)
        else:
            raise self.expected(
                "'{' or ';'", "A fragment has a body in braces, or ends with a semicolon.", "3.2.2"
            )
        self.unread.discard(name.name)
        return Fragment(
            name.name,
            generic,
            default,
            parameters,
            results,
            body,
            at,
            name.at,
            header_end,
            self.index,
        )

    def generic_declaration(self) -> tuple[bool, PrimitiveType | None]:
        """Parse ``<?>`` or ``<?=type>``; return whether it is there, and the default type."""
        if self.texts[self.index] != "<":
            return False, None
        self.index += 1
        self.expect("?", section="3.2.2")
        default: PrimitiveType | None = None
        if self.texts[self.index] == "=":
            self.index += 1
            default = self._primitive()
        self.expect(">", section="3.2.2")
        return True, default

    def _primitive(self) -> PrimitiveType:
        dtype = PRIMITIVES.get(self.texts[self.index])
        if dtype is None:
            raise self.expected(
                "a type", "The types are integer, scalar, logical, string and ?.", "3.3.1"
            )
        self.index += 1
        return dtype

    def _parameters(self, role: str) -> tuple[ParameterSyntax, ...]:
        self.expect("(", section="3.2.2")
        parameters: list[ParameterSyntax] = []
        if self.of_tract and self.texts[self.index] == ")" and role == "a parameter":
            self.index += 1
            return ()
        while True:
            name = self.name(f"the name of {role}", "3.2.2")
            self.expect(":", section="3.2.2")
            declared = run(self._type())
            default: Constant | None = None
            # The end of tensor<scalar>= is one token to the lexer.
            if self.texts[self.index] in ("=", ">=") and role == "a parameter":
                self.index += 1
                default = self._default()
            elif self.texts[self.index] == ">=":
                raise self.expected("'>'")
            parameters.append(ParameterSyntax(name.name, declared, default, name.at, self.index))
            if self.texts[self.index] == ")":
                self.index += 1
                return tuple(parameters)
            if self.texts[self.index] != ",":
                raise self.expected("',' or ')'", section="3.2.2")
            self.index += 1

    def _default(self) -> Constant:
        index = self.index
        extended = self.extended
        value = self.read()
        if not isinstance(value, Constant):
            self.extended = extended
            if isinstance(value, ArrayOrTuple):
                hint = "Its elements must be literals of one type."
            else:
                hint = "A default value consists of literals."
            raise SyntaxProblem(index, "expected a literal as the default value", hint, "3.2.2")
        return value

    def _type(self) -> Call[Type]:
        text = self.texts[self.index]
        parsed: Type
        if text == "tensor":
            self.index += 1
            self.expect("<", "Write the type of a tensor as tensor<scalar> or tensor<>.", "3.2.2")
            element = PRIMITIVES.get(self.texts[self.index])
            self.index += element is not None
            if self.texts[self.index] == ">":
                self.index += 1
            elif self.texts[self.index] != ">=":
                raise self.expected("'>'", section="3.2.2")
            parsed = tensor_of(element)
        elif text == "(":
            self.index += 1
            elements: list[Type] = [(yield self._type())]
            while self.texts[self.index] == ",":
                self.index += 1
                elements.append((yield self._type()))
            if len(elements) == 1:
                raise self.expected("','", "A tuple type has two or more elements.", "3.2.2")
            self.expect(")", section="3.2.2")
            parsed = tuple_of(elements)
        else:
            parsed = self._primitive()
        while self.texts[self.index] == "[":
            self.index += 1
            self.expect("]", section="3.2.2")
            parsed = array_of(parsed)
        return parsed

    # -- the graph (3.2.1) --------------------------------------------------------------------

    def _graph_header(self) -> GraphSyntax:
        at = self.index
        self.index += 1
        name = self.name("the name of the graph", "3.2.1", HEADER)
        parameters = self._identifiers("parameter")
        self.expect("->", HEADER)
        results = self._identifiers("result")
        return GraphSyntax(name.name, parameters, results, at, self.index)

    def _identifiers(self, role: str) -> tuple[Name, ...]:
        self.expect("(", HEADER)
        if self.texts[self.index] == ")":
            raise SyntaxProblem(self.index, f"a graph needs at least one {role}", HEADER)
        names = [self.name(f"the name of a {role}", "3.2.1")]
        while self.texts[self.index] == ",":
            self.index += 1
            names.append(self.name(f"the name of a {role}", "3.2.1"))
        self.expect(")", "Parameters and results of a graph have no types.", "3.2.1")
        return tuple(names)

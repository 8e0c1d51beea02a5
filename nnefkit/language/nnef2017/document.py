"""Parsing of provisional documents: from tokens to a graph of 1.0 and all diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nnefkit.graph import Graph
from nnefkit.language.declarations.declaration import (
    Declaration,
    check_declarations,
    declarations,
    declare,
)
from nnefkit.language.elaboration.assignments import Assignments
from nnefkit.language.nnef2017.declarations import Vocabulary, provisional_operations
from nnefkit.language.nnef2017.expansion import ProvisionalExpansion
from nnefkit.language.nnef2017.graph_builder import ProvisionalBuilder
from nnefkit.language.nnef2017.known_shapes import Infer
from nnefkit.language.nnef2017.parser import ProvisionalParser
from nnefkit.language.nnef2017.report import ProvisionalReport, Upgrades
from nnefkit.language.nnef2017.rewritten_tokens import rewritten
from nnefkit.language.syntax.lexer import Tokens
from nnefkit.language.syntax.tree import Assignment, Document, Fragment, GraphSyntax
from nnefkit.language.types import is_tensor


class ProvisionalReading:
    """The reading of one provisional document."""

    def __init__(
        self,
        tokens: Tokens,
        infer: Infer | None,
        registered: Mapping[str, Declaration],
        *,
        strict: bool,
    ) -> None:
        self.upgrades = Upgrades()
        self.tokens = rewritten(tokens, self.upgrades)
        self.report = ProvisionalReport(self.tokens)
        self.parser = ProvisionalParser(self.tokens, self.report, self.upgrades)
        self.infer = infer
        self.registered = registered
        self.strict = strict
        self.builder: ProvisionalBuilder | None = None
        self.declared: dict[str, Declaration] = {}
        """Empty: all fragments have bodies and are expanded."""

    def read(self) -> Graph | None:
        """Return the graph, or None if the text has none."""
        first = self.tokens.span(0, 2 if self.tokens.texts[0] == "version" else 1)
        self.upgrades.note(
            "the document follows the provisional specification of December 2017",
            first,
            "3.2.4",
            "It is converted to NNEF 1.0; saving the model writes the converted document.",
        )
        document = self.parser.document(self._begin)
        self._check_version(document)
        graph = None if self.builder is None else self.builder.finish()
        self.upgrades.report(self.report)
        return graph

    def _begin(self, document: Document, header: GraphSyntax) -> Callable[[Assignment], None]:
        vocabulary = Vocabulary(provisional_operations())
        check_declarations(document.fragments, self.report)
        fragments: list[Declaration] = []
        for fragment in document.fragments:
            if fragment.name in provisional_operations():
                self._check_redefinition(fragment)
                continue
            declaration = declare(_tensors_first(fragment), self.tokens)
            if vocabulary.setdefault(fragment.name, declaration) is declaration:
                fragments.append(declaration)
        if fragments:
            self.upgrades.note(
                "fragments need an extension since 1.0; here they are expanded",
                fragments[0].span,
                "3.2.2",
            )
        self.builder = ProvisionalBuilder(
            header,
            self.tokens,
            self.report,
            vocabulary,
            self.registered,
            self.upgrades,
            self.infer,
            strict=self.strict,
            unread=self.parser.unread,
        )
        expansion = ProvisionalExpansion(self.builder)
        for declaration in fragments:
            if declaration.body is not None:
                expansion.check(declaration)
        self.parser.in_graph = True
        return Assignments(self.builder, expansion).add

    def _check_redefinition(self, fragment: Fragment) -> None:
        if fragment.name not in declarations():
            self.report.at(
                "redefined-operation",
                f"'{fragment.name}' is an operation of the provisional specification and cannot be "
                "defined again",
                fragment.name_at,
                hint="Give the fragment another name.",
                section="3.3.2",
            )

    def _check_version(self, document: Document) -> None:
        if document.version is None:
            return
        text, at = document.version
        if text != "1.0":
            self.report.at(
                "unsupported-version",
                f"version {text} needs a semicolon",
                at,
                hint="Only provisional documents, whose version is 1.0, have no semicolon. Write: "
                f"version {text};",
                section="3.2.4",
            )


def _tensors_first(fragment: Fragment) -> Fragment:
    """Return the fragment with its tensors before its attributes, as 1.0 requires.

    Only tensors are positional arguments, so no invocation changes its meaning.
    """
    parameters = sorted(fragment.parameters, key=lambda parameter: not is_tensor(parameter.type))
    return fragment._replace(parameters=tuple(parameters))

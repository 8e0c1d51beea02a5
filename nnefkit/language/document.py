"""Parsing of documents: from a text to a graph and diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from nnefkit.collector import paused_collector
from nnefkit.errors import Diagnostic, Source, UnknownNameError, did_you_mean
from nnefkit.graph import FrozenDict, Graph
from nnefkit.graph.dialect import PROPERTIES, TRACT
from nnefkit.graph.extents import EXTENTS, input_shapes, recorded
from nnefkit.language import nnef2017
from nnefkit.language.declarations.custom_declarations import (
    EXPRESSIONS,
    FRAGMENTS,
    conflicting,
    with_definitions,
)
from nnefkit.language.declarations.declaration import (
    Declaration,
    check_declarations,
    declarations,
    declare,
)
from nnefkit.language.elaboration.assignments import Assignments
from nnefkit.language.elaboration.expansion import Expansion
from nnefkit.language.elaboration.graph_builder import GraphBuilder
from nnefkit.language.elaboration.invocations import ExpansionRules
from nnefkit.language.quantization_file import QuantizationReader, quantize_tensors
from nnefkit.language.replay.replay import Replay
from nnefkit.language.report import Report
from nnefkit.language.syntax.lexer import Tokens
from nnefkit.language.syntax.parser import Parser
from nnefkit.language.syntax.tree import Assignment, Document, GraphSyntax
from nnefkit.language.tract_dialect import rewritten


def parse(
    text: str,
    name: str = "graph.nnef",
    *,
    quantization: str | None = None,
    quantization_name: str = "graph.quant",
    strict: bool = True,
    expand: bool | Collection[str] = True,
    infer: Callable[[Graph], Graph] | None = None,
    customs: Mapping[str, Declaration] | None = None,
    replay: bool = True,
) -> tuple[Graph | None, list[Diagnostic]]:
    """Parse a document, and collect all diagnostics.

    Documents of the provisional specification of 2017 are recognized and converted to NNEF 1.0, all
    their fragments expanded; notes report what changed.

    Args:
        text: The text of the ``graph.nnef`` file.
        name: Its name in messages, such as a path.
        quantization: The text of the ``graph.quant`` file, None if there is none.
        quantization_name: Its name in messages.
        strict: True if unknown operations are errors; otherwise they become opaque operations, with
            a warning. Missing extensions and redefined compound standard operations are
            warnings, too; the definition of the document is expanded.
        expand: True to expand all fragments to standard operations, or the names of those to
            expand; calls of the others remain operations, defined in ``Graph.declarations``.
        infer: Fills in the shapes of a graph; ``shape_of`` needs it for computed tensors.
        customs: Declarations of registered custom operations by name; none by default.
        replay: True to replay assignments that repeat others instead of reading them again, which
            saves time and does not change the result.

    Returns:
        The graph and the diagnostics in the order of the text. If one of them is an error, the
        graph is incomplete, for further checks only, or None. Shapes and data are filled in as far
        as the text states them.

    Raises:
        UnknownNameError: `expand` names a fragment that the document does not define.
    """
    with paused_collector():
        tokens = Tokens(Source(text, name))
        old = nnef2017.recognized(tokens)
        registered = customs or {}
        reading: nnef2017.ProvisionalReading | _DocumentReading
        if old:
            reading = nnef2017.ProvisionalReading(tokens, infer, registered, strict=strict)
        else:
            reading = _DocumentReading(tokens, strict, expand, infer, registered, replay)
        graph = reading.read()
        if graph is not None and not old:
            graph = _with_record(graph, text, reading.report)
    if quantization is None:
        return graph, reading.report.diagnostics
    if isinstance(reading, _DocumentReading) and reading.parser.of_tract:
        reading.report.at(
            "tract-difference",
            "the quantization of documents in tract's dialect cannot be read",
            0,
            hint=f"Without the file {quantization_name}, the numbers are not quantized.",
            section="5.3",
        )
    reader = nnef2017.ProvisionalQuantizationReader if old else QuantizationReader
    quantized = reader(quantization, quantization_name, reading.declared, strict=strict)
    entries = quantized.entries()
    if graph is not None and not reading.report.errors:
        infos = quantize_tensors(graph, entries, quantized.report)
        tensors = {
            key: replace(tensor, quantization=infos[key]) if key in infos else tensor
            for key, tensor in graph.tensors.items()
        }
        graph = replace(graph, tensors=FrozenDict(tensors))
        if isinstance(reading, _DocumentReading):
            graph = with_definitions(graph, reading.declared, reading.extensions)
    return graph, reading.report.diagnostics + quantized.report.diagnostics


def _with_record(graph: Graph, text: str, report: Report) -> Graph:
    """Return the graph with the shapes that it was converted for, if its text records them."""
    record = recorded(text)
    if record is None:
        return graph
    for name, shape in input_shapes(graph.operations).items():
        if not record.covers(name, shape):
            report.add(
                "shape-mismatch",
                f"the text records that it was converted for another shape of '{name}'",
                graph.producers[name].span,
                "Convert the source again with an example of this shape. Remove the comment "
                "'# converted for: ...' if all operations are valid for it.",
                "4.1.1",
            )
    return replace(graph, provenance=FrozenDict({**graph.provenance, EXTENTS: record}))


class _DocumentReading:
    """The reading of one document of NNEF 1.0."""

    def __init__(
        self,
        tokens: Tokens,
        strict: bool,
        expand: bool | Collection[str],
        infer: Callable[[Graph], Graph] | None,
        registered: Mapping[str, Declaration],
        replay: bool,
    ) -> None:
        self.tokens = tokens
        self.report = Report(self.tokens)
        self.strict = strict
        self.expanded = None if expand is True else frozenset(expand or ())
        self.infer = infer
        self.registered = registered
        self.replay = replay
        self.parser = Parser(self.tokens, self.report)
        self.builder: GraphBuilder | None = None
        self.extensions: tuple[str, ...] = ()
        self.properties = ""
        """The definition of the properties in a document in tract's dialect."""
        self.redefined: dict[str, Declaration] = {}
        """The document's own definitions of standard operations, without `strict`."""
        self.declared: dict[str, Declaration] = {}
        """Declarations of the document itself, and registered ones that it uses."""

    def read(self) -> Graph | None:
        document = self._without_properties(self.parser.document(self._begin))
        self._check_version(document)
        self._check_extensions(document)
        if self.builder is None:
            return None
        graph = self.builder.finish()
        self._check_registered(graph)
        if self.properties:
            facts = FrozenDict({**graph.provenance, PROPERTIES: self.properties})
            graph = replace(graph, provenance=facts)
        return with_definitions(graph, self.declared, self.extensions)

    def _without_properties(self, document: Document) -> Document:
        """Return the document without the fragment that holds facts about its writer, if any."""
        if not self.parser.of_tract:
            return document
        for fragment in document.fragments:
            if fragment.name == PROPERTIES:
                span = self.tokens.span(fragment.at, fragment.end)
                self.properties = self.tokens.source.text[span.start : span.end]
        others = tuple(f for f in document.fragments if f.name != PROPERTIES)
        return document._replace(fragments=others)

    def _begin(self, document: Document, header: GraphSyntax) -> Callable[[Assignment], None]:
        document = self._without_properties(document)
        self.extensions = tuple(dict.fromkeys(e.text for e in document.extensions))
        known: Mapping[str, Declaration] = declarations()
        invalid: set[str] = set()
        if document.fragments:
            redefinable = () if self.strict else _redefinable()
            invalid = check_declarations(document.fragments, self.report, redefinable)
            for fragment in document.fragments:
                if fragment.name not in known:
                    self.declared.setdefault(fragment.name, declare(fragment, self.tokens))
                elif fragment.name in redefinable and fragment.body is not None:
                    self.redefined.setdefault(fragment.name, declare(fragment, self.tokens))
            known = {**known, **self.declared, **self.redefined}
        if not self.strict:
            known = {**self.registered, **known}
        self.builder = GraphBuilder(
            header,
            self.tokens,
            self.report,
            known,
            self.registered,
            strict=self.strict,
            infer=self.infer,
            unread=self.parser.unread,
            opaque_prefix=TRACT if self.parser.of_tract else "",
        )
        rules = ExpansionRules(fragments=self._expanded_fragments(), misdeclared=invalid)
        expansion = Expansion(self.builder, rules)
        for declaration in (*self.declared.values(), *self.redefined.values()):
            if declaration.body is not None:
                expansion.check(declaration)
        assignments = Assignments(self.builder, expansion)
        if self.parser.of_tract:
            symbols = {e.names[1] for e in document.extensions if e.names[0] == "tract_symbol"}
            return lambda each: assignments.add(rewritten(each, self.report, symbols))
        if not self.replay:
            return assignments.add
        replay = Replay(assignments)
        self.parser.repeated = replay.replayed
        return replay.add

    def _expanded_fragments(self) -> Collection[str] | None:
        fragments = [name for name, d in self.declared.items() if d.body is not None]
        for name in self.expanded or ():
            if name not in fragments:
                raise UnknownNameError(
                    f"the document defines no fragment '{name}' to expand",
                    hint=did_you_mean(name, fragments),
                )
        # Unexpanded calls would be those of the standard operation, also in other fragments.
        return None if self.redefined else self.expanded

    def _check_registered(self, graph: Graph) -> None:
        """Check declarations against registered ones; add registered ones that are used."""
        for declaration, registered in conflicting(self.declared.values(), self.registered):
            self.report.add(
                "declaration-mismatch",
                f"'{declaration.name}' is registered with other parameters or results",
                declaration.span,
                f"The registered declaration is: {registered.text} If that is another operation: "
                f"nk.unregister_operation('{declaration.name}').",
                "3.3.2",
            )
        for operation in graph.operations if self.registered else ():
            registered_one = self.registered.get(operation.name)
            if registered_one is None or operation.name in self.declared:
                continue
            self.declared[operation.name] = registered_one
            self.report.add(
                "undeclared-operation",
                f"'{operation.name}' is registered, but the document does not declare it",
                operation.span,
                f"Write between the version and the graph: extension {FRAGMENTS}; "
                f"{registered_one.text}",
                "3.2.2",
                "warning",
            )

    def _check_version(self, document: Document) -> None:
        if document.version is None:
            return
        text, at = document.version
        major, minor = text.split(".")
        if major.lstrip("0") != "1":
            self.report.at(
                "unsupported-version",
                f"version {text} of NNEF is not supported",
                at,
                hint="Supported are versions 1.x; their documents begin with: version 1.0;",
                section="3.2.4",
            )
        elif minor.strip("0"):
            self.report.at(
                "unknown-version",
                f"version {text} of NNEF is unknown; it is read as version 1.0",
                at,
                section="3.2.4",
                severity="warning",
            )

    def _check_extensions(self, document: Document) -> None:
        of_tract = [e for e in document.extensions if e.text.startswith(TRACT)]
        for extension in of_tract[:1]:
            self.report.at(
                "tract-document",
                "the document is in the dialect of tract",
                extension.at,
                extension.end,
                "Operations 'tract_...' are shown and saved, but not run.",
                "3.2.4",
                "note",
            )
        for extension in document.extensions:
            if extension.text not in (FRAGMENTS, EXPRESSIONS) and extension not in of_tract:
                nearest = self.report.suggest(extension.names[0], (FRAGMENTS, EXPRESSIONS))
                self.report.at(
                    "unknown-extension",
                    f"the extension '{extension.text}' is unknown",
                    extension.at,
                    extension.end,
                    hint=nearest or "The document is read as if it did not have it.",
                    section="3.2.4",
                    severity="warning",
                )
        declared = {name for extension in document.extensions for name in extension.names}
        # A graph that is saved declares the extensions that its definitions use.
        used = (FRAGMENTS, document.fragments), (EXPRESSIONS, self.parser.extended)
        self.extensions += tuple(name for name, use in used if use and name not in declared)
        if self.parser.of_tract:
            return
        if document.fragments and FRAGMENTS not in declared:
            fragment = document.fragments[0]
            self.report.at(
                "extension-not-enabled",
                "fragment definitions must be enabled by an extension",
                fragment.at,
                fragment.header_end,
                hint=f"Write after the version: extension {FRAGMENTS};",
                section="3.2.2",
                severity="error" if self.strict else "warning",
            )
        if self.parser.extended is not None and EXPRESSIONS not in declared:
            at, end, construct = self.parser.extended
            self.report.at(
                "extension-not-enabled",
                f"{construct} must be enabled by an extension",
                at,
                end,
                hint=f"Write after the version: extension {EXPRESSIONS};",
                section="3.2.3",
                severity="error" if self.strict else "warning",
            )


def _redefinable() -> Collection[str]:
    """Return the standard operations whose definition in the document can be expanded instead."""
    return {name for name, declared in declarations().items() if declared.body is not None}

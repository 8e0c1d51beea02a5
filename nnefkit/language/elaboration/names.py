"""Identifiers of the graph: each is defined once, before it is used (3.3.2)."""

from __future__ import annotations

from nnefkit.graph import Identifier
from nnefkit.language.report import Report
from nnefkit.language.syntax.tree import GraphSyntax, Name
from nnefkit.language.types import OPAQUE_TENSOR, UNKNOWN, Type

SECTION = "3.3.2"


class GraphNames:
    """What the identifiers of a graph are, and what is wrong with them."""

    def __init__(self, header: GraphSyntax, report: Report) -> None:
        self.header = header
        self.report = report
        self.types: dict[str, Type] = {}
        self.identifiers: dict[str, Identifier] = {}
        self.defined_at: dict[str, int] = {}
        self._parameters = {name.name for name in header.parameters}
        self.undefined: dict[str, int] = {}
        self._external: set[str] = set()
        self._vague: set[str] = set()

    @property
    def externals(self) -> int:
        """How many results of ``external`` there are."""
        return len(self._external)

    def suspect(self, name: Name) -> None:
        """Makes a name known that an assignment which cannot be read perhaps defines."""
        if name.name not in self.types:
            self.define(name, UNKNOWN)
            self._vague.add(name.name)

    def define(self, name: Name, kind: Type) -> Identifier:
        """Makes a name of the left-hand side known."""
        text = name.name
        if text in self.types and text not in self._vague:
            line = self.report.line_of(self.defined_at[text])
            self.report.at(
                "redefined-identifier",
                f"'{text}' is defined already",
                name.at,
                hint=f"The first definition stands in line {line}.",
                section=SECTION,
            )
            return self.identifiers[text]
        self._vague.discard(text)
        self.types[text] = kind
        self.defined_at[text] = name.at
        identifier = self.identifiers[text] = Identifier(text)
        return identifier

    def use(self, name: Name) -> Type:
        """The type of a name on the right-hand side, `UNKNOWN` if it is not defined."""
        kind = self.types.get(name.name)
        if kind is not None:
            return kind
        # Told at the end, when it is known whether the definition comes later.
        self.undefined.setdefault(name.name, name.at)
        return UNKNOWN

    def external(self, names: list[Name]) -> None:
        """Notes the results of an ``external`` operation."""
        for name in names:
            self._external.add(name.name)
            if name.name not in self._parameters:
                listed = ", ".join(parameter.name for parameter in self.header.parameters)
                self.report.at(
                    "external-not-parameter",
                    f"external '{name.name}' is not a parameter of the graph",
                    name.at,
                    hint=f"The parameters are {listed}; each is one external.",
                    section=SECTION,
                )

    def check(self) -> None:
        """Reports what can be said only when the whole body is known."""
        self._check_undefined()
        self._check_parameters()
        self._check_results()

    def _check_undefined(self) -> None:
        for name, at in self.undefined.items():
            later = self.defined_at.get(name)
            if later is not None:
                message = f"'{name}' is used before it is defined"
                hint = f"It is defined in line {self.report.line_of(later)}."
            elif name in self._parameters:
                continue  # told as a parameter that is not defined
            else:
                message = f"'{name}' is not defined"
                hint = self.report.suggest(name, self.types)
            self.report.at("undefined-identifier", message, at, hint=hint, section=SECTION)

    def _check_parameters(self) -> None:
        seen: set[str] = set()
        for parameter in self.header.parameters:
            name = parameter.name
            hint = f"Write: {name} = external(shape = [...]);"
            if name in seen:
                self.report.at(
                    "duplicate-parameter",
                    f"'{name}' occurs twice among the parameters of the graph",
                    parameter.at,
                    section=SECTION,
                )
            elif name not in self.types:
                self.report.at(
                    "undefined-parameter",
                    f"graph parameter '{name}' is not defined",
                    parameter.at,
                    hint=hint,
                    section=SECTION,
                )
            elif name not in self._external and self.types[name] not in (UNKNOWN, OPAQUE_TENSOR):
                self.report.at(
                    "parameter-not-external",
                    f"graph parameter '{name}' is not the result of an external operation",
                    self.defined_at[name],
                    hint=hint,
                    section=SECTION,
                )
            seen.add(name)

    def _check_results(self) -> None:
        for result in self.header.results:
            if result.name not in self.types and result.name not in self._parameters:
                self.report.at(
                    "undefined-result",
                    f"graph result '{result.name}' is not defined",
                    result.at,
                    hint=self.report.suggest(result.name, self.types),
                    section=SECTION,
                )

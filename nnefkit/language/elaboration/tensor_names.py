"""Names of tensors: those defined by the graph (3.3.2), and new ones for intermediate tensors."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

from nnefkit.graph import FrozenDict, Identifier, Operation, Tensor
from nnefkit.graph.operation import renamed
from nnefkit.language.report import Report
from nnefkit.language.syntax.tree import GraphSyntax, Name
from nnefkit.language.types import OPAQUE_TENSOR, UNKNOWN, Type

_SECTION = "3.3.2"


class GraphNames:
    """The identifiers of a graph; each is defined once, before it is used."""

    def __init__(self, header: GraphSyntax, report: Report) -> None:
        self.header = header
        self.report = report
        self.types: dict[str, Type] = {}
        self.identifiers: dict[str, Identifier] = {}
        self.defined_at: dict[str, int] = {}
        """Index of the defining token, by identifier."""
        self.undefined: dict[str, int] = {}
        """Index of the token, by identifier that was used before any definition."""
        self._parameters = {name.name for name in header.parameters}
        self._externals: set[str] = set()
        self._uncertain: set[str] = set()

    @property
    def externals(self) -> int:
        """Number of results of ``external`` operations."""
        return len(self._externals)

    def suspect(self, name: Name) -> None:
        """Define a name that an unreadable assignment may define, of unknown type."""
        if name.name not in self.types:
            self.define(name, UNKNOWN)
            self._uncertain.add(name.name)

    def define(self, name: Name, type_: Type) -> Identifier:
        """Define a name of the left-hand side; a second definition is reported."""
        text = name.name
        if text in self.types and text not in self._uncertain:
            line = self.report.line_of(self.defined_at[text])
            self.report.at(
                "redefined-identifier",
                f"'{text}' is defined already",
                name.at,
                hint=f"The first definition is on line {line}.",
                section=_SECTION,
            )
            return self.identifiers[text]
        self._uncertain.discard(text)
        self.types[text] = type_
        self.defined_at[text] = name.at
        identifier = self.identifiers[text] = Identifier(text)
        return identifier

    def use(self, name: Name) -> Type:
        """Return the type of a name on the right-hand side, `UNKNOWN` if it is not defined."""
        type_ = self.types.get(name.name)
        if type_ is not None:
            return type_
        # Reported at the end, when it is known whether a definition follows.
        self.undefined.setdefault(name.name, name.at)
        return UNKNOWN

    def add_externals(self, names: Iterable[Name]) -> None:
        """Record the results of an ``external`` operation; they must be graph parameters."""
        for name in names:
            self._externals.add(name.name)
            if name.name not in self._parameters:
                listed = ", ".join(parameter.name for parameter in self.header.parameters)
                self.report.at(
                    "external-not-parameter",
                    f"external '{name.name}' is not a parameter of the graph",
                    name.at,
                    hint=f"The parameters are {listed}; each is one external.",
                    section=_SECTION,
                )

    def check(self) -> None:
        """Report problems that only the whole body reveals."""
        if not self.types:
            return  # The body is empty, or could not be read at all, which is reported.
        self._check_undefined()
        self._check_parameters()
        self._check_results()

    def _check_undefined(self) -> None:
        for name, at in self.undefined.items():
            later = self.defined_at.get(name)
            if later is not None:
                message = f"'{name}' is used before it is defined"
                hint = f"It is defined on line {self.report.line_of(later)}."
            elif name in self._parameters:
                continue  # reported as an undefined parameter
            else:
                message = f"'{name}' is not defined"
                hint = self.report.suggest(name, self.types)
            self.report.at("undefined-identifier", message, at, hint=hint, section=_SECTION)

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
                    section=_SECTION,
                )
            elif name not in self.types:
                self.report.at(
                    "undefined-parameter",
                    f"graph parameter '{name}' is not defined",
                    parameter.at,
                    hint=hint,
                    section=_SECTION,
                )
            elif name not in self._externals and self.types[name] not in (UNKNOWN, OPAQUE_TENSOR):
                self.report.at(
                    "parameter-not-external",
                    f"graph parameter '{name}' is not the result of an external operation",
                    self.defined_at[name],
                    hint=hint,
                    section=_SECTION,
                )
            seen.add(name)

    def _check_results(self) -> None:
        seen: set[str] = set()
        for result in self.header.results:
            if result.name in seen:
                self.report.at(
                    "duplicate-parameter",
                    f"'{result.name}' occurs twice among the results of the graph",
                    result.at,
                    hint=f"A result has one name. For a second one, write: "
                    f"{result.name}_again = copy({result.name});",
                    section=_SECTION,
                )
            elif result.name not in self.types and result.name not in self._parameters:
                self.report.at(
                    "undefined-result",
                    f"graph result '{result.name}' is not defined",
                    result.at,
                    hint=self.report.suggest(result.name, self.types),
                    section=_SECTION,
                )
            seen.add(result.name)


class NewNames:
    """Names for intermediate tensors; one that turns out to be a result is renamed."""

    def __init__(self, taken: Container[str]) -> None:
        self._taken = taken
        """All identifiers of the text, wherever they occur."""
        self._counts: dict[str, int] = {}
        self._open: set[str] = set()
        """Names that have not been replaced by another one."""
        self.issued: dict[str, str] = {}
        """The base of each name, in the order of creation."""
        self.aliases: dict[str, str] = {}
        """The replacement of each name, in the order of renaming."""

    def unused(self, base: str) -> str:
        """Return a name that begins with `base` and is not in use."""
        while True:
            count = self._counts[base] = self._counts.get(base, 0) + 1
            name = base if count == 1 else f"{base}_{count}"
            if name not in self._taken and name not in self.issued:
                self.issued[name] = base
                self._open.add(name)
                return name

    def reserve(self, bases: Sequence[tuple[str, str]]) -> bool:
        """Issue chosen names.

        Args:
            bases: Pairs of a base and a name, as `unused` would return it for that base.

        Returns:
            True if all could be issued; if one of them could not, nothing is done.
        """
        for base, name in bases:
            if base in self._counts or name in self._taken or name in self.issued:
                return False
        for base, name in bases:
            self._counts[base] = self._counts.get(base, 0) + 1
            self.issued[name] = base
            self._open.add(name)
        return True

    def rename(self, tensor: str, name: str) -> bool:
        """Replace a name that was issued here by `name`; return False if that is not possible."""
        if tensor not in self._open:
            return False
        self._open.discard(tensor)
        self.aliases[tensor] = name
        return True

    def renamed(
        self, operations: list[Operation], tensors: Mapping[str, Tensor]
    ) -> tuple[Iterable[Operation], Mapping[str, Tensor]]:
        """Return operations and tensors with their final names."""
        aliases = self.aliases
        if not aliases:
            return operations, tensors
        final_operations = [
            replace(
                operation,
                inputs=FrozenDict(renamed(dict(operation.inputs), aliases)),
                outputs=FrozenDict(renamed(dict(operation.outputs), aliases)),
            )
            for operation in operations
        ]
        final_names = set(aliases.values())
        final_tensors = {
            aliases.get(name, name): replace(tensor, name=aliases.get(name, name))
            for name, tensor in tensors.items()
            if name in aliases or name not in final_names
        }
        return final_operations, final_tensors

"""The operations and tensors of a graph while it is built."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from nnefkit.errors import Span
from nnefkit.graph import FrozenDict, FrozenList, Graph, Identifier, Operation, Tensor
from nnefkit.graph.construction import new_operation, new_tensor
from nnefkit.language.declarations.binding import Binding
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.declarations.opaque import holds_tensor, opaque_declaration
from nnefkit.language.elaboration.deprecated import DEPRECATED, report_deprecated
from nnefkit.language.elaboration.scopes import Refused
from nnefkit.language.elaboration.sources import source_tensor
from nnefkit.language.elaboration.tensor_names import GraphNames, NewNames
from nnefkit.language.report import Report
from nnefkit.language.syntax.lexer import Tokens
from nnefkit.language.syntax.tree import Expression, GraphSyntax, Invocation, Name
from nnefkit.language.types import UNKNOWN, Type, dtype_of


class GraphBuilder:
    """Collects the operations and tensors of a graph, and reports violated rules of operations.

    It does not evaluate expressions; `Expansion` emits operations into it. `emit`,
    `add`, `declare_unknown`, `report_unknown`, `check_invocation` and `finish` are hooks for other
    versions of the language.
    """

    def __init__(
        self,
        header: GraphSyntax,
        tokens: Tokens,
        report: Report,
        declarations: Mapping[str, Declaration],
        customs: Mapping[str, Declaration] = MappingProxyType({}),
        *,
        strict: bool = True,
        infer: Callable[[Graph], Graph] | None = None,
        taken: Container[str] | None = None,
        unread: Container[str] = (),
        opaque_prefix: str = "",
    ) -> None:
        self.header = header
        self.tokens = tokens
        self.report = report
        self.declarations = declarations
        self.customs = customs
        """Registered custom operations, which the document may use once it declares them."""
        self.unread = unread
        """Fragments of the document whose definition has a syntax error."""
        self.strict = strict
        self.opaque_prefix = opaque_prefix
        """Unknown operations whose names begin like this are opaque in any case, if not empty."""
        self.infer = infer
        """Fills in the shapes of a graph, for ``shape_of``."""
        self.names = GraphNames(header, report)
        # Names are taken wherever they occur in the text, before or after.
        self.new_names = NewNames(tokens.kinds if taken is None else taken)
        self.operations: list[Operation] = []
        self.tensors: dict[str, Tensor] = {}

    # -- operations ---------------------------------------------------------------------------

    def emit(
        self,
        declaration: Declaration,
        binding: Binding,
        values: Sequence[Any],
        outputs: Mapping[str, Any],
        span: Span | None,
        scope: tuple[str, ...] = (),
    ) -> None:
        """Add an operation and its results.

        Args:
            declaration: The operation.
            binding: The arguments of its parameters.
            values: Their values.
            outputs: By formal name, the identifier of a result, or a list of them.
            span: Its position in the text.
            scope: The fragment calls that it comes from, outermost first.
        """
        inputs = _arguments(declaration.inputs, binding.slots, values)
        attribs = _arguments(declaration.attributes, binding.slots, values)
        if declaration.opaque:
            # Named arguments of an unknown operation are tensors if their values are.
            inputs |= {name: value for name, value in attribs.items() if holds_tensor(value)}
            attribs = {name: value for name, value in attribs.items() if name not in inputs}
        operation = declaration.name
        dtype = binding.dtype.name if binding.dtype else None
        results = {
            name: FrozenList(value) if type(value) is list else value
            for name, value in outputs.items()
        }
        self.add(
            new_operation(
                operation,
                FrozenDict(inputs),
                FrozenDict(results),
                FrozenDict(attribs),
                dtype,
                scope,
                span,
            )
        )
        if not declaration.inputs and declaration.standard:
            name = next(iter(outputs.values()))
            self.tensors[name] = source_tensor(operation, name, dtype or "scalar", attribs)
            return
        for value, type_ in zip(outputs.values(), binding.results, strict=True):
            if type(value) is Identifier:
                self.tensors[value] = new_tensor(value, dtype_of(type_) or "scalar")
            else:
                self._add_tensors(value, type_)

    def add(self, operation: Operation) -> None:
        """Append an operation to the graph."""
        self.operations.append(operation)

    def _add_tensors(self, value: Any, type_: Type) -> None:
        stack = [(value, type_)]
        while stack:
            value, type_ = stack.pop()
            if isinstance(value, str):
                self.tensors[value] = new_tensor(value, dtype_of(type_) or "scalar")
            else:
                element = getattr(type_, "element", UNKNOWN)
                stack.extend((part, element) for part in reversed(value))

    # -- rules --------------------------------------------------------------------------------

    def check_invocation(self, invocation: Invocation, names: list[Name] | None) -> None:
        """Check the rules for inputs and for deprecated operations.

        Args:
            invocation: An invocation in the graph.
            names: The names that it is assigned to, None inside of an expression.
        """
        name = invocation.name
        if name == "external" and names is None:
            self.report.at(
                "external-not-parameter",
                "an external must be assigned to a parameter of the graph",
                invocation.at,
                invocation.end,
                section="3.3.2",
            )
        elif name == "external":
            self.names.add_externals(names or [])
        elif name in DEPRECATED:
            report_deprecated(invocation, self.report)

    def declare_unknown(
        self, invocation: Invocation, target: Expression | None, report: Report
    ) -> Declaration:
        """Return a declaration for an unknown operation.

        Args:
            invocation: Its invocation, whose arguments become the parameters.
            target: The left-hand side that it is assigned to, None inside of an expression.
            report: The report of the text with the invocation.

        Raises:
            Refused: Unknown operations are errors; it is reported.
        """
        name = invocation.name
        if name in self.unread:
            raise Refused
        own = bool(self.opaque_prefix) and name.startswith(self.opaque_prefix)
        if self.strict and not own:
            self.report_unknown(invocation, report)
            raise Refused
        report.at(
            "unknown-operation",
            f"there is no operation '{name}'; it is read as an opaque one",
            invocation.at,
            hint=report.suggest(name, self.declarations),
            section="3.3.2",
            severity="warning",
        )
        return opaque_declaration(invocation, target)

    def report_unknown(self, invocation: Invocation, report: Report) -> None:
        """Report an unknown operation."""
        name = invocation.name
        custom = self.customs.get(name)
        if custom is not None:
            hint = (
                "It is registered, but the document must declare it: write between the version and "
                "the graph: extension KHR_enable_fragment_definitions; " + custom.text
            )
        else:
            hint = report.suggest(name, self.declarations) or (
                "strict=False reads unknown operations as opaque ones."
            )
        report.at(
            "unknown-operation",
            f"there is no operation '{name}'",
            invocation.at,
            hint=hint,
            section="3.3.2",
        )

    # -- the graph ----------------------------------------------------------------------------

    def graph_so_far(self) -> Graph:
        """Return the part of the graph that was built, with names that may not be final."""
        operations = tuple(self.operations)
        return Graph(self.header.name, (), (), operations, FrozenDict(self.tensors))

    def finish(self) -> Graph:
        """Return the graph, after the checks that need the whole body.

        If the report has errors, operations are missing; all identifiers that they define are
        tensors without a shape, so that the rest can be checked further.
        """
        self.names.check()
        for name, type_ in self.names.types.items():
            if name not in self.tensors:
                self.tensors[name] = Tensor(name, dtype_of(type_) or "scalar")
        operations, tensors = self.new_names.renamed(self.operations, self.tensors)
        return Graph(
            self.header.name,
            tuple(name.name for name in self.header.parameters),
            tuple(name.name for name in self.header.results),
            tuple(operations),
            FrozenDict(tensors),
            source=self.tokens.source,
        )


def _arguments(
    parameters: Sequence[tuple[str, int, Any]], slots: Sequence[int | None], values: Sequence[Any]
) -> dict[str, Any]:
    """Return the argument or the default value of each parameter, arrays frozen."""
    return {
        name: default
        if (slot := slots[position]) is None
        else FrozenList(value)
        if type(value := values[slot]) is list
        else value
        for name, position, default in parameters
    }

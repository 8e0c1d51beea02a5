"""The operations of a graph, one assignment after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from nnefkit.errors import Span
from nnefkit.graph import FrozenDict, FrozenList, Graph, Identifier, Operation, Tensor
from nnefkit.graph.drafts import new_operation, new_tensor
from nnefkit.language.declarations.binding import Binding, bind_arguments
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.declarations.opaque import holds_tensor, opaque_declaration
from nnefkit.language.elaboration.expansion import Expansion
from nnefkit.language.elaboration.names import GraphNames
from nnefkit.language.elaboration.sources import introduced_tensor
from nnefkit.language.elaboration.targets import Refused, Target
from nnefkit.language.replay.replay import Stamps
from nnefkit.language.report import Report
from nnefkit.language.syntax.lexer import Tokens
from nnefkit.language.syntax.tree import (
    Argument,
    Assignment,
    Constant,
    Expression,
    GraphSyntax,
    Invocation,
    Items,
    Name,
    names_of,
)
from nnefkit.language.types import (
    UNKNOWN,
    TensorType,
    Type,
    array_of,
    common_type_of,
    dtype_of,
)

DEPRECATED = {"linear_quantize": "min_max_linear_quantize"}
_SPECIAL = frozenset(("external", *DEPRECATED))


class GraphBuilder:
    """Collects the operations and tensors of a graph, and reports what breaks the rules."""

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
    ) -> None:
        self.header = header
        self.tokens = tokens
        self.report = report
        self.declarations = declarations
        self.customs = customs
        """Registered custom operations, which the document may use once it declares them."""
        self.strict = strict
        self.infer = infer
        """Fills in the shapes of a graph, for ``shape_of``."""
        self.names = GraphNames(header, report)
        self.operations: list[Operation] = []
        self.tensors: dict[str, Tensor] = {}
        # All identifiers of the text are taken, whether they come before or after.
        self.expansion = Expansion(self, tokens.kinds)
        self.stamps = Stamps(self)

    # -- assignments --------------------------------------------------------------------------

    def assignment(self, assignment: Assignment) -> None:
        """Adds the operations of one assignment."""
        value = assignment.value
        recorded = self.stamps.before(assignment)
        try:
            if value is None:
                raise Refused
            if type(value) is not Invocation or not self._invocation(assignment, value):
                self.expansion.assign(assignment)
        except Refused:
            self._give_up(assignment)
        if recorded is not None:
            self.stamps.after(recorded)

    def _give_up(self, assignment: Assignment) -> None:
        for name in names_of(assignment.target):
            if not assignment.sure:
                self.names.suspect(name)
            elif name.name not in self.names.types:
                self.names.define(name, UNKNOWN)

    def _invocation(self, assignment: Assignment, invocation: Invocation) -> bool:
        """Adds a flat invocation; False, and nothing done, if it is not flat."""
        declaration = self.declarations.get(invocation.name)
        if declaration is not None and declaration.body is not None and not declaration.standard:
            return False
        values, kinds = self._flat_arguments(invocation.arguments)
        if values is None:
            return False
        if declaration is not None and declaration.name in self.expansion.calls.misdeclared:
            return False
        if declaration is None:
            declaration = self.opaque(invocation, assignment.target, self.report)
        binding = bind_arguments(declaration, invocation, kinds, self.report)
        if invocation.name in _SPECIAL:
            self.special(invocation, names_of(assignment.target))
        target, results = assignment.target, declaration.results
        outputs: dict[str, Any]
        if type(target) is Name and len(results) == 1 and type(binding.results[0]) is TensorType:
            outputs = {results[0].name: self.names.define(target, binding.results[0])}
        else:
            errors = self.report.errors
            side = Target(target, self.report, self.names.define)
            outputs = side.outputs(declaration, binding.results)
            if self.report.errors > errors:
                return True
        if binding.sound:
            span = self.tokens.span(assignment.at, assignment.end)
            self.emit(declaration, binding, values, outputs, span)
        return True

    def _flat_arguments(self, arguments: Sequence[Argument]) -> tuple[list[Any] | None, list[Type]]:
        """Values and types of arguments; None for the values if some need to be evaluated."""
        values: list[Any] = []
        kinds: list[Type] = []
        types, identifiers = self.names.types, self.names.identifiers
        for argument in arguments:
            node: Expression = argument.value
            if type(node) is Constant:
                kinds.append(node.type)
                values.append(node.value)
            elif type(node) is Name:
                kinds.append(types.get(node.name) or self.names.use(node))
                values.append(identifiers.get(node.name) or Identifier(node.name))
            elif (
                type(node) is Items
                and node.is_array
                and all(type(item) is Name and item.name in types for item in node.items)
            ):
                common = common_type_of(types[item.name] for item in node.items)  # type: ignore[union-attr]
                if common is None:
                    return None, kinds
                kinds.append(array_of(common))
                values.append([identifiers[item.name] for item in node.items])  # type: ignore[union-attr]
            else:
                return None, kinds
        return values, kinds

    def special(self, invocation: Invocation, names: list[Name] | None) -> None:
        """The rules for inputs, and for deprecated operations; `names` of the results if any."""
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
            self.names.external(names or [])
        elif name in DEPRECATED:
            self.report.at(
                "deprecated-operation",
                f"'{name}' is deprecated",
                invocation.at,
                hint=f"Its new name is {DEPRECATED[name]}.",
                section="4.9.5",
                severity="warning",
            )

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
        """Adds an operation and its results."""
        slots = binding.slots
        inputs = {
            name: default
            if (slot := slots[position]) is None
            else FrozenList(value)
            if type(value := values[slot]) is list
            else value
            for name, position, default in declaration.inputs
        }
        attribs = {
            name: default
            if (slot := slots[position]) is None
            else FrozenList(value)
            if type(value := values[slot]) is list
            else value
            for name, position, default in declaration.attributes
        }
        if declaration.opaque:
            # Only now it is known which of the arguments that have a name are tensors.
            inputs |= {name: value for name, value in attribs.items() if holds_tensor(value)}
            attribs = {name: value for name, value in attribs.items() if name not in inputs}
        operation = declaration.name
        dtype = binding.dtype.name if binding.dtype else None
        self._add(operation, inputs, outputs, attribs, dtype, scope, span)
        if not declaration.inputs and declaration.standard:
            name = next(iter(outputs.values()))
            self.tensors[name] = introduced_tensor(operation, name, dtype or "scalar", attribs)
            return
        for value, kind in zip(outputs.values(), binding.results, strict=True):
            self._add_tensors(value, kind)

    def _add(
        self,
        operation: str,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any],
        attribs: Mapping[str, Any],
        dtype: str | None,
        scope: tuple[str, ...],
        span: Span | None,
    ) -> None:
        self.operations.append(
            new_operation(
                operation,
                FrozenDict(inputs),
                FrozenDict(
                    {
                        name: FrozenList(value) if type(value) is list else value
                        for name, value in outputs.items()
                    }
                ),
                FrozenDict(attribs),
                dtype,
                scope,
                span,
            )
        )

    def _add_tensors(self, value: Any, kind: Type) -> None:
        if isinstance(value, str):
            self.tensors[value] = new_tensor(value, dtype_of(kind) or "scalar")
            return
        stack = [(value, kind)]
        while stack:
            value, kind = stack.pop()
            if isinstance(value, str):
                self.tensors[value] = new_tensor(value, dtype_of(kind) or "scalar")
            else:
                item = getattr(kind, "item", UNKNOWN)
                stack.extend((part, item) for part in reversed(value))

    # -- operations that are not known ---------------------------------------------------------

    def opaque(
        self, invocation: Invocation, target: Expression | None, report: Report
    ) -> Declaration:
        """What stands for an operation that is not known.

        Raises:
            Refused: there must be none; it is reported.
        """
        if self.strict:
            raise self.unknown(invocation, report)
        name = invocation.name
        report.at(
            "unknown-operation",
            f"there is no operation '{name}'; it is kept as an opaque one",
            invocation.at,
            hint=report.suggest(name, self.declarations),
            section="3.3.2",
            severity="warning",
        )
        return opaque_declaration(invocation, target)

    def unknown(self, invocation: Invocation, report: Report) -> Refused:
        """Reports an operation that is not known."""
        name = invocation.name
        custom = self.customs.get(name)
        if custom is not None:
            remedy = (
                "It is registered, but the document must declare it: write between the version and "
                "the graph: extension KHR_enable_fragment_definitions; " + custom.text
            )
        else:
            remedy = "strict=False keeps operations that are not known, as opaque ones."
        report.at(
            "unknown-operation",
            f"there is no operation '{name}'",
            invocation.at,
            hint=(custom is None and report.suggest(name, self.declarations)) or remedy,
            section="3.3.2",
        )
        return Refused()

    # -- the end ------------------------------------------------------------------------------

    def so_far(self) -> Graph:
        """The part of the graph that stands already, the names of tensors perhaps not final."""
        operations = tuple(self.operations)
        return Graph(self.header.name, (), (), operations, FrozenDict(self.tensors))

    def finish(self) -> Graph:
        """The graph.

        If the report has errors, operations are missing in it; all that they define is there as
        tensors without a shape, so that the rest can be checked further.
        """
        self.names.check()
        for name, kind in self.names.types.items():
            if name not in self.tensors:
                self.tensors[name] = Tensor(name, dtype_of(kind) or "scalar")
        operations, tensors = self.expansion.fresh.renamed(self.operations, self.tensors)
        return Graph(
            self.header.name,
            tuple(name.name for name in self.header.parameters),
            tuple(name.name for name in self.header.results),
            tuple(operations),
            FrozenDict(tensors),
            source=self.tokens.source,
        )

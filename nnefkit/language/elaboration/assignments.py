"""Assignments of a graph, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnefkit.graph import Identifier
from nnefkit.language.declarations.binding import Binding, bind_arguments
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.elaboration.deprecated import DEPRECATED
from nnefkit.language.elaboration.expansion import Expansion
from nnefkit.language.elaboration.graph_builder import GraphBuilder
from nnefkit.language.elaboration.scopes import Refused
from nnefkit.language.elaboration.targets import Target
from nnefkit.language.syntax.tree import (
    Argument,
    ArrayOrTuple,
    Assignment,
    Constant,
    Expression,
    Invocation,
    Name,
    names_of,
)
from nnefkit.language.types import UNKNOWN, TensorType, Type, array_of, common_type_of

_CHECKED = frozenset(("external", *DEPRECATED))
"""Operations that `GraphBuilder.check_invocation` has rules for."""


class Assignments:
    """Adds the assignments of a graph: flat invocations directly, others by expansion."""

    def __init__(self, builder: GraphBuilder, expansion: Expansion) -> None:
        self.builder = builder
        self.expansion = expansion

    def add(self, assignment: Assignment) -> None:
        """Add the operations of one assignment; its errors are reported."""
        value = assignment.value
        try:
            if value is None:
                raise Refused
            if type(value) is not Invocation or not self._add_flat(assignment, value):
                self.expansion.assign(assignment)
        except Refused:
            names = self.builder.names
            for name in names_of(assignment.target):
                if not assignment.sure:
                    names.suspect(name)
                elif name.name not in names.types:
                    names.define(name, UNKNOWN)

    def _add_flat(self, assignment: Assignment, invocation: Invocation) -> bool:
        """Add a flat invocation; do nothing and return False if it is not flat."""
        builder = self.builder
        declaration = builder.declarations.get(invocation.name)
        if declaration is not None and declaration.body is not None and not declaration.standard:
            return False
        values, types = self._flat_arguments(invocation.arguments)
        if values is None:
            return False
        if declaration is None:
            declaration = builder.declare_unknown(invocation, assignment.target, builder.report)
        elif declaration.name in self.expansion.rules.misdeclared:
            return False
        binding = bind_arguments(declaration, invocation, types, builder.report)
        if invocation.name in _CHECKED:
            builder.check_invocation(invocation, names_of(assignment.target))
        target, results = assignment.target, declaration.results
        outputs: dict[str, Any]
        if type(target) is Name and len(results) == 1 and type(binding.results[0]) is TensorType:
            outputs = {results[0].name: builder.names.define(target, binding.results[0])}
        else:
            errors = builder.report.errors
            left_side = Target(target, builder.report, builder.names.define)
            outputs = left_side.outputs(declaration, binding.results)
            if builder.report.errors > errors:
                return True
        if binding.sound and (UNKNOWN not in types or _is_known(declaration, binding, types)):
            span = builder.tokens.span(assignment.at, assignment.end)
            builder.emit(declaration, binding, values, outputs, span)
        return True

    def _flat_arguments(self, arguments: Sequence[Argument]) -> tuple[list[Any] | None, list[Type]]:
        """Return values and types of arguments; None for the values if some are not flat."""
        values: list[Any] = []
        types: list[Type] = []
        names = self.builder.names
        for argument in arguments:
            node: Expression = argument.value
            if type(node) is Constant:
                types.append(node.type)
                values.append(node.value)
            elif type(node) is Name:
                types.append(names.types.get(node.name) or names.use(node))
                values.append(names.identifiers.get(node.name) or Identifier(node.name))
            elif type(node) is ArrayOrTuple and node.is_array:
                identifiers, common = self._flat_array(node)
                if identifiers is None:
                    return None, types
                types.append(array_of(common))
                values.append(identifiers)
            else:
                return None, types
        return values, types

    def _flat_array(self, node: ArrayOrTuple) -> tuple[list[Identifier] | None, Type]:
        """Return the identifiers of an array and their type; None if it holds anything else."""
        names = self.builder.names
        elements = [element.name for element in node.elements if type(element) is Name]
        if len(elements) < len(node.elements) or not all(
            element in names.types for element in elements
        ):
            return None, UNKNOWN
        common = common_type_of(names.types[element] for element in elements)
        if common is None:
            return None, UNKNOWN
        return [names.identifiers[element] for element in elements], common


def _is_known(declaration: Declaration, binding: Binding, types: Sequence[Type]) -> bool:
    """Return whether no attribute is a name without a definition, which is reported elsewhere."""
    slots = (binding.slots[position] for _, position, _ in declaration.attributes)
    return declaration.opaque or all(s is None or types[s] is not UNKNOWN for s in slots)

"""The quantization file (section 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from nnefkit.display import nnef_text
from nnefkit.errors import Diagnostic, Source
from nnefkit.graph import FrozenDict, Graph
from nnefkit.language.declarations.declaration import REQUIRED, Declaration, Parameter, declarations
from nnefkit.language.elaboration.deprecated import DEPRECATED, report_deprecated
from nnefkit.language.report import Report
from nnefkit.language.syntax.expressions import ExpressionParser
from nnefkit.language.syntax.lexer import IDENTIFIER, LITERAL, Tokens
from nnefkit.language.syntax.syntax_problems import SyntaxProblem
from nnefkit.language.syntax.trampoline import run
from nnefkit.language.syntax.tree import Argument, ArrayOrTuple, Constant, Invocation
from nnefkit.language.types import ArrayType, TensorType, castable

SECTION = "5.3"


class QuantizationLine(NamedTuple):
    """A line of the file."""

    tensor: str
    at: int
    values: Mapping[str, Any]


def parse_quantization(
    text: str,
    name: str = "graph.quant",
    customs: Mapping[str, Declaration] | None = None,
    *,
    strict: bool = True,
) -> tuple[dict[str, Mapping[str, Any]], list[Diagnostic]]:
    """Parse a quantization file.

    Args:
        text: The text of the file.
        name: The name of the file in messages.
        customs: Declarations of the operations that the document itself defines.
        strict: True if an unknown operation is an error; otherwise it is retained, with a warning.

    Returns:
        By tensor name, ``{"op-name": operation, **arguments}`` with default values filled in; and
        the diagnostics. The tensors are not checked against a graph.
    """
    reader = QuantizationReader(text, name, customs or {}, strict=strict)
    quantization = {entry.tensor: entry.values for entry in reader.entries()}
    return quantization, reader.report.diagnostics


def quantize_tensors(
    graph: Graph, entries: list[QuantizationLine], report: Report
) -> dict[str, Any]:
    """Return the quantization by tensor of `graph`; report entries for unknown tensors."""
    quantization: dict[str, Any] = {}
    labels: dict[str, str] | None = None
    for entry in entries:
        if entry.tensor in graph.tensors:
            quantization[entry.tensor] = entry.values
            continue
        if labels is None:
            labels = {v.label: v.name for v in graph.variables if v.label}
        if entry.tensor in labels:
            hint = f"This is a label; the tensor of the variable is '{labels[entry.tensor]}'."
        else:
            hint = report.suggest(entry.tensor, graph.tensors)
        report.at(
            "unknown-tensor",
            f"the graph has no tensor '{entry.tensor}'",
            entry.at,
            hint=hint,
            section=SECTION,
        )
    return quantization


def print_quantization(graph: Graph) -> str:
    """Return the text of the quantization file of a graph; empty if no tensor is quantized."""
    lines: list[str] = []
    for tensor in graph.tensors.values():
        if tensor.quantization:
            arguments = dict(tensor.quantization)
            operation = arguments.pop("op-name")
            listed = ", ".join(f"{k} = {nnef_text.literal(v)}" for k, v in arguments.items())
            lines.append(f'"{tensor.name}": {operation}({listed});\n')
    return "".join(lines)


class QuantizationReader(ExpressionParser):
    """Parses the lines of a quantization file, and reports errors."""

    def __init__(
        self, text: str, name: str, customs: Mapping[str, Declaration], *, strict: bool
    ) -> None:
        super().__init__(Tokens(Source(text, name)))
        self.report = Report(self.tokens)
        self.customs = customs
        self.strict = strict

    def entries(self) -> list[QuantizationLine]:
        """Return all valid lines."""
        entries: list[QuantizationLine] = []
        seen: dict[str, int] = {}
        while self.texts[self.index]:
            first = self.index
            try:
                tensor, invocation = self._line()
            except SyntaxProblem as problem:
                end = min(problem.index, max(self.tokens.count - 1, 0))
                self.report.at(
                    "syntax", problem.message, end, hint=problem.hint, section=problem.section
                )
                self._recover(first)
                continue
            if tensor in seen:
                self.report.at(
                    "duplicate-tensor",
                    f"'{tensor}' has two lines",
                    first,
                    hint=f"The first one is line {self.report.line_of(seen[tensor])}.",
                    section=SECTION,
                )
                continue
            seen[tensor] = first
            values = self._values(invocation)
            if values is not None:
                entries.append(QuantizationLine(tensor, first, FrozenDict(values)))
        return entries

    def _recover(self, first: int) -> None:
        index = max(self.index, first)
        while self.texts[index] not in (";", ""):
            index += 1
        self.index = index + (self.texts[index] == ";")

    def _line(self) -> tuple[str, Invocation]:
        index = self.index
        text = self.texts[index]
        if self.kinds[text] != LITERAL or type(self.values[text]) is not str:
            hint = 'Write: "tensor": operation(name = value, ...);'
            raise self.expected("the name of a tensor in quotes", hint, SECTION)
        self.index = index + 1
        self.expect(":", section=SECTION)
        if self.kinds[self.texts[self.index]] != IDENTIFIER:
            self.identifier("a quantization operation", SECTION)
        invocation = run(self.invocation())
        self.expect(";", section=SECTION)
        return self.values[text], invocation

    def _values(self, invocation: Invocation) -> dict[str, Any] | None:
        """Return the arguments of a line, with default values, or None if it is invalid."""
        errors = self.report.errors
        declaration = self._declaration(invocation)
        given: dict[str, Any] = {}
        for argument in invocation.arguments:
            if argument.name is None:
                self._wrong("positional-argument", "an argument without a name", argument)
            elif argument.name in given:
                self._wrong("duplicate-argument", f"'{argument.name}' is given twice", argument)
            else:
                given[argument.name] = self._value(argument, declaration)
        if declaration is not None:
            given = self._filled(declaration, invocation, given)
        if self.report.errors > errors:
            return None
        return {"op-name": invocation.name, **given}

    def _wrong(self, code: str, message: str, argument: Argument, hint: str = "") -> None:
        end = argument.value.end
        self.report.at(code, message, argument.at, end, hint=hint, section=SECTION)

    def _declaration(self, invocation: Invocation) -> Declaration | None:
        name = invocation.name
        allowed = [known for known in declarations() if known.endswith("_quantize")]
        if name in DEPRECATED:
            report_deprecated(invocation, self.report)
        declaration = self.customs.get(name) or (declarations()[name] if name in allowed else None)
        if declaration is not None and declaration.parameters[0].is_tensor:
            return declaration
        self.report.at(
            "unknown-operation",
            f"'{name}' is not a quantization operation",
            invocation.at,
            hint=self.report.suggest(name, allowed)
            or f"The quantization operations are {', '.join(allowed)}.",
            section=SECTION,
            severity="error" if self.strict or name in declarations() else "warning",
        )
        return None

    def _value(self, argument: Argument, declaration: Declaration | None) -> Any:
        node = argument.value
        if isinstance(node, ArrayOrTuple):
            self._wrong("type-mismatch", "the elements of an array must have one type", argument)
            return None
        if not isinstance(node, Constant):
            self._wrong("not-constant", f"'{argument.name}' must be a literal", argument)
            return None
        if declaration is None:
            return node.value
        name = argument.name or ""
        parameter = declaration.by_name.get(name)
        if parameter is None or parameter.position == 0:
            allowed = [p.name for p in declaration.parameters[1:]]
            hint = f"{self.report.suggest(name, allowed)} The parameters are {', '.join(allowed)}."
            problem = (
                f"'{name}' is the quantized tensor, which the line already names"
                if parameter
                else f"'{declaration.name}' has no parameter '{name}'"
            )
            self._wrong("unknown-argument", problem, argument, hint.strip())
        elif not self._fits(node, parameter):
            self._wrong(
                "type-mismatch",
                f"'{name}' of '{declaration.name}' must be {parameter.type}, not {node.type}",
                argument,
                "A number without a point is an integer." if "integer" in str(node.type) else "",
            )
        elif parameter.is_tensor and not _is_rectangular(node.value):
            self._wrong(
                "ragged-array",
                f"the nested arrays of '{name}' must have equal lengths",
                argument,
            )
        return node.value

    def _fits(self, node: Constant, parameter: Parameter) -> bool:
        given = node.type
        if isinstance(parameter.type, TensorType):
            while isinstance(given, ArrayType):
                given = given.element
        return castable(given, parameter.type)

    def _filled(
        self, declaration: Declaration, invocation: Invocation, given: dict[str, Any]
    ) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for parameter in declaration.parameters[1:]:
            if parameter.name in given:
                filled[parameter.name] = given[parameter.name]
            elif parameter.default is not REQUIRED:
                filled[parameter.name] = parameter.default
            else:
                self.report.at(
                    "missing-argument",
                    f"'{declaration.name}' needs '{parameter.name}' ({parameter.type})",
                    invocation.at,
                    section=SECTION,
                )
        return filled


def _is_rectangular(value: Any) -> bool:
    level = [value]
    while level and isinstance(level[0], list):
        lengths = {len(element) if isinstance(element, list) else -1 for element in level}
        if len(lengths) > 1 or lengths == {0}:
            return False
        level = [part for element in level for part in element]
    return not any(isinstance(element, list) for element in level)

"""Expressions, parsed by precedence climbing (3.2.1, 3.2.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnefkit.language.syntax.lexer import (
    IDENTIFIER,
    LITERAL,
    Problem,
    Tokens,
    number,
)
from nnefkit.language.syntax.plain_arrays import PlainArrays
from nnefkit.language.syntax.precedence import PRECEDENCE, UNARY_OPERATORS
from nnefkit.language.syntax.syntax_problems import SyntaxProblem, described, expected
from nnefkit.language.syntax.trampoline import Call, run
from nnefkit.language.syntax.tree import (
    Argument,
    ArrayOrTuple,
    Binary,
    Builtin,
    Comprehension,
    Conditional,
    Constant,
    Expression,
    Invocation,
    Name,
    Subscript,
    Unary,
)
from nnefkit.language.types import (
    EMPTY,
    OF_LITERAL,
    PRIMITIVES,
    UNKNOWN,
    PrimitiveType,
    array_of,
    common_type_of,
    tuple_of,
)

BUILTINS = frozenset(
    ("shape_of", "length_of", "range_of", "integer", "scalar", "logical", "string")
)
SEPARATED = "Arguments are separated by commas, and every '(' needs a matching ')'."
NO_LAST_COMMA = "Remove the comma before it: commas separate elements, none follows the last one."
LOOP = (
    "Write: [for i in array yield expression], or [for i in array if condition yield expression]."
)


class ExpressionParser:
    """Parses expressions; `index` is the next token."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.texts = tokens.texts
        self.kinds = tokens.kinds
        self.values = tokens.values
        self.index = 0
        self.extended: tuple[int, int, str] | None = None
        self.arrays = PlainArrays(tokens)

    # -- errors ------------------------------------------------------------------------------

    def described(self, index: int) -> str:
        """Describe the token at an index in a message."""
        return described(self.tokens, index)

    def expected(self, wanted: str, hint: str = "", section: str = "3.2.1") -> SyntaxProblem:
        """Return the problem that the next token is not what `wanted` describes."""
        return expected(self.tokens, self.index, wanted, hint, section)

    def expect(self, text: str, hint: str = "", section: str = "3.2.1") -> None:
        """Consume the token `text`."""
        if self.texts[self.index] != text:
            raise self.expected(f"'{text}'", hint, section)
        self.index += 1

    def identifier(self, wanted: str, section: str = "3.2.1", hint: str = "") -> Name:
        """Consume an identifier, described as `wanted` in messages."""
        index = self.index
        text = self.texts[index]
        if self.kinds[text] != IDENTIFIER:
            raise self.expected(wanted, hint, section)
        self.index = index + 1
        return Name(text, index, index + 1)

    def uses_extension(self, first: int, construct: str) -> None:
        """Note the use of a construct of section 3.2.3, from token `first` to the cursor."""
        if self.extended is None or first < self.extended[0]:
            self.extended = (first, max(self.index, first + 1), construct)

    # -- invocations --------------------------------------------------------------------------

    def generic_argument(self) -> PrimitiveType | None:
        """Parse ``<type>`` after the name of an operation, if there is one."""
        texts, index = self.texts, self.index
        if texts[index] != "<":
            return None
        dtype = PRIMITIVES.get(texts[index + 1])
        if dtype is None or texts[index + 2] != ">":
            self.index = index + 1
            raise self.expected("the name of a primitive type and '>'", section="3.3.1")
        self.index = index + 3
        return dtype

    def arguments(self) -> Call[list[Argument]]:
        """Parse ``argument, ...)``, after the opening parenthesis."""
        texts = self.texts
        arguments: list[Argument] = []
        if texts[self.index] == ")":
            self.index += 1
            return arguments
        while not self._flat_arguments(arguments):
            at = self.index
            name: str | None = None
            if texts[at + 1] == "=":
                name = self.identifier("the name of a parameter", "3.2.1").name
                self.index += 1
            value = yield self.expression()
            if type(value) is Invocation:
                self.uses_extension(value.at, "an invocation as an argument")
            arguments.append(Argument(name, value, at))
            if texts[self.index] == ")":
                self.index += 1
                return arguments
            if texts[self.index] != ",":
                raise self.expected("',' or ')'", SEPARATED)
            self.index += 1
        return arguments

    def _flat_arguments(self, arguments: list[Argument]) -> bool:
        """Parse arguments as long as they are flat: names, literals and plain arrays.

        Returns:
            True after the closing parenthesis; False at the first argument that is not flat.
        """
        texts, kinds, values = self.texts, self.kinds, self.values
        index = self.index
        while True:
            at = index
            name: str | None = None
            text = texts[index]
            if texts[index + 1] == "=" and kinds[text] == IDENTIFIER:
                name = text
                index += 2
                text = texts[index]
            value: Expression | None = None
            if text == "[":
                value = self.arrays.constant(index) or self.arrays.names(index)
                following = texts[value.end] if value is not None else ""
            else:
                following = texts[index + 1]
                if kinds[text] == IDENTIFIER:
                    value = Name(text, index, index + 1)
                elif kinds[text] == LITERAL and type(values[text]) is not Problem:
                    literal = values[text]
                    value = Constant(literal, OF_LITERAL[type(literal)], index, index + 1)
            if value is None or (following != "," and following != ")"):
                self.index = at
                return False
            index = value.end + 1
            arguments.append(Argument(name, value, at))
            if following == ")":
                self.index = index
                return True

    def flat_invocation(self) -> Invocation | None:
        """Parse ``name<dtype>(arguments)`` with flat arguments.

        Returns:
            The invocation; None, without moving the cursor, for anything else.
        """
        at = self.index
        name = self.texts[at]
        if self.kinds[name] == IDENTIFIER:
            self.index = at + 1
            generic = self.texts[at + 1] == "<" and self.texts[at + 3] == ">"
            dtype = self.generic_argument() if generic else None
            if self.texts[self.index] == "(":
                self.index += 1
                arguments: list[Argument] = []
                if self._flat_arguments(arguments):
                    return Invocation(name, dtype, arguments, at, self.index)
        self.index = at
        return None

    def invocation(self) -> Call[Invocation]:
        """Parse ``name<dtype>(arguments)``."""
        at = self.index
        name = self.texts[at]
        self.index = at + 1
        dtype = self.generic_argument()
        self.expect("(", section="3.2.1")
        arguments = yield self.arguments()
        return Invocation(name, dtype, arguments, at, self.index)

    # -- expressions --------------------------------------------------------------------------

    def read(self) -> Expression:
        """Parse one expression."""
        return run(self.expression())

    def expression(self) -> Call[Expression]:
        """Parse an expression, including chains of ``if`` and ``else``, which bind loosest."""
        value: Expression = yield self.binary(0)
        if self.texts[self.index] != "if":
            return value
        branches: list[tuple[Expression, Expression]] = []
        while self.texts[self.index] == "if":
            self.index += 1
            condition = yield self.binary(0)
            if self.texts[self.index] != "else":
                raise self.expected("'else'", "Write: a if condition else b", "3.2.3")
            self.index += 1
            branches.append((value, condition))
            value = yield self.binary(0)
        for chosen, condition in reversed(branches):
            value = Conditional(chosen, condition, value, chosen.at, value.end)
        self.uses_extension(value.at, "an if-else expression")
        return value

    def binary(self, floor: int) -> Call[Expression]:
        """Parse binary operators that bind tighter than `floor`."""
        left: Expression = yield self.unary()
        while True:
            operator = self.texts[self.index]
            precedence = PRECEDENCE.get(operator, 0)
            if precedence <= floor:
                return left
            self.index += 1
            right = yield self.binary(precedence)
            left = Binary(operator, left, right, left.at, right.end)
            self.uses_extension(left.at, f"the operator '{operator}'")

    def unary(self) -> Call[Expression]:
        """Parse prefix operators, their operand, and the subscripts after it."""
        prefixes: list[int] = []
        while self.texts[self.index] in UNARY_OPERATORS:
            prefixes.append(self.index)
            self.index += 1
        value: Expression | None = self._negative(prefixes)
        if value is None:
            value = yield self.primary()
            while self.texts[self.index] == "[":
                value = yield self.subscript(value)
        for index in reversed(prefixes):
            value = Unary(self.texts[index], value, index, value.end)
            self.uses_extension(index, f"the operator '{self.texts[index]}'")
        return value

    def _negative(self, prefixes: list[int]) -> Constant | None:
        """Parse a number after a minus sign, which together are one literal despite white space."""
        index = self.index
        if not prefixes or self.texts[prefixes[-1]] != "-":
            return None
        text = self.texts[index]
        if text[:1] not in "0123456789" or not text:
            return None
        at = prefixes.pop()
        value = number("-" + text)
        if isinstance(value, Problem):
            raise SyntaxProblem(index, f"'-{text}' {value.message}", value.hint, "3.1")
        self.index = index + 1
        if at + 1 != index or self.tokens.start(at) + 1 != self.tokens.start(index):
            self.uses_extension(at, "the operator '-'")
        return Constant(value, OF_LITERAL[type(value)], at, index + 1)

    def primary(self) -> Call[Expression]:
        """Parse an expression without operators."""
        index = self.index
        text = self.texts[index]
        kind = self.kinds[text]
        if kind == IDENTIFIER:
            following = self.texts[index + 1]
            if following == "(" or (following == "<" and self.texts[index + 3] == ">"):
                call: Invocation = yield self.invocation()
                return call
            self.index = index + 1
            return Name(text, index, index + 1)
        if kind == LITERAL:
            value = self.values[text]
            if type(value) is Problem:
                raise self.expected("an expression")
            self.index = index + 1
            return Constant(value, OF_LITERAL[type(value)], index, index + 1)
        reader: Callable[[], Call[Expression]] | None
        reader = {"[": self.array, "(": self.parentheses}.get(text)
        if text in BUILTINS:
            reader = self.builtin
        if reader is None:
            ends = text in (")", "]") and self.texts[index - 1] == ","
            raise self.expected("an expression", NO_LAST_COMMA if ends else "")
        expression: Expression = yield reader()
        return expression

    def builtin(self) -> Call[Expression]:
        """Parse the call of a built-in function, such as ``length_of(x)``."""
        at = self.index
        self.index += 1
        self.expect("(", section="3.2.3")
        argument = yield self.expression()
        self.expect(")", "A built-in function has one argument.", section="3.2.3")
        self.uses_extension(at, f"the function '{self.texts[at]}'")
        return Builtin(self.texts[at], argument, at, self.index)

    def parentheses(self) -> Call[Expression]:
        """Parse a tuple, or an expression in parentheses."""
        at = self.index
        self.index += 1
        elements: list[Expression] = [(yield self.expression())]
        while self.texts[self.index] == ",":
            self.index += 1
            elements.append((yield self.expression()))
        self.expect(
            ")", "Every '(' needs a matching ')'; the elements of a tuple are separated by commas."
        )
        if len(elements) > 1:
            return self.sequence(elements, at, is_array=False)
        self.uses_extension(at, "an expression in parentheses")
        return elements[0]._replace(at=at, end=self.index)

    def array(self) -> Call[Expression]:
        """Parse an array or a comprehension."""
        at = self.index
        plain = self.arrays.constant(at)
        if plain is not None:
            self.index = plain.end
            return plain
        self.index = at + 1
        if self.texts[self.index] == "for":
            loop: Expression = yield self.comprehension()
            return loop
        elements: list[Expression] = []
        if self.texts[self.index] != "]":
            elements.append((yield self.expression()))
            while self.texts[self.index] == ",":
                self.index += 1
                elements.append((yield self.expression()))
        if self.texts[self.index] != "]":
            raise self.expected("',' or ']'", "The elements of an array are separated by commas.")
        self.index += 1
        return self.sequence(elements, at, is_array=True)

    def sequence(self, elements: list[Expression], at: int, *, is_array: bool) -> Expression:
        """Return the array or tuple of expressions, which is a constant if all of them are."""
        end = self.index
        if any(type(element) is Invocation for element in elements):
            self.uses_extension(at, "an invocation inside of an expression")
        if all(type(element) is Constant for element in elements):
            constants: list[Any] = elements
            types = [constant.type for constant in constants]
            values = [constant.value for constant in constants]
            if not is_array:
                return Constant(tuple(values), tuple_of(types), at, end)
            common = common_type_of(types)
            if common is not None and common is not UNKNOWN:
                array_type = array_of(common) if elements else EMPTY
                constant = Constant(values, array_type, at, end)
                self.arrays.remember(constant)
                return constant
        return ArrayOrTuple(tuple(elements), is_array, at, end)

    def comprehension(self) -> Call[Expression]:
        """Parse ``for name in array, ... if condition yield expression]``."""
        at = self.index - 1
        iterators: list[tuple[Name, Expression]] = []
        separator = "for"
        while self.texts[self.index] == separator:
            self.index += 1
            name = self.identifier("a loop variable", "3.2.3")
            self.expect("in", LOOP, "3.2.3")
            iterators.append((name, (yield self.binary(0))))
            separator = ","
        condition: Expression | None = None
        if self.texts[self.index] == "if":
            self.index += 1
            condition = yield self.expression()
        if self.texts[self.index] != "yield":
            raise self.expected("'yield'", LOOP, "3.2.3")
        self.index += 1
        element = yield self.expression()
        self.expect("]", LOOP, "3.2.3")
        self.uses_extension(at, "an array comprehension")
        return Comprehension(tuple(iterators), condition, element, at, self.index)

    def subscript(self, value: Expression) -> Call[Subscript]:
        """Parse ``[index]`` or ``[start:stop]`` after `value`."""
        self.index += 1
        index: Expression | None = None
        stop: Expression | None = None
        is_range = False
        if self.texts[self.index] != ":":
            index = yield self.expression()
        if self.texts[self.index] == ":":
            is_range = True
            self.index += 1
            if self.texts[self.index] != "]":
                stop = yield self.expression()
        self.expect("]", "Write: array[index] or array[begin:end]", "3.2.3")
        self.uses_extension(value.at, "a subscript")
        return Subscript(value, index, stop, is_range, value.at, self.index)

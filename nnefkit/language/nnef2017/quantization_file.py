"""The quantization file of the provisional specification (5.3, 7.1): lines without semicolons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.nnef2017.report import ProvisionalReport, Upgrades
from nnefkit.language.nnef2017.rewritten_tokens import RewrittenTokens
from nnefkit.language.quantization_file import SECTION, QuantizationLine, QuantizationReader
from nnefkit.language.syntax.lexer import SYMBOL, Tokens
from nnefkit.language.syntax.tree import Argument, Constant, Invocation
from nnefkit.language.types import LOGICAL, type_of

# Section 4.8.5 has the first name, section 7.1 the second one, for the same operation.
_LINEAR = ("linear_quantize", "quantize_linear")
_SUCCESSOR = "min_max_linear_quantize"


class ProvisionalQuantizationReader(QuantizationReader):
    """Parses the lines of a provisional quantization file, and reports errors."""

    def __init__(
        self, text: str, name: str, customs: Mapping[str, Declaration], *, strict: bool
    ) -> None:
        super().__init__(text, name, customs, strict=strict)
        self.upgrades = Upgrades()
        self._use(_with_semicolons(self.tokens, self.upgrades))
        self.report = ProvisionalReport(self.tokens)

    def _use(self, tokens: Tokens) -> None:
        super(QuantizationReader, self).__init__(tokens)

    def entries(self) -> list[QuantizationLine]:
        """Return all valid lines."""
        entries = super().entries()
        self.upgrades.report(self.report)
        return entries

    def _values(self, invocation: Invocation) -> dict[str, Any] | None:
        name, arguments = invocation.name, [*map(self._argument, invocation.arguments)]
        if name in _LINEAR:
            span = self.tokens.span(invocation.at, invocation.at + 1)
            message = f"'{name}' is called '{_SUCCESSOR}' since 1.0"
            self.upgrades.note(message, span, "4.9.5")
            name = _SUCCESSOR
            given = {argument.name for argument in arguments}
            arguments += [
                Argument(added, Constant(False, LOGICAL, invocation.at, invocation.end), 0)
                for added in ("signed", "symmetric")
                if added not in given
            ]
        elif name == "logarithmic_quantize":
            self.report.at(
                "no-equivalent",
                "the formula of 'logarithmic_quantize' changed in 1.0; the one of the provisional "
                "specification (section 4.8.5) has no equivalent",
                invocation.at,
                hint="Quantize with an operation in the graph, which nnefkit converts.",
                section=SECTION,
            )
            return None
        return super()._values(invocation._replace(name=name, arguments=arguments))

    def _argument(self, argument: Argument) -> Argument:
        """Return the argument, with a ``constant`` operation in it replaced by nested arrays."""
        value = argument.value
        if not isinstance(value, Invocation) or value.name != "constant":
            return argument
        given = {a.name: a.value.value for a in value.arguments if isinstance(a.value, Constant)}
        shape, elements = given.get("shape"), given.get("value")
        if not isinstance(shape, list) or not isinstance(elements, list):
            return argument
        if not all(type(extent) is int and extent > 0 for extent in shape) or len(elements) not in (
            1,
            math.prod(shape),
        ):
            return argument
        volume = math.prod(shape)
        if volume != len(elements):
            # One value for all elements is the same as one number.
            nested: Any = elements[0]
        else:
            nested = elements
            for extent in reversed(shape[1:]):
                nested = [nested[i : i + extent] for i in range(0, len(nested), extent)]
        span = self.tokens.span(value.at, value.end)
        message = "the range of each channel is given as nested arrays since 1.0"
        self.upgrades.note(message, span, SECTION)
        return argument._replace(value=Constant(nested, type_of(nested), value.at, value.end))


def _with_semicolons(tokens: Tokens, upgrades: Upgrades) -> RewrittenTokens:
    texts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    depth = 0
    for index in range(tokens.count):
        text, end = tokens.texts[index], tokens.ends[index]
        texts.append(text)
        starts.append(end - len(text))
        ends.append(end)
        depth += (text == "(") - (text == ")")
        at_end = text == ")" and depth <= 0
        # A string before a colon begins a line, even if a bracket is still open.
        following = tokens.texts[index + 2] == ":" and tokens.texts[index + 1][:1] in ("'", '"')
        if (at_end or following) and tokens.texts[index + 1] != ";" and text != ";":
            depth = 0
            texts.append(";")
            starts.append(end)
            ends.append(end)
            upgrades.note(
                "lines end with a semicolon since 1.0", tokens.span(index, index), SECTION
            )
    rewritten = RewrittenTokens(tokens, texts, starts, ends)
    rewritten.kinds[";"] = SYMBOL
    return rewritten

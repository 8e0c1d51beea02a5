"""Text to graphs and back: chapters 3, 5.3 and 6 of the specification."""

from nnefkit.language.custom import known_declarations
from nnefkit.language.declarations import Declaration, Parameter, Result, declarations
from nnefkit.language.expressible import inexpressible
from nnefkit.language.formatting import format_document
from nnefkit.language.locate import locate
from nnefkit.language.lowering import expand_calls, lower
from nnefkit.language.printing import print_graph
from nnefkit.language.quant import parse_quantization, print_quantization
from nnefkit.language.reading import parse

__all__ = [
    "Declaration",
    "Parameter",
    "Result",
    "declarations",
    "expand_calls",
    "format_document",
    "inexpressible",
    "known_declarations",
    "locate",
    "lower",
    "parse",
    "parse_quantization",
    "print_graph",
    "print_quantization",
]

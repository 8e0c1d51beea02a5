"""Text to graphs and back: chapters 3, 5.3 and 6 of the specification."""

from nnefkit.language.declarations.custom_declarations import known_declarations
from nnefkit.language.declarations.declaration import Declaration, Parameter, Result, declarations
from nnefkit.language.document import parse
from nnefkit.language.elaboration.compound_operations import expand_calls, lower
from nnefkit.language.locate import locate
from nnefkit.language.printing.expressible import inexpressible
from nnefkit.language.printing.formatter import format_document
from nnefkit.language.printing.graph_text import print_graph
from nnefkit.language.quantization_file import parse_quantization, print_quantization

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


def __dir__() -> list[str]:
    return sorted(__all__)

"""The declarations of the operations of the provisional specification."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from nnefkit.errors import Source
from nnefkit.language.declarations.declaration import Declaration, declarations, declare
from nnefkit.language.report import Report
from nnefkit.language.syntax.lexer import Tokens
from nnefkit.language.syntax.parser import Parser


@cache
def provisional_operations() -> Mapping[str, Declaration]:
    """Return the operations of the provisional chapter 4 by name, in its order."""
    file = resources.files("nnefkit.language.nnef2017").joinpath("operations.nnef")
    tokens = Tokens(Source(file.read_text("ascii"), "operations.nnef"))
    fragments = Parser(tokens, Report(tokens)).declarations()
    return MappingProxyType({f.name: declare(f, tokens, standard=True) for f in fragments})


class Vocabulary(dict[str, Declaration]):
    """The operations that a provisional document can invoke: those of 2017, and its fragments.

    `get` looks up an operation for the document. ``[]`` looks up an operation for the builder,
    which emits operations of 1.0, too: the standard one if the document has none of that name.
    """

    def __missing__(self, name: str) -> Declaration:
        return declarations()[name]

"""The operations of the provisional specification."""

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
    """The operations of chapter 4 of the provisional specification by name, in its order."""
    file = resources.files("nnefkit.language.nnef2017").joinpath("operations.nnef")
    tokens = Tokens(Source(file.read_text("ascii"), "operations.nnef"))
    fragments = Parser(tokens, Report(tokens)).declarations()
    return MappingProxyType({f.name: declare(f, tokens, standard=True) for f in fragments})


class Vocabulary(dict[str, Declaration]):
    """What a provisional document can invoke: the operations of that time, and its fragments.

    A document finds its operations by `get`. Those that the language itself emits, by ``[]``, are
    the standard ones if the document has none of such a name.
    """

    def __missing__(self, name: str) -> Declaration:
        return declarations()[name]

"""What the upgrades of operations work on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Protocol

from nnefkit.errors import Span
from nnefkit.graph import Identifier
from nnefkit.language.elaboration.targets import Refused
from nnefkit.language.types import PrimitiveType


class Call(NamedTuple):
    """An operation of the provisional specification, its arguments known."""

    name: str
    arguments: dict[str, Any]
    """By parameter, with default values."""
    given: Collection[str]
    """The parameters that are no default values."""
    outputs: Mapping[str, Any]
    dtype: PrimitiveType | None
    span: Span | None
    scope: tuple[str, ...]


class Builder(Protocol):
    """Where the operations of 1.0 go."""

    labels: dict[str, str]

    def put(self, call: Call, name: str, **arguments: Any) -> None:
        """Adds the operation `name` of 1.0, with the results of `call`."""

    def step(
        self, call: Call, name: str, dtype: PrimitiveType | None = None, **arguments: Any
    ) -> Identifier:
        """Adds an operation of 1.0 on the way to the results of `call`; gives its own result."""

    def shape(self, value: Any) -> Any:
        """The shape of an input (a list of them for an array), None if it is not known."""

    def fit(self, call: Call, value: Any, rank: int) -> Any:
        """The tensor `value` with so many dimensions, as far as trailing extents of 1 allow."""

    def tell(
        self, call: Call, message: str, section: str, hint: str = "", argument: str = ""
    ) -> None:
        """Notes what changed about an operation, or about one of its arguments."""

    def warn(self, call: Call, code: str, message: str, argument: str, hint: str) -> None:
        """Warns of an argument that is not the same in 1.0."""

    def refuse(self, call: Call, code: str, message: str, argument: str, hint: str) -> Refused:
        """Reports an argument that cannot be said in 1.0."""

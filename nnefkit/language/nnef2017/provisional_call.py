"""An operation of 2017, and the builder that its upgrade writes to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Protocol

from nnefkit.errors import Span
from nnefkit.graph import Identifier
from nnefkit.language.elaboration.scopes import Refused
from nnefkit.language.types import PrimitiveType


class ProvisionalCall(NamedTuple):
    """An operation of the provisional specification, with the values of its arguments."""

    name: str
    arguments: dict[str, Any]
    """Values by parameter, including default values."""
    given: Collection[str]
    """The parameters that the document specifies."""
    outputs: Mapping[str, Any]
    dtype: PrimitiveType | None
    span: Span | None
    scope: tuple[str, ...]


class UpgradeTarget(Protocol):
    """A builder that takes the operations of 1.0."""

    labels: dict[str, str]
    """The labels of variables, by their lower-case form."""

    def replace(self, call: ProvisionalCall, name: str, **arguments: Any) -> None:
        """Add the operation `name` of 1.0, with the results of `call`."""

    def intermediate(
        self, call: ProvisionalCall, name: str, dtype: PrimitiveType | None = None, **arguments: Any
    ) -> Identifier:
        """Add an intermediate operation of 1.0 for `call`, and return its result."""

    def shape(self, value: Any) -> Any:
        """Return the shape of an input, a list of shapes for an array, or None if it is unknown."""

    def fit(self, call: ProvisionalCall, value: Any, rank: int) -> Any:
        """Return the tensor with `rank` dimensions, as far as trailing extents of 1 allow."""

    def note(
        self, call: ProvisionalCall, message: str, section: str, hint: str = "", argument: str = ""
    ) -> None:
        """Note a change of an operation, or of one of its arguments."""

    def warn(
        self, call: ProvisionalCall, code: str, message: str, argument: str, hint: str
    ) -> None:
        """Warn about an argument that has another meaning in 1.0."""

    def refuse(
        self, call: ProvisionalCall, code: str, message: str, argument: str, hint: str
    ) -> Refused:
        """Report an argument that cannot be expressed in 1.0."""

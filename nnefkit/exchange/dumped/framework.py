"""What readers of dumped graphs know of a framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Framework:
    """A framework, and the readers of its operations."""

    name: str
    tag: str
    """The format that its graphs state."""
    reader: str
    """The function that reads them."""
    readers: Mapping[str, Any] = field(repr=False)
    """Class of an operation -> its reader."""
    refused: Mapping[str, tuple[str, str]] = field(repr=False)
    """Class of an operation that is known and not read -> the reason, and what to do."""

    @property
    def key(self) -> str:
        """The key of its version, and its name for ``nnefkit export-script``."""
        return self.name.lower()

    @property
    def what(self) -> str:
        """What a file is called."""
        return f"{self.name} graph"

    @property
    def call(self) -> str:
        """The call that reads a file."""
        return f"nnefkit.{self.reader}(path)"

    @property
    def hint(self) -> str:
        """How to make a file that can be read."""
        return (
            f"'nnefkit export-script {self.key} > dump_{self.key}.py' writes the script that "
            f"exports graphs of {self.name}."
        )

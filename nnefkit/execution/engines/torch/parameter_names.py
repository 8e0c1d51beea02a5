"""Labels as names of parameters: ``block1/conv/weight`` is ``block1.conv.weight``."""

from __future__ import annotations

import re
from collections.abc import Collection

import torch

_RESERVED = frozenset(dir(torch.nn.Module()))
"""Names that every module has for something else."""


class Paths:
    """A path for each label, and no two labels with one path.

    Labels that differ in the case of their letters only are the same label (4.1.3). Where a name is
    taken, by another parameter, by the parameters below it, or by something that modules have, an
    underscore follows it.

    Args:
        reserved: Names that the outermost module has for something else.
    """

    def __init__(self, reserved: Collection[str]) -> None:
        self._reserved = frozenset(reserved)
        self._found: dict[str, str] = {}
        self._parameters: set[str] = set()
        self._modules: set[str] = set()

    def of(self, label: str) -> tuple[str, bool]:
        """The path of the parameter with a label, and whether it is asked for the first time."""
        key = label.lower()
        first = key not in self._found
        if first:
            self._found[key] = self._new(label)
        return self._found[key], first

    def _new(self, label: str) -> str:
        *parents, last = [part for part in re.split(r"[/\\.]", label) if part] or ["_"]
        path = ""
        for part in parents:
            path = self._free(path, part, self._parameters)
            self._modules.add(path)
        path = self._free(path, last, self._parameters | self._modules)
        self._parameters.add(path)
        return path

    def _free(self, path: str, part: str, taken: Collection[str]) -> str:
        reserved = _RESERVED if path else self._reserved
        while part in reserved or (found := f"{path}.{part}" if path else part) in taken:
            part += "_"
        return found

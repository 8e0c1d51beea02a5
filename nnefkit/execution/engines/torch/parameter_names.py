"""Labels as names of parameters: ``block1/conv/weight`` is ``block1.conv.weight``."""

from __future__ import annotations

import re
from collections.abc import Collection

import torch

_RESERVED = frozenset(dir(torch.nn.Module()))
"""Attribute names that every module already uses."""


class ParameterNames:
    """Names of parameters by label, no two labels with the same name.

    Labels that differ in case only are the same label (section 4.1.3). Where a name is taken, by
    another parameter, by the parameters below it, or by an attribute of modules, an underscore is
    appended.

    Args:
        reserved: Attribute names that the outermost module already uses.
    """

    def __init__(self, reserved: Collection[str]) -> None:
        self._reserved = frozenset(reserved)
        self._by_label: dict[str, str] = {}
        self._parameters: set[str] = set()
        self._modules: set[str] = set()

    def of(self, label: str) -> tuple[str, bool]:
        """Return the name of the parameter with a label, and whether the label is new."""
        key = label.lower()
        first = key not in self._by_label
        if first:
            self._by_label[key] = self._new(label)
        return self._by_label[key], first

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
        while part in reserved or (name := f"{path}.{part}" if path else part) in taken:
            part += "_"
        return name

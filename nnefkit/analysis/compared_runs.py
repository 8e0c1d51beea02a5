"""Two runs that were compared, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from nnefkit.analysis.causes import weight_tensors
from nnefkit.analysis.compared_tensor import ComparedTensor, ComparedTensors, severity
from nnefkit.analysis.layouts import AxisLayout
from nnefkit.analysis.value_pairing import Unpaired
from nnefkit.arrays import Array, as_array
from nnefkit.display.text import brief_repr
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.graph import Graph


class Missing(NamedTuple):
    """Tensors that only one run has, without weights."""

    first_only: tuple[str, ...]
    second_only: tuple[str, ...]

    def __repr__(self) -> str:
        first, second = map(brief_repr, self)
        return f"Missing(first_only={first}, second_only={second})"


@dataclass(frozen=True, repr=False)
class ComparedRuns:
    """The tensors of two runs that were compared, without a description in words."""

    rows: ComparedTensors = field(repr=False)
    """The tensors that both runs have, in the order of the graph (without one, of the first)."""
    missing: Missing = field(repr=False)
    labels: tuple[str, str] = ("a", "b")
    graph: Graph | None = field(default=None, repr=False)
    """The graph that determines the order and the operations of the rows, if one is known."""
    both_graphs: bool = field(default=False, repr=False)
    """Whether the graphs of both runs are known, so that weights and attributes were compared."""
    unpaired: tuple[Unpaired, ...] = field(default=(), repr=False)
    """The tensors that could not be paired by their values, each with the reason."""
    runs: tuple[Mapping[str, Any], Mapping[str, Any]] | None = field(
        default=None, repr=False, compare=False
    )
    """The tensors of both runs by name, as long as they are at hand: `nnefkit.view` shows them."""

    def values(self, name: str) -> tuple[Array, Array] | None:
        """Return a tensor of both runs, the second one with its axes as they were compared.

        None if the runs are not at hand, or the shapes do not match in any order of axes.

        Raises:
            UnknownNameError: No such tensor was compared.
        """
        row = self[name]
        if self.runs is None or row.metrics is None:
            return None
        first = as_array(self.runs[0][name])
        layout = AxisLayout(row.axes, row.unit_axes)
        return first, layout.arranged(as_array(self.runs[1][row.other]), first.shape)

    @cached_property
    def _by_name(self) -> Mapping[str, ComparedTensor]:
        return {row.name: row for row in self.rows}

    def __getitem__(self, name: str) -> ComparedTensor:
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownNameError(
                f"no tensor '{name}' was compared", hint=did_you_mean(name, self._by_name)
            ) from None

    def __iter__(self) -> Iterator[ComparedTensor]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ok(self) -> bool:
        """Whether every tensor that both runs have (see `judged`) is within its tolerance."""
        return all(row.ok for row in self.judged)

    @property
    def equal(self) -> bool:
        """Whether every tensor that both runs have (see `judged`) is equal in every element."""
        return all(row.verdict == "equal" for row in self.judged)

    @property
    def differing(self) -> ComparedTensors:
        """The tensors out of tolerance; weights only where nothing but weights was compared."""
        return ComparedTensors(row for row in self.judged if not row.ok)

    @property
    def introducing(self) -> ComparedTensors:
        """The tensors that introduce a difference (see `ComparedTensor.verdict`)."""
        return ComparedTensors(row for row in self.judged if row.verdict == "introduces")

    @property
    def suspects(self) -> tuple[str, ...]:
        """Names of the tensors where the first divergence may arise; empty without a graph.

        These are the first tensor out of tolerance and those before it that were not compared.
        """
        first = self.first_divergence
        return () if first is None else first.suspects

    @property
    def first_divergence(self) -> ComparedTensor | None:
        """The first tensor out of tolerance; None if the runs agree."""
        return next(iter(self.differing), None)

    @cached_property
    def judged(self) -> ComparedTensors:
        """The rows without weights (or all, if there is nothing else).

        Different weights are often intended; the runs are judged by their effects.
        """
        return ComparedTensors(row for row in self.rows if not row.weight) or self.rows

    def worst(self, n: int = 10) -> ComparedTensors:
        """Return the `n` tensors with the largest relative differences, the largest first.

        Raises:
            InputError: `n` is negative or not an integer.
        """
        count: object = n
        if not isinstance(count, (int, np.integer)) or count < 0:
            raise InputError(f"n must be an integer of at least 0, not {n!r}")
        return ComparedTensors(sorted(self.judged, key=severity, reverse=True)[:n])

    @cached_property
    def unseen(self) -> tuple[str, ...]:
        """The tensors of the graph that neither run has, without weights."""
        if self.graph is None:
            return ()
        weights = weight_tensors(self.graph)
        seen = {name for row in self.rows for name in (row.name, row.other)}
        seen.update(*self.missing, weights)
        return tuple(name for name in self.graph.tensors if name not in seen)

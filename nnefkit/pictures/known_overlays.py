"""The overlays of a workbench: those that its evidence allows, and a Series of the user's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from nnefkit.analysis import Cost, cost
from nnefkit.arguments import wrong_type
from nnefkit.display import numbers
from nnefkit.display.operation_table import element_count
from nnefkit.errors import InputError, NnefError, UnknownNameError, did_you_mean
from nnefkit.pictures.evidence import ViewEvidence
from nnefkit.pictures.overlays import CHANGES, Overlay, decibels, from_names
from nnefkit.pictures.viewed_graph import ViewedGraph

NAMES = {
    "changes": "changes",
    "error": "error (SNR)",
    "own error": "own error (SNR)",
    "time": "time",
    "macs": "MACs",
    "parameters": "parameters",
    "bytes": "bytes",
    "nan": "NaN and Inf",
}
"""Key of each overlay -> its title."""
NONE = "none"


class Overlays:
    """The overlays of a graph, each computed when it is first shown."""

    def __init__(self, evidence: ViewEvidence) -> None:
        self.evidence = evidence
        self.viewed = evidence.viewed
        self._made: dict[str, Overlay] = {}
        self._costs: Cost | None = evidence.cost

    def available(self) -> list[str]:
        """Return the keys of the overlays that there is something to show for."""
        evidence = self.evidence
        keys = []
        if self.viewed.other is not None:
            keys.append("changes")
        if evidence.comparison is not None or evidence.blame is not None:
            keys.append("error")
        if evidence.blame is not None:
            keys.append("own error")
        if evidence.profile is not None or (
            evidence.trace is not None
            and any(not math.isnan(s) for s in evidence.trace.seconds.values())
        ):
            keys.append("time")
        keys += ["macs", "parameters", "bytes"]
        if evidence.trace is not None or evidence.comparison is not None:
            keys.append("nan")
        return keys

    def default(self) -> str:
        """Return the overlay to begin with."""
        first = self.available()[0]
        return first if first in ("changes", "error", "time") else NONE

    def overlay(self, key: str) -> Overlay:
        """Return an overlay by its key.

        Raises:
            InputError: There is no such overlay, or no data for it.
        """
        if key not in self._made:
            if key not in self.available():
                raise self._refused(key)
            make = getattr(self, f"_{key.replace(' ', '_')}")
            self._made[key] = make()
        return self._made[key]

    def _refused(self, key: str) -> NnefError:
        needs = {
            "changes": ("other=other_graph", "compares two graphs."),
            "error": ("comparison=nk.compare(a, b)", "shows errors."),
            "own error": ("blame=nk.blame(...)", "shows the error of each operation."),
            "time": ("cost=nk.profile(graph, inputs)", "shows times."),
            "nan": ("trace=nk.trace(graph, inputs)", "shows NaN."),
        }
        if key in needs:
            argument, shows = needs[key]
            call = self.evidence.call.format(argument)
            return InputError(f"there is no data for the overlay '{key}'", hint=f"{call} {shows}")
        listed = ", ".join([*self.available(), NONE])
        return UnknownNameError(
            f"there is no overlay '{key}'",
            hint=did_you_mean(key, [*NAMES, NONE])
            or f"There are {listed}, and a pandas Series by tensor.",
        )

    # -- one method for each key ------------------------------------------------------------------

    def _values(self, by_name: Mapping[str, float]) -> list[float]:
        return from_names(by_name, self.viewed.numbers, len(self.viewed.operations))

    def _changes(self) -> Overlay:
        values = [math.nan] * len(self.viewed.operations)
        for number, change in self.viewed.changes.items():
            values[number] = float(CHANGES.index(change.kind))
        write = partial(_category)
        return Overlay("changes", NAMES["changes"], values, write, "most", categories=True)

    def _error(self) -> Overlay:
        values = self._values(
            {
                name: -math.inf if row.metrics is None else row.metrics.snr
                for name, row in self.evidence.compared.items()
                if not row.weight
            }
        )
        for number, each in self.evidence.blamed.items():
            if self.evidence.comparison is None:
                known = [r for r in (each.own_snr, each.inherited_snr) if not math.isnan(r)]
                values[number] = min(known, default=math.nan)
        return Overlay("error", NAMES["error"], values, decibels, "worst", ratio=True)

    def _own_error(self) -> Overlay:
        values = [math.nan] * len(self.viewed.operations)
        for number, each in self.evidence.blamed.items():
            values[number] = each.own_snr
        return Overlay("own error", NAMES["own error"], values, decibels, "worst", ratio=True)

    def _time(self) -> Overlay:
        times: dict[str, float] = {}
        if (profile := self.evidence.profile) is not None:
            times = {row.tensor: row.seconds for row in profile.operations}
        elif self.evidence.trace is not None:
            times = dict(self.evidence.trace.seconds)
        return Overlay("time", NAMES["time"], self._values(times), numbers.duration)

    @property
    def costs(self) -> Cost | None:
        """The cost of the graph, computed on first use; None where shapes are unknown."""
        if self._costs is None:
            try:
                self._costs = cost(self.viewed.graph)
            except NnefError:
                return None
        return self._costs

    def _macs(self) -> Overlay:
        values = [
            math.nan if original.operation.macs is None else float(original.operation.macs)
            for original in self.viewed.originals
        ]
        return Overlay("macs", NAMES["macs"], values, numbers.quantity)

    def _parameters(self) -> Overlay:
        costs = self.costs
        rows = costs.operations if costs is not None else ()
        known = {row.tensor: float(row.parameters) for row in rows}
        return Overlay("parameters", NAMES["parameters"], self._values(known), numbers.quantity)

    def _bytes(self) -> Overlay:
        costs = self.costs
        if costs is not None:
            known = {r.tensor: float(r.bytes_read + r.bytes_written) for r in costs.operations}
        else:
            known = {
                name: 4.0 * element_count(self.viewed.tensor(name)) for name in self.viewed.numbers
            }
        return Overlay("bytes", NAMES["bytes"], self._values(known), _size)

    def _nan(self) -> Overlay:
        values = [math.nan] * len(self.viewed.operations)
        numbers_of = self.viewed.numbers
        for name, count in self.evidence.not_finite.items():
            number = numbers_of.get(name)
            if number is not None:
                known = values[number]
                values[number] = count + (0.0 if math.isnan(known) else known)
        return Overlay("nan", NAMES["nan"], values, _count, counts=True)


def _category(value: float) -> str:
    return CHANGES[int(value)]


def _size(value: float) -> str:
    return numbers.size(round(value))


def _count(value: float) -> str:
    return "none" if not value else f"{numbers.count(round(value))} NaN or Inf"


def of_series(given: Any, viewed: ViewedGraph) -> Overlay:
    """Return the overlay of a pandas Series, or of a mapping, from tensors to numbers.

    Args:
        given: Its index has names of tensors, or numbers of operations.
        viewed: The graph.

    Raises:
        InputError: It is neither, it is empty, or its values are not numbers.
        UnknownNameError: The graph has no such tensor.
    """
    if not isinstance(given, Mapping) and not hasattr(given, "items"):
        expected = "the name of an overlay, or a pandas Series of numbers by tensor"
        raise wrong_type("overlay", expected, given)
    values = [math.nan] * len(viewed.operations)
    for key, value in given.items():
        number = _number(key, viewed)
        try:
            values[number] = math.nan if value is None else float(value)
        except (TypeError, ValueError):
            raise InputError(
                f"the overlay has {value!r} at '{key}', which is not a number",
                hint="series.cat.codes, or .astype(float), makes numbers of it.",
            ) from None
    if all(map(math.isnan, values)):
        raise InputError(
            "the overlay has no numbers",
            hint="It is a pandas Series of numbers, whose index has names of tensors.",
        )
    title = getattr(given, "name", None)
    return Overlay("series", str(title or "series"), values, numbers.number, "most")


def _number(key: Any, viewed: ViewedGraph) -> int:
    if isinstance(key, str):
        return viewed.numbers[viewed.known(key)]
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        if 0 <= key < len(viewed.operations):
            return int(key)
        raise InputError(
            f"the overlay has operation {key}, but the graph has {len(viewed.operations)}",
            hint="Its index has names of tensors, or numbers of operations from 0.",
        )
    raise wrong_type("overlay", "indexed by names of tensors, or numbers of operations", key)

"""`sensitivity`: which layer's rounding or noise moves the outputs most."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from nnefkit.analysis.quantization.calibration import listed
from nnefkit.analysis.quantization.measurement import Deviation, output_deviation
from nnefkit.analysis.quantization.plan import constant_tensors, planned
from nnefkit.analysis.quantization.ranges import weight_grid
from nnefkit.analysis.quantization.settings import check_bits
from nnefkit.analysis.quantization.stored_weights import with_variables
from nnefkit.analysis.quantization.tensor_grids import weight_values
from nnefkit.analysis.segments import own_results, run_in, run_on, segments
from nnefkit.analysis.sensitivity_result import SensitiveOperation, Sensitivity
from nnefkit.arguments import wrong_type
from nnefkit.arrays import Array
from nnefkit.display.progress_bar import ProgressBar, bar_delay
from nnefkit.errors import InputError, did_you_mean
from nnefkit.execution import Session
from nnefkit.graph import Graph, expected_graph
from nnefkit.operations.quantization_grid import QuantizationGrid

Perturbation = Literal["bits", "noise"]
Perturbed = Literal["results", "weights"]
_BUDGET = 1 << 28


def sensitivity(
    graph: Graph,
    inputs: Any,
    perturbation: Perturbation = "bits",
    *,
    of: Perturbed = "results",
    bits: int = 8,
    snr: float = 30.0,
    seed: int = 0,
    engine: str = "numpy",
    progress: bool | None = None,
) -> Sensitivity:
    """Find the operations whose rounding or noise moves the outputs most.

    The result of one operation at a time is perturbed, and the graph is run on from there.

    Args:
        graph: The graph, with weights.
        inputs: One input, as for `nnefkit.run`, or an iterable of them.
        perturbation: ``"bits"`` rounds to a grid of `bits` bits from the smallest to the largest
            value, 0 included; ``"noise"`` adds Gaussian noise with a ratio of `snr`.
        of: What is perturbed: the ``"results"`` of operations, or the ``"weights"`` that layers
            (conv, linear, ...) multiply with, in each output channel.
        bits: Number of bits, 2 to 16.
        snr: Signal-to-noise ratio of the noise to each tensor, in dB.
        seed: Seed of the noise; the noise of a tensor does not depend on the other ones.
        engine: The engine that runs the graph.
        progress: Whether to show a progress bar; None shows it if it takes more than a second.

    Returns:
        The operations, the one that moves the outputs most first.

    Raises:
        InputError: There are no inputs, an argument is out of range, or no layer has weights, or
            weights that are NaN or infinite.
        ExecutionError: The engine cannot run the graph.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [1, 4]); y = mul(x, 5.0); z = exp(y); }")
        >>> found = nk.sensitivity(graph, np.float32([[0.1, 0.5, 1.0, 0.3]]), "noise")
        >>> [each.tensor for each in found.operations]
        ['y', 'z']
    """
    graph = expected_graph(graph, data=True)
    _check(perturbation, of, bits, snr, seed)
    session = Session(graph, engine)
    perturb = _Perturbation(perturbation, bits, snr, seed)
    names = _results(session.graph)
    other = _with_changed_weights(session.graph, perturb) if of == "weights" else None
    found = {name: _Effect() for name in names}
    count = 0
    with ProgressBar(None, graph.name, "operation", delay=bar_delay(progress)) as bar:
        for count, example in enumerate(listed(inputs, "inputs"), 1):
            session.reset()
            run = dict(session.trace(example, progress=False))
            outputs = {name: run[name] for name in session.graph.outputs if name in run}
            changes = _rounded(run, names, perturb, count) if other is None else None
            for name, values in changes or _by_weights(other or graph, run, engine):
                effect = found.setdefault(name, _Effect())
                effect.own.add(run[name], values)
                effect.add(outputs, _run_on(session.graph, run, name, values, engine))
                bar.update(1)
    if not count:
        raise InputError("there are no inputs", hint="Pass at least one.")
    rows = tuple(_ranked(session.graph, {n: each for n, each in found.items() if each.runs}))
    if not rows:
        raise InputError(
            f"graph '{graph.name}' has no {'weights' if other else 'results'} to perturb",
            hint="Only tensors of type scalar are perturbed.",
        )
    return Sensitivity(rows, session.graph, perturb.words, of, count)


def _check(perturbation: Any, of: Any, bits: Any, snr: Any, seed: Any) -> None:
    for argument, value, known in (
        ("perturbation", perturbation, ("bits", "noise")),
        ("of", of, ("results", "weights")),
    ):
        if value not in known:
            hint = did_you_mean(str(value), known)
            words = " or ".join(map(repr, known))
            raise InputError(f"'{argument}' must be {words}, not {value!r}", hint=hint)
    check_bits(bits)
    if isinstance(snr, bool) or not isinstance(snr, (int, float)) or not math.isfinite(snr):
        raise wrong_type("snr", "a finite number of dB", snr)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"'seed' must be a non-negative integer, not {seed!r}")


@dataclass(frozen=True)
class _Perturbation:
    """How values are perturbed."""

    kind: Perturbation
    bits: int
    snr: float
    seed: int

    @property
    def words(self) -> str:
        if self.kind == "bits":
            return f"rounding to {self.bits} bits"
        return f"noise of {self.snr:g} dB"

    def result(self, values: Array, number: int, place: int) -> Array:
        """Perturb a result; NaN and infinite values stay.

        Args:
            values: The result.
            number: The number of the input.
            place: The position of the tensor in the graph.
        """
        finite = np.isfinite(values)
        if not finite.any():
            return values
        changed = np.where(finite, values, 0)
        if self.kind == "noise":
            changed = self._with_noise(changed, int(finite.sum()), number, place)
        else:
            low, high = values.min(where=finite, initial=0), values.max(where=finite, initial=0)
            grid = QuantizationGrid.of(low, high, self.bits, symmetric=False)
            changed = grid.rounded(changed).astype(values.dtype)
        return np.where(finite, changed, values)

    def weight(self, values: Array, axis: int | None, place: int) -> Array:
        """Perturb a weight, rounded in each channel along `axis`."""
        if not values.size:
            return values
        if self.kind == "noise":
            return self._with_noise(values, values.size, 0, place)
        grid = weight_grid(values, axis, "minmax", self.bits, symmetric=True)
        return grid.rounded(values).astype(values.dtype)

    def _with_noise(self, values: Array, count: int, number: int, place: int) -> Array:
        random = np.random.default_rng([self.seed, number, place])
        wide = values.astype(np.float64)
        level = math.sqrt(float(np.square(wide).sum()) / count) * 10 ** (-self.snr / 20)
        return (wide + random.normal(size=wide.shape) * level).astype(values.dtype)


@dataclass
class _Effect:
    """What the perturbation of one tensor does, over all inputs."""

    own: Deviation = field(default_factory=Deviation)
    outputs: Deviation = field(default_factory=Deviation)
    runs: int = 0

    def add(self, expected: Mapping[str, Array], found: Mapping[str, Array]) -> None:
        one = output_deviation(expected, found)
        self.outputs.signal += one.signal
        self.outputs.noise += one.noise
        self.runs += 1


def _results(graph: Graph) -> list[str]:
    constant = constant_tensors(graph)
    return [
        name
        for op in graph.computations
        for name in op.output_names
        if op.name != "update" and name not in constant and graph.tensors[name].dtype == "scalar"
    ]


def _rounded(
    run: Mapping[str, Array], names: list[str], perturb: _Perturbation, number: int
) -> Iterator[tuple[str, Array]]:
    for place, name in enumerate(names):
        yield name, perturb.result(run[name], number, place)


def _with_changed_weights(graph: Graph, perturb: _Perturbation) -> Graph:
    """Return a graph whose layers all have perturbed weights.

    Raises:
        InputError: A weight has NaN or infinite values.
    """
    filters = planned(graph, ()).filters
    values = weight_values(graph, filters)
    for place, (name, each) in enumerate(filters.items()):
        values[name] = perturb.weight(values[name], each.axis, place)
    return with_variables(graph, values)


def _by_weights(graph: Graph, run: Mapping[str, Array], engine: str) -> Iterator[tuple[str, Array]]:
    """Yield what layers with other weights compute from the inputs that they have in a run."""
    filters = planned(graph, ()).filters
    constant = constant_tensors(graph)
    readers = set()
    waiting = list(filters)
    while waiting:
        for op in graph.consumers[waiting.pop()]:
            if constant.issuperset(op.output_names):
                waiting += op.output_names
            else:
                readers.add(op.output_names[0])
    parts = [part for part in segments(graph, run) if part.tensor in readers]
    for part, values in own_results(graph, parts, run, run_in(engine), _BUDGET):
        yield part.tensor, values


def _run_on(
    graph: Graph, run: Mapping[str, Array], name: str, values: Array, engine: str
) -> Mapping[str, Array]:
    """Return the outputs if one result had other values."""
    changed = {other: run[other] for other in graph.producers[name].output_names}
    changed[name] = values
    return run_on(graph, run, changed, run_in(engine))


def _ranked(graph: Graph, found: Mapping[str, _Effect]) -> list[SensitiveOperation]:
    numbers = {name: i for i, op in enumerate(graph.operations) for name in op.output_names}
    rows = [
        SensitiveOperation(
            name,
            graph.producers[name].name,
            numbers[name],
            graph.line(graph.producers[name]),
            each.own.snr,
            each.outputs.snr,
            name in graph.outputs,
        )
        for name, each in found.items()
    ]
    return sorted(rows, key=lambda row: (row.output_snr, row.number))

"""Proof that a graph computes what its source computes.

Both run on the same example inputs. The tolerance is relative to the largest element of a tensor,
since two orders of summation differ by a fraction of it, however small an element is. Where an
output differs by more, each operation is compared on its own: a graph whose operations are correct
may amplify small differences by any factor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Arrays
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import Diagnostic, ExecutionError
from nnefkit.exchange.generated_inputs import generated_inputs
from nnefkit.exchange.local_differences import (
    LocalDifference,
    first_local_difference,
    relative_difference,
)
from nnefkit.exchange.proof_inputs import independent
from nnefkit.execution import Session
from nnefkit.graph import FrozenDict, Graph, Tensor

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Wording:
    """What a proof calls its two sides, and their difference."""

    wrong: str = "the graph does not compute what its source computes"
    instead: str = "or verify=False to get the graph and compare it with nk.compare."
    inputs: str = "inputs"
    """The parameter that takes the inputs to compare on."""


@dataclass(frozen=True)
class SourceRun:
    """How to run the source of a graph, or what was made of it."""

    outputs: Callable[[Arrays], Arrays]
    """Inputs of the source by name -> its outputs by name, in order."""
    everything: Callable[[Arrays], Arrays]
    """Inputs of the source by name -> all of its tensors by origin."""
    facts: Mapping[str, Any]
    """Facts for the provenance: source, versions."""
    again: Callable[[Arrays], Arrays] | None = None
    """The outputs computed in another order, for sources whose own rounding matters; a graph that
    agrees with either of the two is correct."""
    again_is: str = ""
    """What distinguishes those outputs, for the provenance; nothing if they are as good."""
    name_of: Callable[[Tensor], str] = lambda tensor: tensor.origin or tensor.name
    """The name that a tensor of the graph has in the source."""
    wording: Wording = Wording()
    remark: Callable[[], str] = lambda: ""
    """What a reader must know of the last run to judge a difference, if anything."""


def verified(
    graph: Graph,
    source: SourceRun,
    given: Arrays,
    *,
    engine: str = "numpy",
    tolerance: float | None = None,
    default: float = TOLERANCE,
    quantized: bool = False,
    rounded: Callable[[Array], Array] | None = None,
    bar: StagedProgressBar | None = None,
) -> Graph:
    """Compare a graph with its source, and return it with the result in its provenance.

    Args:
        graph: The graph as it was read.
        source: Runs the source.
        given: Inputs by the names of the graph; missing ones are generated.
        engine: The engine that runs the graph.
        tolerance: The largest allowed difference, relative to the largest element of a tensor.
            With None it is `default`, and outputs may differ by more if each operation agrees on
            its own.
        default: The tolerance if none is given.
        quantized: Whether the graph runs with its quantization info.
        rounded: Rounds inputs to the precision of the source.
        bar: Shows the progress.

    Raises:
        ExecutionError: The two differ; the error names the first tensor that differs. Or none
            of the generated inputs work.
    """
    allowed = default if tolerance is None else tolerance
    proof = _Proof(graph, source, engine, allowed, quantized, bar)
    proof.run(given, rounded or np.asarray)
    # Rounding explains no difference in shape, NaN or infinity.
    is_rounding = tolerance is None and bool(np.isfinite(proof.differences).all())
    if not proof.agrees() and not (is_rounding and proof.agrees_step_by_step()):
        raise proof.mismatch()
    compared = [source.again_is] if proof.is_again and source.again_is else []
    if not proof.agrees():
        compared.append("each operation on its own")
    facts = {
        "verified": True,
        "engine": engine,
        "tolerance": proof.tolerance,
        "largest_difference": max(proof.differences, default=0.0),
        **({"compared": ", ".join(compared)} if compared else {}),
    }
    return with_facts(graph, {**source.facts, **facts})


def with_facts(graph: Graph, facts: Mapping[str, Any]) -> Graph:
    """Return a graph with more facts in its provenance."""
    return replace(graph, provenance=FrozenDict({**graph.provenance, **facts}))


def unproved(graph: Graph, facts: Mapping[str, Any], reason: str) -> Graph:
    """Return a graph that nothing compared with its source, with the reason."""
    return with_facts(graph, {**facts, "verified": False, "not_verified": reason})


class _Proof:
    """The comparison of a graph with its source."""

    def __init__(
        self,
        graph: Graph,
        source: SourceRun,
        engine: str,
        tolerance: float,
        quantized: bool,
        bar: StagedProgressBar | None,
    ) -> None:
        self.graph = graph
        self.source = source
        self.tolerance = tolerance
        self.engine = engine
        self.quantized = quantized
        self.bar = bar or StagedProgressBar("", False)
        self.inputs: Arrays = {}
        self.outputs: Arrays = {}
        self.expected: list[Array] = []
        self.differences: list[float] = []
        self.local: LocalDifference | None = None
        self.is_again = False
        """Whether the outputs that are compared are those of `SourceRun.again`."""

    def run(self, given: Arrays, rounded: Callable[[Array], Array]) -> None:
        """Run both on the given inputs, or on the first generated ones that work."""
        self.bar.stage("comparing", 2, "run")
        session = Session(self.graph, self.engine, quantized=self.quantized)
        if all(name in given for name in self.graph.inputs):
            inputs = independent(given)
            self._run(session, {name: rounded(array) for name, array in inputs.items()})
            return
        problem: ExecutionError | None = None
        results: tuple[Any, ...] | None = None
        for generated in generated_inputs(self.graph):
            try:
                inputs = independent({**generated, **given})
                self._run(session, {name: rounded(array) for name, array in inputs.items()})
            except ExecutionError as error:
                problem = problem or error
                continue
            results = results or (self.inputs, self.outputs, self.expected, self.differences)
            if all(np.isfinite(array).any() for array in self.expected if array.size):
                return
        if results is None:
            raise _no_inputs(self.graph, problem, self.source.wording.inputs)
        # Nothing but NaN and infinity: that, too, is compared.
        self.inputs, self.outputs, self.expected, self.differences = results

    def _run(self, session: Session, inputs: Arrays) -> None:
        self.inputs = inputs
        session.reset()
        self.outputs = session.run(inputs, progress=False)
        self.bar.update(1)
        self._compare([*self.source.outputs(self._source_inputs()).values()])
        self.bar.update(1)
        # Where the source has two answers, NaN of one of them is never taken for a number.
        may_repeat = not self.source.again_is or bool(np.isfinite(self.differences).all())
        if self.source.again is not None and may_repeat and not self.agrees():
            first = self.expected, self.differences
            self._compare([*self.source.again(self._source_inputs()).values()])
            self.is_again = max(self.differences) <= max(first[1])
            if not self.is_again:
                self.expected, self.differences = first

    def _compare(self, expected: list[Array]) -> None:
        # The outputs of a graph are in the order of those of the source, which may have more: the
        # new values of variables.
        self.expected = [np.asarray(array) for array in expected[: len(self.outputs)]]
        pairs = zip(self.outputs.values(), self.expected, strict=True)
        self.differences = [relative_difference(array, other) for array, other in pairs]

    def _source_inputs(self) -> dict[str, Array]:
        tensors = self.graph.tensors
        return {self.source.name_of(tensors[name]): a for name, a in self.inputs.items()}

    def agrees(self) -> bool:
        """Whether all outputs agree up to the tolerance."""
        return all(difference <= self.tolerance for difference in self.differences)

    def agrees_step_by_step(self) -> bool:
        """Whether each operation agrees, given what the source computes before it."""
        if self.engine != "numpy":
            return False  # The steps are computed by numpy.
        self.local, compared = self._compared_step_by_step()
        return self.local is None and compared.issuperset(self.outputs)

    def _compared_step_by_step(self) -> tuple[LocalDifference | None, set[str]]:
        try:
            self.bar.stage("comparing operations", len(self.graph.computations), "operation")
            expected = self.source.everything(self._source_inputs())
            difference, compared = first_local_difference(
                self.graph,
                self.inputs,
                expected,
                self.source.name_of,
                self.tolerance,
                self.bar,
                quantized=self.quantized,
            )
        except Exception:  # noqa: BLE001 - the outputs differ in any case
            return None, set()
        return difference, compared - self._unlike_the_run(expected)

    def _unlike_the_run(self, everything: Mapping[str, Array]) -> set[str]:
        """Return the outputs that differ when the source is run with all tensors recorded.

        What is recorded is the program that was converted. Where the program itself is wrong, the
        operations of the graph agree with it nevertheless.
        """
        names = {name: self.source.name_of(self.graph.tensors[name]) for name in self.outputs}
        return {
            name
            for (name, origin), output in zip(names.items(), self.expected, strict=True)
            if origin in everything
            and not relative_difference(np.asarray(everything[origin]), output) <= self.tolerance
        }

    def mismatch(self) -> ExecutionError:
        """Return the error that names the first tensor that differs."""
        number = next(i for i, d in enumerate(self.differences) if not d <= self.tolerance)
        name, difference = [*self.outputs][number], self.differences[number]
        message = f"{self.source.wording.wrong}: "
        if self.local is None:
            self.local, _ = self._compared_step_by_step()
        first = self.local or LocalDifference(name, difference, "")
        message += f"{self._named(first.name, first.operation)} is the first tensor that differs, "
        message += self._amount(first.name, first.difference)
        if first.name != name:
            message += f"; the output '{name}' differs {self._amount(name, difference)}"
        if remark := self.source.remark():
            message += f". {remark}"
        return ExecutionError(Diagnostic("wrong-export", message, hint=self._hint()))

    def _named(self, name: str, operation: str) -> str:
        origin = self.source.name_of(self.graph.tensors[name])
        tensor = f"'{name}'" + (f" ('{origin}' in the source)" if origin != name else "")
        return tensor + (f", computed by '{operation}'," if operation else "")

    def _amount(self, name: str, difference: float) -> str:
        if np.isinf(difference):
            pairs = dict(zip(self.outputs, self.expected, strict=True))
            if name not in pairs:
                return "in its shape or in elements that are not finite"
            return _without_measure(self.outputs[name], pairs[name])
        times = f", {difference / self.tolerance:.2g} times" if self.tolerance > 0 else ", above"
        return (
            f"by {difference:.2g} of its largest element{times} the tolerance {self.tolerance:.2g}"
        )

    def _hint(self) -> str:
        largest = max(self.differences)
        if np.isinf(largest):
            wording = self.source.wording
            return f"Pass other {wording.inputs}=..., {wording.instead}"
        # Two digits, rounded up.
        enough = float(f"{largest * 1.1:.1e}")
        return (
            f"If you consider this difference acceptable, pass tolerance={enough:.2g}, "
            f"{self.source.wording.instead}"
        )


def _without_measure(array: Array, expected: Array) -> str:
    """Return how two arrays differ whose difference has no size relative to their elements."""
    if array.shape != expected.shape:
        return f"in its shape: it is [{_listed(array)}] instead of [{_listed(expected)}]"
    a, b = array.astype(np.float64), expected.astype(np.float64)
    unlike = ~((a == b) | (np.isnan(a) & np.isnan(b))) & ~(np.isfinite(a) & np.isfinite(b))
    if count := int(unlike.sum()):
        return f"in {count:,} of {array.size:,} elements, which are not finite in one of the two"
    return f"by {np.abs(a - b).max():.2g}, where all of its elements are 0"


def _listed(array: Array) -> str:
    return ", ".join(map(str, array.shape))


def _no_inputs(graph: Graph, problem: ExecutionError | None, parameter: str) -> ExecutionError:
    names = ", ".join(f"'{name}': ..." for name in graph.inputs)
    reason = problem.diagnostics[0].message if problem and problem.diagnostics else str(problem)
    error = ExecutionError(
        f"the generated inputs do not work: {reason}",
        hint=f"Pass inputs that the network accepts, {parameter}={{{names}}}, or verify=False.",
    )
    error.__cause__ = problem
    return error

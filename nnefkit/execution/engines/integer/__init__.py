"""The engine `integer`: quantized graphs in the integer arithmetic of devices."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from weakref import ref

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.execution.engine import Engine, Prepared
from nnefkit.execution.engines.integer.arithmetic import Arithmetic, Overflow
from nnefkit.execution.engines.integer.fixed_point import Rounding
from nnefkit.execution.engines.integer.grid import CodeGrid
from nnefkit.execution.engines.integer.planner import IntegerPlanner
from nnefkit.execution.engines.integer.prepared import PreparedIntegers
from nnefkit.graph import Graph, Operation
from nnefkit.operation_names import SOURCES
from nnefkit.operations.registry import KERNELS

_UNANNOTATED = (
    "The graph has no quantization info, from which the engine takes the codes. "
    "nk.quantize(graph, calibration) adds it."
)


class IntegerEngine(Engine):
    """The engine that runs quantized graphs in integers, as devices do.

    Codes of inputs and weights are multiplied and summed in integers, and sums are rescaled by a
    multiplier and a shift, so that the codes of each tensor are those of a device. By default,
    these are the codes of TFLite's kernels.

    Args:
        rounding: How products with a multiplier are rounded: ``"tflite"`` rounds as each kernel of
            TFLite does; ``"half_away"`` (from zero), ``"half_up"``, ``"half_even"``,
            ``"truncate"`` (toward zero) and ``"floor"`` round once, everywhere.
        accumulator_bits: Width of sums; None is 32 for codes of 8 bits, and 64 for those of 16.
        overflow: What happens to sums that are wider: ``"wrap"`` around, ``"saturate"``, or fail
            with an ``"error"``.

    Raises:
        InputError: An option has another value.
    """

    name = "integer"
    version = np.__version__
    options = ("rounding", "accumulator_bits", "overflow")
    annotated = True

    def __init__(
        self,
        rounding: Rounding = "tflite",
        accumulator_bits: int | None = None,
        overflow: Overflow = "wrap",
    ) -> None:
        self._arithmetic = Arithmetic(rounding, accumulator_bits, overflow)
        self._last: tuple[ref[Graph], Mapping[int, str]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run: those before and after codes, too."""
        return SOURCES | KERNELS.keys()

    @property
    def partly(self) -> frozenset[str]:
        """All operations: between codes, there is a rule for some of them only."""
        return frozenset(KERNELS.keys() - SOURCES)

    def _reasons(self, graph: Graph) -> Mapping[int, str]:
        """Return why operations of `graph` cannot run: their identity -> a sentence."""
        last = self._last
        if last is None or last[0]() is not graph:
            if any(tensor.quantization for tensor in graph.tensors.values()):
                reasons = IntegerPlanner(graph, self._arithmetic).reasons
            else:
                reasons = {id(op): _UNANNOTATED for op in graph.operations if not op.is_source}
            self._last = last = ref(graph), reasons
        return last[1]

    def unsupported(self, graph: Graph) -> list[Operation]:
        """Return the operations on codes for which there is no rule, in their order."""
        known = self.operations
        unknown = [op for op in graph.operations if op.name not in known]
        if unknown:
            return unknown
        reasons = self._reasons(graph)
        return [op for op in graph.operations if id(op) in reasons]

    def why_unsupported(self, graph: Graph, operation: Operation) -> str:
        """Return why there is no rule for an operation of `unsupported`."""
        if operation.name not in self.operations:
            return "It has no definition in integers."
        return self._reasons(graph).get(id(operation), "")

    def received(self, graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return inputs as the numbers of the nearest codes."""
        rounded = {}
        for name, array in inputs.items():
            line = graph.tensors[name].quantization
            grid = CodeGrid.read(line) if line and array.dtype.kind == "f" else None
            rounding = self._arithmetic.rounding
            rounded[name] = array if grid is None else grid.numbers(grid.codes(array, rounding))
        return rounded

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Prepare `graph` to compute the tensors of `fetch`, and those of `watched`."""
        planner = IntegerPlanner(graph, self._arithmetic)
        for op in graph.operations:
            if id(op) in planner.reasons:
                hint = planner.reasons[id(op)]
                raise ExecutionError(f"the engine 'integer' cannot run '{op.name}'", hint=hint)
        return PreparedIntegers(planner, fetch, watched)

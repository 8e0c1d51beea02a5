"""The reader of a Caffe2 network, operator by operator; all refused ones are reported at once."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnefkit.budget import current_budget, remedy
from nnefkit.display.progress_bar import ProgressBar
from nnefkit.errors import NO_EMPTY_TENSORS, Diagnostic
from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.caffe2.arguments import INVALID, Arguments, text_of
from nnefkit.exchange.caffe2.call import READERS, Call
from nnefkit.exchange.caffe2.model import Caffe2Model, Caffe2Operator
from nnefkit.exchange.caffe2.operators import (  # noqa: F401  (they register their readers)
    activation,
    convolution,
    elementwise,
    filling,
    linear_algebra,
    normalization,
    pooling,
    recurrent,
    reduction,
    resampling,
    shaping,
)
from nnefkit.exchange.caffe2.unread import refusal_of_type
from nnefkit.exchange.emission import emitted, name_outputs
from nnefkit.exchange.refusal import UNREAD, Refusal, Unread, refusal_for, refuse
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import Value
from nnefkit.graph import Graph

_WITHOUT = "Cut the network before it, outputs=[...], and compute the rest outside of it."
_CALL = "nnefkit.from_caffe2(init_net, predict_net)"


class Caffe2Reader:
    """Reads one network."""

    def __init__(self, source: Caffe2Model) -> None:
        self.source = source
        self.graph = SourceGraph()
        self.problems: list[Diagnostic] = []
        self.allowance = Allowance(source.size, _CALL)
        self._values: dict[int, Value | Unread] = {}
        self._partial: dict[int, str] = {}
        """Number of a value that is not read -> the type of the operator that computes it."""

    @property
    def size(self) -> int:
        """The number of operators to read."""
        return len(self.source.operators)

    def read(self, bar: ProgressBar | None = None) -> Graph | None:
        """Return the graph, or None if there are problems.

        Args:
            bar: Counts the operators.
        """
        for number in self.source.inputs:
            self._values[number] = self._input(number)
        for one in self.source.operators:
            self._read(one)
            if bar is not None:
                bar.update(1)
        outputs = self._outputs()
        if not self.problems and not self.graph.externals:
            self._problem(
                "the network has no inputs, and all of its outputs are constant",
                "A graph of NNEF has at least one input: name it by input_shapes={...}.",
            )
        if self.problems:
            return None
        name_outputs(self.graph, outputs)
        return emitted(self.graph, self.source.name, outputs)

    # -- inputs and outputs -------------------------------------------------------------------

    def _input(self, number: int) -> Value | Unread:
        name, info = self.source.values[number].blob, self.source.inputs[number]
        shape = info.shape or ()
        if info.dtype == "str":
            self._problem(
                f"input '{name}' holds strings", "Process strings outside of the network."
            )
            return UNREAD
        if prod(shape) * 4 > current_budget().bytes:
            self._problem(
                f"input '{name}' has {prod(shape):,} elements",
                f"Use smaller extents. {remedy('bytes', _CALL)}",
            )
            return UNREAD
        return self.graph.external(name, shape, np.dtype(info.dtype))

    def _outputs(self) -> list[tuple[str, Value]]:
        outputs = []
        for name, number in self.source.outputs:
            value = self._values.get(number, UNREAD)
            if isinstance(value, Value) and 0 not in value.shape:
                outputs.append((name, value))
            elif isinstance(value, Value):
                self._problem(f"output '{name}' is empty", NO_EMPTY_TENSORS)
            elif number in self._partial:
                self._problem(
                    f"output '{name}': {self._absent(number)}", "Leave it out: outputs=[...]."
                )
            elif not self.problems:
                self._problem(f"no operator computes the output '{name}'", INVALID)
        return outputs

    # -- operators ----------------------------------------------------------------------------

    def _read(self, one: Caffe2Operator) -> None:
        first = len(self.graph.operations)
        try:
            results = self._results(one)
        except Exception as error:  # noqa: BLE001 - invalid networks can cause any error
            del self.graph.operations[first:]
            refusal = refusal_for(error, INVALID)
            self._problem(f"{one.type} '{one.name}': {refusal.reason}", refusal.hint)
            results = []
        for place, number in enumerate(one.outputs):
            if number in self.source.inputs:
                continue
            if place < len(results):
                self._values[number] = results[place]
            elif results:
                self._partial[number] = one.type
            else:
                self._values[number] = UNREAD

    def _results(self, one: Caffe2Operator) -> list[Value]:
        values = self.source.values
        if one.type not in READERS:
            raise self._unknown(one)
        engine = text_of(one.message.engine)
        if engine.startswith("DNNLOWP"):
            refuse(
                f"its engine {engine} computes with 8 bits, whose ranges are not in the network",
                "Give the network as it was before it was quantized.",
            )
        inputs: list[Value] = []
        for number in one.inputs:
            value = self._values.get(number)
            if isinstance(value, Unread):
                return []  # An earlier refusal is the cause.
            if number in self._partial:
                refuse(f"it reads '{values[number].name}': {self._absent(number)}", _WITHOUT)
            if value is None:
                refuse(f"nothing makes its input '{values[number].blob}'", INVALID)
            inputs.append(value)
        names = [values[number].name for number in one.outputs]
        call = Call(one.type, self.graph, inputs, Arguments(one.message), names, self.allowance)
        read: Any = READERS[one.type](call)
        results: list[Value] = read if isinstance(read, list) else [read]
        self.graph.name_results(results, names)
        return results

    # -- problems -----------------------------------------------------------------------------

    def _unknown(self, one: Caffe2Operator) -> Refusal:
        """Return the refusal of an operator without a reader."""
        read = [self.source.values[number].name for number in one.inputs]
        made = [self.source.values[number].blob for number in one.outputs]
        return refusal_of_type(one.type, bool(one.message.is_gradient_op), read, made)

    def _absent(self, number: int) -> str:
        """Return why a value is not read although its operator is."""
        return f"of what {self._partial[number]} computes, only the first results are read"

    def _problem(self, message: str, hint: str) -> None:
        self.problems.append(
            Diagnostic("not-expressible", message, file=self.source.path, hint=hint)
        )

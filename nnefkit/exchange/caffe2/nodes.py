"""The reader of a Caffe2 network, operator by operator; all refused ones are reported at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.display.progress_bar import ProgressBar
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
from nnefkit.exchange.network_reader import NetworkReader
from nnefkit.exchange.refusal import UNREAD, Refusal, Unread, refusal_for, refuse
from nnefkit.exchange.source_value import Value
from nnefkit.graph import Graph

_WITHOUT = "Cut the network before it, outputs=[...], and compute the rest outside of it."
_CALL = "nnefkit.from_caffe2(init_net, predict_net)"


class Caffe2Reader(NetworkReader):
    """Reads one network."""

    def __init__(self, source: Caffe2Model) -> None:
        super().__init__(source.path, source.size, _CALL)
        self.source = source
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
        return self.finished(self.source.name, self._outputs())

    # -- inputs and outputs -------------------------------------------------------------------

    def _input(self, number: int) -> Value | Unread:
        name, info = self.source.values[number].blob, self.source.inputs[number]
        if info.dtype == "str":
            self.problem(f"input '{name}' holds strings", "Process strings outside of the network.")
            return UNREAD
        return self.external(name, info.shape or (), np.dtype(info.dtype))

    def _outputs(self) -> list[tuple[str, Value]]:
        values = []
        for name, number in self.source.outputs:
            value = self._values.get(number, UNREAD)
            if isinstance(value, Unread) and number in self._partial:
                self.problem(
                    f"output '{name}': {self._absent(number)}", "Leave it out: outputs=[...]."
                )
            else:
                values.append((name, value))
        return self.usable(values, "operator", INVALID)

    # -- operators ----------------------------------------------------------------------------

    def _read(self, one: Caffe2Operator) -> None:
        first = len(self.graph.operations)
        try:
            results = self._results(one)
        except Exception as error:  # noqa: BLE001 - invalid networks can cause any error
            del self.graph.operations[first:]
            refusal = refusal_for(error, INVALID)
            self.problem(f"{one.type} '{one.name}': {refusal.reason}", refusal.hint)
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

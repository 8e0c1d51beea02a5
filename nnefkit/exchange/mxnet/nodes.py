"""The reader of an MXNet symbol, node by node; all refused ones are reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnefkit.display.progress_bar import ProgressBar
from nnefkit.exchange.mxnet.call import INVALID, READERS, Call
from nnefkit.exchange.mxnet.model import VARIABLE, MxnetModel, NodeOutput, SymbolNode
from nnefkit.exchange.mxnet.ndarray_file import SparseArray, computed
from nnefkit.exchange.mxnet.opened_model import read_inputs
from nnefkit.exchange.mxnet.operators import (  # noqa: F401  (they register their readers)
    activation,
    arithmetic,
    attention,
    constants,
    convolution,
    elementwise,
    indexing,
    linear_algebra,
    normalization,
    output_layers,
    pooling,
    recurrent,
    reduction,
    resampling,
    sequences,
    shaping,
    slicing,
)
from nnefkit.exchange.mxnet.operators.layouts import CHANNELS_LAST
from nnefkit.exchange.mxnet.refused import refused_operator
from nnefkit.exchange.network_reader import NetworkReader
from nnefkit.exchange.refusal import UNREAD, Refusal, Unread, refusal_for, refuse
from nnefkit.exchange.source_value import Value
from nnefkit.graph import Graph

_CALL = "nnefkit.from_mxnet(symbol_json, params)"
_SPARSE = "_sparse_"
"""What the names of operators begin with that take sparse arrays, too."""


class MxnetReader(NetworkReader):
    """Reads one network.

    Args:
        source: The network.
        batch: The extent of states of zeros whose batch the network leaves open.
    """

    def __init__(self, source: MxnetModel, batch: int | None = None) -> None:
        super().__init__(source.path, source.size, _CALL)
        self.source = source
        self._batch = batch
        self.unknown: list[str] = []
        """The names of nodes whose shape has an extent that MXNet infers."""
        self._values: dict[NodeOutput, Value | Unread] = {}
        self._variables: dict[str, Value | Unread] = {}
        """Inputs and parameters by name."""

    @property
    def size(self) -> int:
        """The number of nodes to read."""
        return len(self.source.needed)

    @property
    def has_channels_last(self) -> bool:
        """Whether layers have their channels as the last axis."""
        return bool(self.graph.notes.get(CHANNELS_LAST))

    def read(self, bar: ProgressBar | None = None) -> Graph | None:
        """Return the graph, or None if there are problems.

        Args:
            bar: Counts the nodes.
        """
        for number in self.source.inputs:
            self._input(number)
        for number in self.source.needed:
            node = self.source.nodes[number]
            if node.op == VARIABLE:
                self._values[NodeOutput(number, 0)] = self._variable(node)
            else:
                self._read_node(number, node)
            if bar is not None:
                bar.update(1)
        return self.finished(self.source.name, self._outputs())

    # -- inputs, parameters and outputs -------------------------------------------------------

    def _input(self, number: int) -> None:
        name, shape, dtype = self.source.inputs[number]
        assert shape is not None  # noqa: S101 - inputs have shapes by now
        if name in self._variables:
            return
        self._variables[name] = self.external(name, shape, dtype)

    def _variable(self, node: SymbolNode) -> Value | Unread:
        if node.name not in self._variables:
            try:
                self._variables[node.name] = self._parameter(node.name)
            except Refusal as refusal:
                self.problem(f"parameter '{node.name}': {refusal.reason}", refusal.hint)
                self._variables[node.name] = UNREAD
        return self._variables[node.name]

    def _parameter(self, name: str) -> Value:
        stored = self.source.parameters[name]
        if isinstance(stored, SparseArray):
            refuse(
                f"it is stored in the sparse form '{stored.storage}'",
                "Convert it to a dense array (tostype('default')), and save the parameters again.",
            )
        if stored is None or 0 in stored.shape:
            refuse("its array is empty", "Initialize all parameters before they are saved.")
        data = computed(stored)
        self.graph.weights.add(name)
        return self.graph.weight(data, name)

    def _outputs(self) -> list[tuple[str, Value]]:
        values = [(name, self._values.get(entry, UNREAD)) for name, entry in self.source.outputs]
        return self.usable(values, "node", INVALID)

    # -- nodes --------------------------------------------------------------------------------

    def _read_node(self, number: int, node: SymbolNode) -> None:
        first = len(self.graph.operations)
        results: Sequence[Any] = ()
        try:
            results = self._results(node)
        except Exception as error:  # noqa: BLE001 - invalid symbols can cause any error
            del self.graph.operations[first:]
            refusal = refusal_for(error, INVALID)
            self.problem(f"{node.op} '{node.name}': {refusal.reason}", refusal.hint)
        for index in range(max(len(node.outputs), len(results))):
            value = results[index] if index < len(results) else UNREAD
            self._values[NodeOutput(number, index)] = value

    def _results(self, node: SymbolNode) -> list[Value]:
        op = node.op if node.op in READERS else node.op.removeprefix(_SPARSE)
        if op not in READERS:
            raise self._unknown(node)
        inputs: list[Value] = []
        for entry in read_inputs(node):
            value = self._values.get(entry)
            if isinstance(value, Unread):
                return []  # An earlier refusal is the cause.
            if value is None:
                source = self.source.nodes[entry.node]
                refuse(
                    f"it reads the output {entry.place} of {source.op} '{source.name}', which no "
                    "node can read",
                    INVALID,
                )
            inputs.append(value)
        call = Call(op, self.graph, node, inputs, self.allowance, self._batch, self.unknown)
        read: Any = READERS[op](call)
        if unread := call.unread():
            refuse(
                f"it has the attribute '{unread[0]}', which is not known",
                "Remove it if it does not change what the operator computes.",
            )
        results: list[Value] = read if isinstance(read, list) else [read]
        self._name(node, results)
        return results

    def _name(self, node: SymbolNode, results: Sequence[Value]) -> None:
        """Name results after the node, or after its outputs if there are several."""
        names = [node.name] if len(node.outputs) == 1 else [*node.outputs]
        suffix = f"#{node.occurrence}" if node.occurrence > 1 else ""
        for value, name in zip(results, node.outputs, strict=False):
            if value.origin is None and value.data is None:
                value.origin = name + suffix
        self.graph.name_results(results, names)

    # -- problems -----------------------------------------------------------------------------

    def _unknown(self, node: SymbolNode) -> Refusal:
        """Return the refusal of an operator without a reader."""
        read = [
            self._read_name(entry)
            for entry in read_inputs(node)
            if self.source.nodes[entry.node].name not in self.source.parameters
        ]
        refused = refused_operator(node.op.removeprefix(_SPARSE))
        hint = refused.hint.replace("{outputs}", repr(read))
        return Refusal(refused.reason, hint if read or hint == refused.hint else "")

    def _read_name(self, entry: NodeOutput) -> str:
        node = self.source.nodes[entry.node]
        known = node.outputs
        return known[entry.place] if entry.place < len(known) else node.name

"""The reader of a Keras model, layer by layer; all refused ones are reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from nnefkit.budget import current_budget, remedy
from nnefkit.display.progress_bar import ProgressBar
from nnefkit.errors import Diagnostic
from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.emission import emitted, name_outputs
from nnefkit.exchange.keras.call import MASKING, READERS, Call
from nnefkit.exchange.keras.input_shapes import input_names
from nnefkit.exchange.keras.layers import (  # noqa: F401  (they register their readers)
    activation,
    attention,
    conv_lstm,
    convolution,
    core,
    lambda_functions,
    masking,
    merging,
    normalization,
    operations,
    pooling,
    recurrent,
    resampling,
    shaping,
    tensor_functions,
)
from nnefkit.exchange.keras.model import KerasModel, LayerCall, LayerInfo, LayerNetwork, TensorRef
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import UNREAD, Refusal, Unread, refusal_for
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import DTYPES, Value, values_in
from nnefkit.graph import Graph

MAX_CALLS = 20_000
"""Maximum number of calls of layers, since nested networks may be called any number of times."""
_MAX_OPERATIONS = 400_000
_WAY_OUT = (
    "Write it with layers or operations of Keras, cut the model before it (keras.Model(inputs, "
    "outputs)), or export it with model.export(...) to ONNX, TFLite or a SavedModel."
)


class KerasReader:
    """Reads one model."""

    def __init__(self, source: KerasModel) -> None:
        self.source = source
        self.graph = SourceGraph()
        self.problems: list[Diagnostic] = []
        self._refused: set[tuple[str, str]] = set()
        self._weights: dict[tuple[str, str], Value] = {}
        self._masks: dict[int, tuple[Value, Value]] = {}
        self.allowance = Allowance(source.size, "nnefkit.from_keras(model)")
        self._calls = 0

    @property
    def size(self) -> int:
        """The number of layers to read, without those of nested networks."""
        return len(self.source.network.layers)

    def read(self, bar: ProgressBar | None = None) -> Graph | None:
        """Return the graph, or None if there are problems.

        Args:
            bar: Counts the layers.
        """
        network = self.source.network
        inputs = [self._input(name) for name in input_names(self.source)]
        try:
            results = self._read_network(network, inputs, "", "", bar)
        except Refusal as refusal:
            self._problem(refusal.reason, refusal.hint)
            return None
        outputs: list[tuple[str, Value]] = []
        for (name, ref), value in zip(network.outputs, results, strict=True):
            if isinstance(value, Value):
                outputs.append((name or _title(network, ref, value), value))
            elif not self.problems:
                self._problem(f"the output '{name or ref.layer}' is not a tensor", INVALID)
        if not self.problems and not self.graph.externals:
            self._problem("the model has no inputs", INVALID)
        if self.problems:
            return None
        name_outputs(self.graph, outputs)
        return emitted(self.graph, self.source.name, outputs)

    def _input(self, name: str) -> Value | Unread:
        layer = self.source.network.layers[name]
        stated = layer.config.get("dtype") or "float32"
        if isinstance(stated, Mapping):
            stated = (stated.get("config") or {}).get("name", "float32")
        name_of = {"bfloat16": "float32", "float16": "float32"}
        text = name_of.get(str(stated), str(stated))
        if text not in DTYPES:
            self._problem(
                f"input '{name}' has elements of type {text:.40}",
                "NNEF has tensors of scalars, integers and logicals (3.3.1).",
            )
            return UNREAD
        shape, dtype = self.source.shapes[name], np.dtype(text)
        if prod(shape) * dtype.itemsize > current_budget().bytes:
            self._problem(
                f"input '{name}' has {prod(shape):,} elements",
                f"Use smaller extents. {remedy('bytes', 'nk.from_keras(...)')}",
            )
            return UNREAD
        return self.graph.external(name, shape, dtype)

    # -- networks -----------------------------------------------------------------------------

    def _read_network(
        self,
        network: LayerNetwork,
        inputs: Sequence[Any],
        path: str,
        title: str,
        bar: ProgressBar | None = None,
    ) -> list[Any]:
        """Read the layers of a network, and return its outputs.

        Args:
            network: The network.
            inputs: Its inputs, in order.
            path: The path of the network; empty for the model itself.
            title: The path with the numbers of the calls of networks.
            bar: Counts the layers.
        """
        values: dict[tuple[str, int], Any] = {
            (ref.layer, ref.call): value for ref, value in zip(network.inputs, inputs, strict=False)
        }
        if len(inputs) != len(network.inputs):
            raise Refusal(
                f"it has {len(network.inputs)} inputs, but {len(inputs)} are given", INVALID
            )
        for layer, number in _in_order(network):
            call = layer.calls[number]
            name = f"{path}/{layer.name}" if path else layer.name
            shown = f"{title}/{layer.name}" if title else layer.name
            shown = shown if number == 0 else f"{shown}:{number}"
            args = [self._resolved(values, each) for each in call.args]
            kwargs = {key: self._resolved(values, each) for key, each in call.kwargs.items()}
            values[layer.name, number] = self._read_layer(layer, name, args, kwargs, shown)
            if bar is not None:
                bar.update(1)
        return [self._resolved(values, ref) for _, ref in network.outputs]

    def _resolved(self, values: Mapping[tuple[str, int], Any], argument: Any) -> Any:
        if isinstance(argument, TensorRef):
            value = values.get((argument.layer, argument.call))
            if value is None:
                raise Refusal(
                    f"call {argument.call} of the layer '{argument.layer}' does not exist", INVALID
                )
            if isinstance(value, (list, tuple)):
                if not 0 <= argument.result < len(value):
                    raise Refusal(f"'{argument.layer}' has no result {argument.result}", INVALID)
                return value[argument.result]
            return value
        if isinstance(argument, (list, tuple)):
            return [self._resolved(values, each) for each in argument]
        if isinstance(argument, Mapping):
            return {key: self._resolved(values, each) for key, each in argument.items()}
        return argument

    # -- layers -------------------------------------------------------------------------------

    def _read_layer(
        self,
        layer: LayerInfo,
        path: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        title: str,
    ) -> Any:
        """Return the result of a call of a layer, `UNREAD` if it is refused."""
        if _has_unread([*args, *kwargs.values()]):
            if layer.network is None and (layer.problem or layer.kind not in READERS):
                self._refuse(layer, path, _unknown(layer))
            elif layer.network is not None:
                self._refuse_unknown(layer.network, path)
            return UNREAD  # An earlier refusal is the cause.
        first = len(self.graph.operations)
        try:
            result = self._result(layer, path, args, kwargs, title)
        except Exception as error:  # noqa: BLE001 - invalid models can cause any error
            del self.graph.operations[first:]
            self._refuse(layer, path, refusal_for(error, INVALID))
            return UNREAD
        self._name_results(result, title)
        self._pass_mask(layer, args, result)
        return result

    def _result(
        self,
        layer: LayerInfo,
        path: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        title: str,
    ) -> Any:
        self._calls += 1
        if self._calls > MAX_CALLS or len(self.graph.operations) > _MAX_OPERATIONS:
            raise Refusal("the model calls too many layers, with its networks and loops unrolled")
        if layer.network is not None:
            inputs = values_in(args)
            with self.graph.scope(layer.name):
                results = self._read_network(layer.network, inputs, path, title)
            return results[0] if len(results) == 1 else results
        if layer.problem or layer.kind not in READERS:
            raise _unknown(layer)
        if _is_quantized(layer.config):
            raise Refusal(
                "its weights are quantized", "Save the model before it is quantized, or to TFLite."
            )
        call = Call(
            layer.class_name,
            self.graph,
            layer,
            path,
            args,
            kwargs,
            self.source.variables,
            self._weights,
            self._masks,
            self._inner,
            self.allowance,
            self.source.is_keras_2,
            title,
        )
        with self.graph.scope(layer.name):
            result = READERS[layer.kind](call)
        call.check()
        return result

    def _inner(
        self, layer: LayerInfo, path: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Read a layer inside of another one."""
        return self._result(layer, path, args, kwargs, path)

    def _name_results(self, result: Any, name: str) -> None:
        values = values_in([result])
        names = [name, *(f"{name}.{number}" for number in range(1, len(values)))]
        # A layer that returns its input leaves its name.
        self.graph.name_results(values, names)

    def _pass_mask(self, layer: LayerInfo, args: Sequence[Any], result: Any) -> None:
        rule = MASKING.get(layer.kind)
        if rule is None or not self._masks or not isinstance(result, Value):
            return
        masks = [self._masks.get(id(value), (value, None))[1] for value in values_in(args)]
        mask = rule(masks, result)
        if mask is not None:
            self._masks[id(result)] = result, mask

    # -- problems -----------------------------------------------------------------------------

    def _refuse_unknown(self, network: LayerNetwork, path: str) -> None:
        for layer in network.layers.values():
            inner = f"{path}/{layer.name}"
            if layer.network is not None:
                self._refuse_unknown(layer.network, inner)
            elif layer.problem or layer.kind not in (*READERS, "InputLayer"):
                self._refuse(layer, inner, _unknown(layer))

    def _refuse(self, layer: LayerInfo, path: str, refusal: Refusal) -> None:
        if (path, refusal.reason) not in self._refused:
            self._refused.add((path, refusal.reason))
            self._problem(f"{layer.class_name} '{path}': {refusal.reason}", refusal.hint)

    def _problem(self, message: str, hint: str) -> None:
        self.problems.append(
            Diagnostic("not-expressible", message, file=self.source.path, hint=hint)
        )


def _title(network: LayerNetwork, ref: TensorRef, value: Value) -> str:
    """Return the name of an output that the model does not name: that of its layer."""
    layer = network.layers.get(ref.layer)
    if layer is None or layer.network is not None:
        return value.name or ref.layer
    title = ref.layer if ref.call == 0 else f"{ref.layer}:{ref.call}"
    return title if ref.result == 0 else f"{title}.{ref.result}"


def _unknown(layer: LayerInfo) -> Refusal:
    if layer.problem:
        return Refusal(layer.problem, _WAY_OUT)
    if layer.kind == "Lambda":
        return Refusal("it is Python code, which is not run", _WAY_OUT)
    what = "operation" if layer.kind.startswith("ops.") else "layer"
    return Refusal(f"there is no reader for this {what}", _WAY_OUT)


def _has_unread(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_has_unread, value))
    if isinstance(value, Mapping):
        return any(map(_has_unread, value.values()))
    return isinstance(value, Unread)


def _is_quantized(config: Mapping[str, Any]) -> bool:
    policy = config.get("dtype")
    name = policy.get("class_name") if isinstance(policy, Mapping) else ""
    return "Quantized" in str(name) or config.get("quantization_config") is not None


def _in_order(network: LayerNetwork) -> list[tuple[LayerInfo, int]]:
    """Return the calls of the layers of a network, each after those that it depends on.

    Raises:
        Refusal: They depend on each other in a circle, or on calls that do not exist.
    """
    given = {(ref.layer, ref.call) for ref in network.inputs}
    pending: dict[tuple[str, int], int] = {}
    readers: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for layer in network.layers.values():
        for number, call in enumerate(layer.calls):
            if (layer.name, number) in given:
                continue
            needed = {(ref.layer, ref.call) for ref in _refs_in(call)} - given
            pending[layer.name, number] = len(needed)
            for each in needed:
                readers.setdefault(each, []).append((layer.name, number))
    ready = [key for key, count in pending.items() if not count]
    order = []
    for key in ready:
        order.append((network.layers[key[0]], key[1]))
        for reader in readers.get(key, ()):
            pending[reader] -= 1
            if not pending[reader]:
                ready.append(reader)
    wanted = _needed(network)
    stuck = [key for key, count in pending.items() if count and key in wanted]
    if stuck:
        raise Refusal(
            f"the layer '{stuck[0][0]}' depends on itself, or on a call that does not exist",
            INVALID,
        )
    return [(layer, number) for layer, number in order if (layer.name, number) in wanted]


def _needed(network: LayerNetwork) -> set[tuple[str, int]]:
    """Return the calls that the outputs depend on."""
    stack = [(ref.layer, ref.call) for _, ref in network.outputs]
    found = set(stack)
    while stack:
        name, number = stack.pop()
        layer = network.layers.get(name)
        if layer is None or not 0 <= number < len(layer.calls):
            continue
        for ref in _refs_in(layer.calls[number]):
            if (ref.layer, ref.call) not in found:
                found.add((ref.layer, ref.call))
                stack.append((ref.layer, ref.call))
    return found


def _refs_in(value: Any) -> list[TensorRef]:
    if isinstance(value, TensorRef):
        return [value]
    if isinstance(value, (list, tuple, LayerCall)):
        return [ref for each in value for ref in _refs_in(each)]
    if isinstance(value, Mapping):
        return [ref for each in value.values() for ref in _refs_in(each)]
    return []

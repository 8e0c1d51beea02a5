"""The architecture of a model, out of its JSON: Keras 3's form, and that of Keras 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnefkit.errors import StorageError
from nnefkit.exchange.keras.model import LayerCall, LayerInfo, LayerNetwork, TensorRef

_MAX_LEVELS = 32
"""Maximum depth of networks and of wrapped layers."""
_DEEPEST = 64
"""Maximum depth of lists in the arguments of a call."""
_NETWORKS = frozenset(("Functional", "Model", "Sequential"))
_OWN_MODULES = (
    "keras.",
    "keras.src.",
    "tensorflow.keras.",
    "tf_keras.",
    "tensorflow.python.keras.",
)
_NUMBER = "_CONSTANT_VALUE"
"""The name of a layer that stands for a number in the place of a tensor."""
DAMAGED = "Save the model again, or copy the file again."


class InvalidArchitectureError(StorageError):
    """The JSON of a model does not describe one."""


def invalid(message: str) -> InvalidArchitectureError:
    """Return the error for an architecture that is not valid."""
    return InvalidArchitectureError(f"the architecture is not valid: {message}", hint=DAMAGED)


def network_of(config: Any) -> LayerNetwork:
    """Return the network that a configuration describes.

    Args:
        config: The decoded JSON of a whole model.

    Raises:
        InvalidArchitectureError: It is not valid.
        UnsupportedModel: It is not a functional or sequential model.
    """
    layer = layer_info(config)
    if layer.network is None:
        raise UnsupportedModel(layer.problem or f"'{layer.class_name}' is not a network")
    return layer.network


class UnsupportedModel(Exception):  # noqa: N818 - the caller turns it into an error
    """The model is of a class whose architecture is Python code."""


def layer_info(config: Any, level: int = 0) -> LayerInfo:
    """Return a layer.

    Args:
        config: Its decoded JSON.
        level: The number of networks and wrappers around it.

    Raises:
        InvalidArchitectureError: It is not valid.
    """
    if level > _MAX_LEVELS:
        raise invalid(f"networks are nested more than {_MAX_LEVELS} levels deep")
    if not isinstance(config, Mapping) or not isinstance(config.get("class_name"), str):
        raise invalid("a layer has no class")
    class_name, inner = config["class_name"], config.get("config") or {}
    if class_name == "Sequential" and isinstance(inner, list):
        inner = {"layers": inner}  # As early releases of Keras 2 wrote it.
    if not isinstance(inner, Mapping):
        raise invalid(f"the configuration of a '{class_name}' is not a mapping")
    name = config.get("name") or inner.get("name") or class_name.lower()
    if not isinstance(name, str):
        raise invalid(f"the name of a '{class_name}' is not a string")
    problem = _foreign(config)
    kind = f"ops.{class_name}" if _is_operation(config) else class_name
    network = None
    if not problem and class_name in _NETWORKS and isinstance(inner.get("layers"), list):
        network = _network(class_name, name, inner, level)
    return LayerInfo(name, kind, class_name, inner, _calls(config), network, problem)


def _foreign(config: Mapping[str, Any]) -> str:
    """Return why a layer is not one of Keras' own; nothing if it is."""
    module, registered = config.get("module"), config.get("registered_name")
    class_name = config["class_name"]
    if ">" in class_name:
        return "it is a custom layer"
    if isinstance(registered, str) and registered not in (class_name, f"keras>{class_name}"):
        return f"it is a custom layer, registered as '{registered}'"
    if isinstance(module, str) and not f"{module}.".startswith(_OWN_MODULES):
        return f"it is a custom layer of the module '{module}'"
    return ""


def _is_operation(config: Mapping[str, Any]) -> bool:
    module, inner = config.get("module"), config.get("config")
    if isinstance(module, str):
        return module.startswith("keras.src.ops") or module == "keras.ops"
    # Files of the older form name no modules; only layers can be trained.
    is_plain = isinstance(inner, Mapping) and not {"trainable", "layers"} & {*inner}
    return is_plain and config["class_name"] not in ("InputLayer", "Sequential")


# -- networks --------------------------------------------------------------------------------------


def _network(kind: str, name: str, config: Mapping[str, Any], level: int) -> LayerNetwork:
    layers: dict[str, LayerInfo] = {}
    for each in config["layers"]:
        layer = layer_info(each, level + 1)
        if layer.name in layers:
            raise invalid(f"two layers of '{name}' are called '{layer.name}'")
        layers[layer.name] = layer
    if kind == "Sequential":
        return _sequential(name, config, layers)
    is_old = any(
        isinstance(call, list) for each in config["layers"] for call in _stored_calls(each)
    )
    counted = {
        key: _with_calls(layer, _counted(layer.calls, layers, from_one=is_old))
        for key, layer in layers.items()
    }
    inputs = [ref for _, ref in _refs(config.get("input_layers"))]
    named = _refs(config.get("output_layers"))
    if not named:
        raise invalid(f"the network '{name}' has no outputs")
    refs = _counted([ref for _, ref in named], layers, from_one=True, new=not is_old)
    outputs = [(key, ref) for (key, _), ref in zip(named, refs, strict=True)]
    return LayerNetwork(name, counted, inputs, outputs)


def _with_calls(layer: LayerInfo, calls: Sequence[LayerCall]) -> LayerInfo:
    return replace(layer, calls=calls)


def _counted(
    value: Any, layers: Mapping[str, LayerInfo], *, from_one: bool, new: bool = False
) -> Any:
    """Return tensors with the calls of nested networks counted from 0.

    Where they count from 1, the construction of the network is call 0.

    Args:
        value: Tensors in lists, calls and mappings.
        layers: The layers by name.
        from_one: Whether the calls of networks count from 1.
        new: Whether those of sequential networks count from 0 nevertheless, as in Keras 3.
    """
    if isinstance(value, TensorRef):
        layer = layers.get(value.layer)
        network = layer.network if layer is not None else None
        if network is None or not from_one or (new and network.is_sequential):
            return value
        return value._replace(call=value.call - 1)
    if isinstance(value, LayerCall):
        parts = [_counted(part, layers, from_one=from_one, new=new) for part in value]
        return LayerCall(*parts)
    if isinstance(value, (list, tuple)):
        return [_counted(each, layers, from_one=from_one, new=new) for each in value]
    if isinstance(value, Mapping):
        return {
            key: _counted(each, layers, from_one=from_one, new=new) for key, each in value.items()
        }
    return value


def _sequential(name: str, config: Mapping[str, Any], layers: dict[str, LayerInfo]) -> LayerNetwork:
    if not layers:
        raise invalid(f"the network '{name}' has no layers")
    first = next(iter(layers.values()))
    if first.class_name != "InputLayer":
        inner = first.network.layers.values() if first.network else ()
        shapes = [stated_shape(first.config), config.get("build_input_shape")]
        shapes += [stated_shape(each.config) for each in inner if each.class_name == "InputLayer"]
        shape = next((shape for shape in shapes if shape is not None), None)
        stated = {"batch_shape": shape, "dtype": "int32" if first.kind == "Embedding" else None}
        begin = LayerInfo(f"{first.name}_input", "InputLayer", "InputLayer", stated)
        layers = {begin.name: begin, **layers}
    names = [*layers]
    refs = [TensorRef(each, 0, 0) for each in names]
    chained = {
        layer.name: _with_calls(layer, [LayerCall([ref], {})])
        for layer, ref in zip([*layers.values()][1:], refs, strict=False)
    }
    whole = {names[0]: layers[names[0]], **chained}
    return LayerNetwork(name, whole, refs[:1], [("", refs[-1])], is_sequential=True)


def stated_shape(config: Mapping[str, Any]) -> Any:
    """Return the shape that the configuration of an input, or of a first layer, states."""
    for key in ("batch_shape", "batch_input_shape"):
        if config.get(key) is not None:
            return config[key]
    shape = config.get("input_shape", config.get("shape"))
    return None if not isinstance(shape, list) else [None, *shape]


def _refs(value: Any, name: str = "", level: int = 0) -> list[tuple[str, TensorRef]]:
    """Return the tensors in a nest of lists and mappings, with the keys of the latter.

    Keras takes the elements of a mapping in the order of its keys.
    """
    if level > _DEEPEST:
        raise invalid("lists of inputs or outputs are nested too deep")
    if isinstance(value, Mapping):
        inner = [_refs(each, str(key), level + 1) for key, each in sorted(value.items())]
    elif _is_ref(value):
        return [(name, TensorRef(value[0], value[1], value[2]))]
    elif isinstance(value, list):
        inner = [_refs(each, name, level + 1) for each in value]
    else:
        raise invalid(f"{value!r:.60} is not an input or output")
    return [each for some in inner for each in some]


def _is_ref(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and (value[0] == _NUMBER or all(isinstance(each, int) for each in value[1:3]))
    )


# -- calls -----------------------------------------------------------------------------------------


def _stored_calls(config: Mapping[str, Any]) -> list[Any]:
    nodes = config.get("inbound_nodes") or []
    if not isinstance(nodes, list):
        raise invalid("the calls of a layer are not a list")
    return nodes


def _calls(config: Mapping[str, Any]) -> list[LayerCall]:
    nodes = _stored_calls(config)
    if nodes and all(map(_is_ref, nodes)):
        nodes = [nodes]  # As TensorFlow 2.4 and later write a single call.
    return [_call(node) for node in nodes]


def _call(node: Any) -> LayerCall:
    if isinstance(node, Mapping):
        args, kwargs = _argument(node.get("args", [])), _argument(node.get("kwargs", {}))
        if not isinstance(args, (list, tuple)) or not isinstance(kwargs, Mapping):
            raise invalid("the arguments of a call are not a list and a mapping")
        return LayerCall(args, kwargs)
    if not isinstance(node, list):
        raise invalid("the call of a layer is not a list")
    if _is_ref(node):
        node = [node]
    tensors, kwargs = [], {}
    for each in node:
        if not _is_ref(each):
            raise invalid(f"{each!r:.60} is not an input of a layer")
        tensors.append(_old_tensor(each))
        if len(each) == 4 and isinstance(each[3], Mapping):
            kwargs.update({key: _old_argument(value) for key, value in each[3].items()})
    return LayerCall([tensors[0] if len(tensors) == 1 else tensors], kwargs)


def _old_tensor(value: Sequence[Any]) -> Any:
    if value[0] == _NUMBER:
        return value[2]
    return TensorRef(value[0], value[1], value[2])


def _old_argument(value: Any) -> Any:
    return _old_tensor(value) if _is_ref(value) and len(value) == 3 else _argument(value)


def _argument(value: Any, level: int = 0) -> Any:
    """Return an argument with `TensorRef` for tensors, and arrays for constants."""
    if level > _DEEPEST:
        raise invalid("the arguments of a call are nested too deep")
    if isinstance(value, list):
        return [_argument(each, level + 1) for each in value]
    if not isinstance(value, Mapping):
        return value
    class_name, config = value.get("class_name"), value.get("config")
    if class_name == "__keras_tensor__" and isinstance(config, Mapping):
        history = config.get("keras_history")
        if history is None or not _is_ref(history):
            raise invalid("a tensor does not name the layer that computes it")
        return TensorRef(history[0], history[1], history[2])
    if class_name in ("__tensor__", "__numpy__") and isinstance(config, Mapping):
        try:
            return np.asarray(config.get("value"), np.dtype(str(config.get("dtype"))))
        except (TypeError, ValueError) as error:
            raise invalid(f"a constant is not an array ({error})") from None
    if class_name == "__slice__" and isinstance(config, Mapping):
        parts = [_argument(config.get(key), level + 1) for key in ("start", "stop", "step")]
        return slice(*parts)
    if class_name == "__ellipsis__":
        return Ellipsis
    if class_name == "__tuple__":
        return tuple(_argument(each, level + 1) for each in config or ())
    return {key: _argument(each, level + 1) for key, each in value.items()}

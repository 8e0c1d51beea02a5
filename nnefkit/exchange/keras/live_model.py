"""Models of an installed Keras 3, of any backend."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import InputError
from nnefkit.exchange.keras.architecture import UnsupportedModel, network_of
from nnefkit.exchange.keras.model import KerasModel, NamedArray
from nnefkit.exchange.keras.weights import variables_of_lists


def live_model(source: Any) -> KerasModel:
    """Return a model in memory, by its own configuration and weights.

    Raises:
        InputError: It is not a model of Keras 3.
        UnsupportedModel: It is not a functional or sequential model.
    """
    keras = sys.modules.get("keras")
    model_class: Any = getattr(keras, "Model", ())
    if not isinstance(source, model_class) or keras is None:
        raise InputError(
            f"a Keras model must be a path or a model of Keras 3, not {type(source).__name__}",
            hint="Models of Keras 2 are read from their files.",
        )
    if not source.built:
        raise InputError(
            f"the Keras model '{source.name}' has no weights yet",
            hint="Build it with model.build(shape), or begin it with keras.Input(shape).",
        )
    try:
        config = json.loads(source.to_json())
    except Exception as error:
        raise UnsupportedModel(f"its architecture cannot be stored ({error})") from error
    network = network_of(config)
    lists = {layer.name: _weights(layer) for layer in source.layers}
    size = sum(array.data.nbytes for arrays in lists.values() for array in arrays)
    variables = variables_of_lists(network, lists)
    return KerasModel(network, variables, str(keras.__version__), size=size, live=source)


def _weights(layer: Any) -> list[NamedArray]:
    variables = [*layer.trainable_weights, *layer.non_trainable_weights]
    return [NamedArray(str(each.path), _array(each)) for each in variables]


def _array(variable: Any) -> Array:
    from keras import ops

    array = np.asarray(ops.convert_to_numpy(variable.value))
    # A copy, as the variable may change; NumPy itself has no bfloat16.
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array.copy()

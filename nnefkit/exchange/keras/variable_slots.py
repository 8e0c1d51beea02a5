"""The variables of each kind of layer, in the order in which Keras stores them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nnefkit.exchange.keras.architecture import layer_info
from nnefkit.exchange.keras.model import LayerInfo, LayerNetwork


class Slot(NamedTuple):
    """A variable that a layer has."""

    name: str
    trained: bool = True
    other_name: str = ""
    """Its name in other versions of Keras."""


class InnerLayer(NamedTuple):
    """A layer inside of another one."""

    attribute: str
    """The path under which the other one stores it."""
    layer: LayerInfo
    others: Sequence[str] = ()
    """The path in other versions of Keras."""


@dataclass(frozen=True)
class Slots:
    """The variables of a layer, and the layers inside of it, in the order of their creation."""

    own: Sequence[Slot] = ()
    children: Sequence[InnerLayer] = field(default=())


def slots_of(layer: LayerInfo) -> Slots:
    """Return the variables of a layer; none if its kind is unknown."""
    if layer.network is not None:
        return Slots((), _members(layer.network))
    make = _SLOTS.get(layer.kind)
    return make(layer.config) if make is not None and not layer.problem else Slots()


def _members(network: LayerNetwork) -> list[InnerLayer]:
    layers = [
        layer
        for layer in network.layers.values()
        if not layer.kind.startswith("ops.")
        and not (network.is_sequential and layer.kind == "InputLayer")
    ]
    names = _stored_names(layers)
    return [
        InnerLayer(f"layers/{name}", layer, [f"_layer_checkpoint_dependencies/{name}"])
        for name, layer in zip(names, layers, strict=True)
    ]


def _stored_names(layers: Sequence[LayerInfo]) -> Iterator[str]:
    """Yield the names of the layers of a list in files: those of their classes, with a count."""
    counts: dict[str, int] = {}
    for layer in layers:
        name = snake_case(_CLASSES.get(layer.class_name, layer.class_name))
        counts[name] = counts.get(name, -1) + 1
        yield f"{name}_{counts[name]}" if counts[name] else name


_CLASSES = {"GroupQueryAttention": "GroupedQueryAttention"}
"""Public name of a class -> its own name, where they differ."""


def snake_case(name: str) -> str:
    """Return the name of a class in lower case, with underscores between words."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


# -- kinds of layers -------------------------------------------------------------------------------

Config = Mapping[str, Any]


def _with_bias(*names: str) -> Callable[[Config], Slots]:
    def make(config: Config) -> Slots:
        bias = [Slot("bias")] if config.get("use_bias", True) else []
        return Slots([*map(Slot, names), *bias])

    return make


def _depthwise(config: Config) -> Slots:
    return Slots([Slot("kernel", True, "depthwise_kernel"), *_with_bias()(config).own])


def _einsum(config: Config) -> Slots:
    return Slots([Slot("kernel"), *([Slot("bias")] if config.get("bias_axes") else [])])


def _scaled(config: Config) -> list[Slot]:
    has_scale = config.get("scale", True) or config.get("rms_scaling")
    has_offset = config.get("center", True) and not config.get("rms_scaling")
    return [*([Slot("gamma")] if has_scale else []), *([Slot("beta")] if has_offset else [])]


def _batch_normalization(config: Config) -> Slots:
    statistics = [Slot("moving_mean", False), Slot("moving_variance", False)]
    return Slots([*_scaled(config), *statistics])


def _normalization(config: Config) -> Slots:
    if config.get("mean") is not None:
        return Slots()
    return Slots([Slot(name, False) for name in ("mean", "variance", "count")])


def _attention(config: Config) -> Slots:
    own = [Slot("scale")] if config.get("use_scale") else []
    if config.get("score_mode") == "concat":
        own.append(Slot("concat_score_weight"))
    return Slots(own)


def _additive_attention(config: Config) -> Slots:
    return Slots([Slot("scale")] if config.get("use_scale", True) else [])


def _heads(config: Config) -> Slots:
    """Return the projections of an attention with several heads."""
    names = ["query", "key", *(["gate"] if config.get("use_gate") else []), "value", "output"]
    axes = {"bias_axes": "a" if config.get("use_bias", True) else None}
    trained = config.get("trainable", True)
    children = []
    for name in names:
        title = "attention_output" if name == "output" else name
        inner = {"name": title, "trainable": trained, **axes}
        layer = LayerInfo(title, "EinsumDense", "EinsumDense", inner)
        children.append(InnerLayer(f"{name}_dense", layer, [f"_{name}_dense"]))
    return Slots((), children)


def _recurrent(config: Config) -> Slots:
    cell = LayerInfo("cell", "LSTMCell", "LSTMCell", config)
    return Slots((), [InnerLayer("cell", cell)])


def _cell_of(config: Config) -> Slots:
    return Slots((), [InnerLayer("cell", layer_info(config.get("cell"), 1))])


def _stacked_cells(config: Config) -> Slots:
    cells = [layer_info(cell, 1) for cell in config.get("cells") or ()]
    names = _stored_names(cells)
    return Slots(
        (), [InnerLayer(f"cells/{name}", cell) for name, cell in zip(names, cells, strict=True)]
    )


def _wrapped(config: Config) -> Slots:
    return Slots((), [InnerLayer("layer", layer_info(config.get("layer"), 1))])


def _spectral(config: Config) -> Slots:
    return Slots([Slot("vector_u", False)], _wrapped(config).children)


def _bidirectional(config: Config) -> Slots:
    forward = layer_info(config.get("layer"), 1)
    stated = config.get("backward_layer")
    backward = forward if stated is None else layer_info(stated, 1)
    return Slots((), [InnerLayer("forward_layer", forward), InnerLayer("backward_layer", backward)])


_SLOTS: Mapping[str, Callable[[Config], Slots]] = {
    "Dense": _with_bias("kernel"),
    "EinsumDense": _einsum,
    **{f"Conv{n}D": _with_bias("kernel") for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": _with_bias("kernel") for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": _depthwise for n in (1, 2)},
    **{f"SeparableConv{n}D": _with_bias("depthwise_kernel", "pointwise_kernel") for n in (1, 2)},
    "Embedding": lambda _: Slots([Slot("embeddings")]),
    "PReLU": lambda _: Slots([Slot("alpha")]),
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": lambda config: Slots(_scaled(config)),
    "GroupNormalization": lambda config: Slots(_scaled(config)),
    "RMSNormalization": lambda _: Slots([Slot("scale")]),
    "Normalization": _normalization,
    "SpectralNormalization": _spectral,
    "LayerScale": lambda _: Slots([Slot("gamma", True, "variable")]),
    "Attention": _attention,
    "AdditiveAttention": _additive_attention,
    "MultiHeadAttention": _heads,
    "GroupedQueryAttention": _heads,
    "GroupQueryAttention": _heads,
    "LSTMCell": _with_bias("kernel", "recurrent_kernel"),
    "GRUCell": _with_bias("kernel", "recurrent_kernel"),
    "SimpleRNNCell": _with_bias("kernel", "recurrent_kernel"),
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "SimpleRNN": _recurrent,
    **{f"ConvLSTM{n}D": _recurrent for n in (1, 2, 3)},
    "RNN": _cell_of,
    "StackedRNNCells": _stacked_cells,
    "TimeDistributed": _wrapped,
    "Bidirectional": _bidirectional,
}
"""Kind of a layer -> its variables, given its configuration."""

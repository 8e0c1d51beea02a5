"""Caffe networks, opened: the text of the network, the file of its weights, inputs and outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nnefkit.errors import InputError, StorageError, UnknownNameError, did_you_mean
from nnefkit.exchange.caffe.messages import FORMAT, OLD_TYPES, TEST
from nnefkit.exchange.caffe.model import CaffeLayer, CaffeModel, ValueInfo
from nnefkit.exchange.caffe.unknown_fields import unknown_fields
from nnefkit.exchange.caffe.weights import arrays_of_layers
from nnefkit.exchange.hierarchical_file import SIGNATURE
from nnefkit.exchange.source_file import File, path_and_bytes

_MAX_BYTES = 2**31 - 1
_WEIGHTS = (".caffemodel", ".caffemodel.h5")
"""Endings of files of weights: messages of protobuf, and HDF5."""
SINKS = ("Silence",)
"""Layers that compute nothing."""
DATA = (
    *("Data", "ImageData", "HDF5Data", "MemoryData", "DummyData", "WindowData", "AnnotatedData"),
    "VideoData",
)
"""Layers that read examples to train on."""


def open_model(
    prototxt: File, caffemodel: File | None, outputs: Sequence[str] | str | None
) -> CaffeModel:
    """Open a network, without the shapes of its inputs where it has none.

    Args:
        prototxt: The path of the text of the network, or its bytes.
        caffemodel: The path of the weights, or their bytes; by default the file beside the text.
        outputs: Names of blobs or layers; by default the blobs that no layer reads.

    Raises:
        InputError: It is not such a network, or a blob that is read does not exist.
        StorageError: A file cannot be read, or is damaged.
        UnknownNameError: There is no such output.
        MissingPackageError: The package protobuf is not installed.
    """
    path, text = _content(prototxt)
    decoded = _decoded(text, path)
    net = FORMAT.parsed_text("NetParameter", decoded, path)
    if not net.layer and not net.layers:
        raise InputError(
            "the file is not a Caffe network, or it has no layers",
            hint="Give the .prototxt that describes the network; that of a solver only names it.",
            file=path,
        )
    found = caffemodel if caffemodel is not None else _weights_beside(path)
    weights_path, weights = ("", b"") if found is None else _content(found)
    names = [layer.name for layer in (*net.layer, *net.layers)]
    blobs = {} if found is None else _blobs(weights, weights_path, names)
    opened = _Opened(net, path, blobs, unknown_fields(decoded))
    opened.resolve()
    name = net.name or (Path(path).stem if path else "network")
    model = CaffeModel(
        name,
        path,
        tuple(opened.values),
        tuple(opened.layers),
        tuple(opened.inputs),
        (),
        opened.shapes,
        {},
        len(text) + len(weights),
        bool(net.layers),
        weights_path,
        text if not path or (weights and not weights_path) else b"",
        weights if not path or (weights and not weights_path) else b"",
        found is not None,
    )
    cut = _with_outputs(model, opened, outputs)
    if len(cut.layers) == len(model.layers):
        return cut
    # Runs are of what is read alone: other layers may be broken, or unknown.
    return replace(cut, text=_text_of(net, cut.layers, model.layers), weights=weights)


def _text_of(net: Any, kept: Sequence[CaffeLayer], layers: Sequence[CaffeLayer]) -> bytes:
    """Return the text of a network without layers that its outputs do not depend on."""
    from google.protobuf import text_format

    left_out = {layer.name for layer in layers}.difference(layer.name for layer in kept)
    copied = type(net)()
    copied.CopyFrom(net)
    for field_name in ("layer", "layers"):
        remaining = [each for each in getattr(copied, field_name) if each.name not in left_out]
        copied.ClearField(field_name)
        getattr(copied, field_name).extend(remaining)
    text: str = text_format.MessageToString(copied)
    return text.encode()


def _content(source: File) -> tuple[str, bytes]:
    """Return the path and the bytes of a file."""
    too_large = "the file is larger than protobuf messages can be"
    return path_and_bytes(source, "a Caffe network", _MAX_BYTES, too_large)


def _decoded(text: bytes, path: str) -> str:
    """Return the characters of a text, whose comments may be in any encoding."""
    if b"\0" in text:
        raise StorageError(
            "the file is not text",
            hint="The first file is the text of the network (.prototxt), the second one has its "
            "weights (.caffemodel).",
            file=path,
        )
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _weights_beside(path: str) -> Path | None:
    """Return the weights of the same name beside a network, or the only ones there."""
    if not path:
        return None
    for ending in _WEIGHTS:
        same = Path(path).with_suffix(ending)
        if same.is_file():
            return same
    try:
        others = [each for end in _WEIGHTS for each in Path(path).parent.glob(f"*{end}")]
    except OSError:
        return None
    return others[0] if len(others) == 1 else None


def _blobs(data: bytes, path: str, names: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Return the weights of each layer by its name."""
    if SIGNATURE in data[:4096]:
        return arrays_of_layers(data, path, names)
    net = FORMAT.parsed("NetParameter", data, path)
    layers = [*net.layer, *net.layers]
    if not layers:
        raise InputError(
            "the file is not a Caffe model, or it has no layers",
            hint="Give the .caffemodel or .caffemodel.h5 with the weights of the network.",
            file=path,
        )
    return {layer.name: tuple(layer.blobs) for layer in layers if layer.blobs}


# -- layers and blobs ------------------------------------------------------------------------------


@dataclass(eq=False)
class _Opened:
    """A network whose blobs are followed from layer to layer."""

    net: Any
    path: str
    blobs: dict[str, tuple[Any, ...]]
    unknown: list[list[str]]
    """The parameters of each layer that Caffe does not have."""
    values: list[ValueInfo] = field(default_factory=list)
    layers: list[CaffeLayer] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    latest: dict[str, int] = field(default_factory=dict)
    """Name of a blob -> the number of its value after the layers so far."""
    optional: set[int] = field(default_factory=set)
    """Values of layers that read examples: inputs if their shapes are given."""
    _named: set[str] = field(default_factory=set)

    def resolve(self) -> None:
        """Follow the blobs through the layers of the test phase."""
        net = self.net
        if net.layer and net.layers:
            raise InputError(
                "the network mixes layers of the older form ('layers') with those of the present "
                "one ('layer')",
                hint="Upgrade it with Caffe's tool upgrade_net_proto_text.",
                file=self.path,
            )
        self._add_inputs()
        messages = net.layer or net.layers
        for message, unknown in zip(messages, self.unknown, strict=True):
            if _is_included(message, net.state):
                self._add_layer(message, tuple(unknown))

    def _add_inputs(self) -> None:
        net = self.net
        if net.input_dim and len(net.input_dim) != 4 * len(net.input):
            raise InputError(
                f"the network has {len(net.input)} inputs, but {len(net.input_dim)} numbers "
                "'input_dim', not 4 for each",
                file=self.path,
            )
        for number, name in enumerate(net.input):
            shape: Sequence[int] | None = None
            if number < len(net.input_shape):
                shape = net.input_shape[number].dim
            elif net.input_dim:
                shape = net.input_dim[4 * number : 4 * number + 4]
            self._add_input(name, shape)

    def _add_input(self, name: str, shape: Sequence[int] | None) -> int:
        number = self._new(name, name)
        self.inputs.append(number)
        if shape is not None:
            self.shapes[number] = tuple(map(int, shape))
        return number

    def _new(self, blob: str, name: str) -> int:
        self.values.append(ValueInfo(blob, name))
        self.latest[blob] = len(self.values) - 1
        return self.latest[blob]

    def _add_layer(self, message: Any, unknown: tuple[str, ...]) -> None:
        kind = self._type(message)
        name = message.name or kind
        if kind == "Input":
            shapes = message.input_param.shape
            for number, top in enumerate(message.top):
                known = shapes[number if len(shapes) > 1 else 0].dim if shapes else None
                self._add_input(top, known)
            return
        bottoms = []
        for blob in message.bottom:
            if blob not in self.latest:
                raise InputError(
                    f"the layer '{name}' reads the blob '{blob}', which no layer before it "
                    "computes",
                    hint=did_you_mean(blob, self.latest),
                    file=self.path,
                )
            bottoms.append(self.latest[blob])
        tops = self._tops(message, name, kind)
        if kind in DATA:
            self.optional.update(tops)
        blobs = tuple(message.blobs) or self.blobs.get(name, ())
        if name in self._named and not message.blobs:
            blobs = ()  # As in Caffe, the first layer of a name has the weights.
        self._named.add(name)
        specs = [each if isinstance(each, str) else each.name for each in message.param]
        self.layers.append(
            CaffeLayer(name, kind, tuple(bottoms), tops, message, blobs, tuple(specs), unknown)
        )

    def _tops(self, message: Any, name: str, kind: str) -> tuple[int, ...]:
        tops = []
        # Layers of losses may leave out the name of what they compute.
        for top in message.top or ([] if kind in SINKS else [name]):
            is_in_place = top in message.bottom
            if top in self.latest and not is_in_place and message.top:
                raise InputError(
                    f"the layer '{name}' computes the blob '{top}', which a layer before it "
                    "computes",
                    hint="A layer may compute in place: what it reads.",
                    file=self.path,
                )
            if message.top:
                tops.append(self._new(top, name if is_in_place else top))
            else:
                self.values.append(ValueInfo(top, top))
                tops.append(len(self.values) - 1)
        return tuple(tops)

    def _type(self, message: Any) -> str:
        if isinstance(message.type, str):
            return message.type
        if message.HasField("layer"):
            raise InputError(
                "the network is written in the oldest form (V0)",
                hint="Upgrade it with Caffe's tool upgrade_net_proto_text.",
                file=self.path,
            )
        return OLD_TYPES.get(message.type, "(no type)")


def _is_included(message: Any, state: Any) -> bool:
    """Return whether a layer is part of the network in the test phase."""
    if message.include:
        return any(_is_met(rule, state) for rule in message.include)
    return not any(_is_met(rule, state) for rule in message.exclude)


def _is_met(rule: Any, state: Any) -> bool:
    stages = set(state.stage)
    return (
        (not rule.HasField("phase") or rule.phase == TEST)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and stages.issuperset(rule.stage)
        and stages.isdisjoint(rule.not_stage)
    )


# -- outputs and inputs ----------------------------------------------------------------------------


def _with_outputs(
    model: CaffeModel, opened: _Opened, outputs: Sequence[str] | str | None
) -> CaffeModel:
    """Return a model with its outputs, and only the layers that they depend on."""
    if outputs is None:
        read = {number for layer in model.layers for number in layer.bottoms}
        chosen = [
            (model.values[number].blob, number)
            for layer in model.layers
            for number in layer.tops
            if number not in read and layer.type not in DATA
        ]
    else:
        names = [outputs] if isinstance(outputs, str) else [*outputs]
        chosen = [(str(name), _value(opened, str(name))) for name in names]
    if not chosen:
        raise InputError(
            "the network has no outputs: each blob is read by a layer",
            hint='Name them: outputs=["name of a blob"].',
            file=model.path,
        )
    needed = {number for _, number in chosen}
    layers: list[CaffeLayer] = []
    for layer in reversed(model.layers):
        if needed.intersection(layer.tops):
            needed.update(layer.bottoms)
            layers.append(layer)
    readers = Counter(number for layer in layers for number in layer.bottoms)
    readers.update(number for _, number in chosen)
    inputs = model.inputs
    if outputs is not None:
        inputs = tuple(number for number in inputs if number in needed)
    return replace(
        model,
        outputs=tuple(chosen),
        layers=tuple(layers[::-1]),
        inputs=inputs,
        readers=readers,
    )


def _value(opened: _Opened, name: str) -> int:
    """Return the last value of a blob, or what a layer computes."""
    if name in opened.latest:
        return opened.latest[name]
    for layer in opened.layers:
        if layer.name == name and layer.tops:
            return layer.tops[0]
    known = [*opened.latest, *(layer.name for layer in opened.layers)]
    raise UnknownNameError(
        f"the network has no blob or layer '{name}'",
        hint=did_you_mean(name, known),
        file=opened.path,
    )


def with_input_shapes(model: CaffeModel, given: Mapping[str, Sequence[int]] | None) -> CaffeModel:
    """Return a model whose inputs have shapes: those given, or those of the network.

    A blob that a layer reads from a database becomes an input if its shape is given.

    Raises:
        InputError: An input has no shape, or it is not one.
        UnknownNameError: There is no such input.
    """
    values = model.values
    data = {n: layer for layer in model.layers if layer.type in DATA for n in layer.tops}
    numbers = {values[number].blob: number for number in (*model.inputs, *data)}
    shapes, inputs = dict(model.shapes), [*model.inputs]
    for name, shape in (given or {}).items():
        if name not in numbers:
            raise UnknownNameError(
                f"the network has no input '{name}'",
                hint=did_you_mean(str(name), numbers)
                or f"Its inputs are {', '.join(numbers) or 'none'}.",
                file=model.path,
            )
        shapes[numbers[name]] = _checked(name, shape, model)
        if numbers[name] not in inputs:
            inputs.append(numbers[name])
    for number in inputs:
        name = values[number].blob
        if number not in shapes:
            raise InputError(
                f"the shape of the input '{name}' is not in the network",
                hint=f"Pass it: input_shapes={{'{name}': (1, 3, 224, 224)}}.",
                file=model.path,
            )
        _checked(name, shapes[number], model)
    layers = tuple(
        layer
        for layer in model.layers
        if layer.type not in DATA or not set(layer.tops).intersection(inputs)
    )
    return replace(model, inputs=tuple(inputs), shapes=shapes, layers=layers)


def _checked(name: str, shape: Any, model: CaffeModel) -> tuple[int, ...]:
    try:
        extents = tuple(int(extent) for extent in shape)
        is_shape = all(a == b for a, b in zip(extents, shape, strict=True)) and len(extents) <= 32
    except (TypeError, ValueError, OverflowError):
        is_shape, extents = False, ()
    if not is_shape or min(extents, default=1) < 1:
        raise InputError(
            f"the shape of the input '{name}' is {shape!r}, which is not a row of positive "
            "integers",
            hint=f"Pass it: input_shapes={{'{name}': (1, 3, 224, 224)}}.",
            file=model.path,
        )
    return extents

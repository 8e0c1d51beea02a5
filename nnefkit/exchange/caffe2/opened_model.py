"""Caffe2 networks, opened: their blobs followed through both nets, their inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.exchange.caffe2.arguments import Arguments, fill_dtype, text_of
from nnefkit.exchange.caffe2.model import BlobVersion, Caffe2Model, Caffe2Operator, DeclaredInput
from nnefkit.exchange.caffe2.nets import Nets, read_nets
from nnefkit.exchange.refusal import Refusal
from nnefkit.exchange.source_file import File
from nnefkit.exchange.source_shapes import checked_shape

_WEIGHTS_AFTER_FIRST = (
    *("Conv", "Conv1D", "Conv2D", "Conv3D", "ConvRelu", "ConvTranspose", "FC", "FCTransposed"),
    *("SpatialBN", "InstanceNorm", "GroupNorm", "LayerNorm", "RMSNorm", "AffineChannel", "PRelu"),
    *("ElementwiseLinear", "RowMul", "Reshape", "Slice", "Tile", "Expand", "Split", "Int8Conv"),
    *("ResizeNearest", "UpsampleBilinear", "Int8FC"),
)
_INDICES = (("Gather", 1), ("BatchGather", 1), ("OneHot", 0))
"""Types of operators -> their input of indices."""
_WEIGHTS = {
    "Gather": (0,),
    "BatchGather": (0,),
    "LSTMUnit": (3, 4),
    "GRUUnit": (2, 3),
}
"""Type of an operator -> its inputs that are weights, and not data."""


def open_model(
    init_net: File,
    predict_net: File | None,
    outputs: Sequence[str] | str | None,
    input_shapes: Mapping[str, Sequence[int]] | None,
) -> Caffe2Model:
    """Open a network.

    Args:
        init_net: The net that makes the weights, or a folder with both.
        predict_net: The net that computes the outputs; by default the file beside the other.
        outputs: Names of blobs; by default those that the net states, or that nothing reads.
        input_shapes: Name of an input -> its shape.

    Raises:
        InputError: They are not such nets, or the shape of an input is not known.
        StorageError: A file cannot be read, or is damaged.
        UnknownNameError: There is no such input or output.
        MissingPackageError: The package protobuf is not installed.
    """
    nets = read_nets(init_net, predict_net)
    opened = _OpenedNets(nets)
    opened.resolve()
    wanted = _outputs(opened, outputs)
    inputs = _Inputs(opened, input_shapes or {})
    operators = _needed(opened, {number for _, number in wanted}, inputs.found)
    read = {number for one in operators for number in one.inputs}
    read.update(number for _, number in wanted)
    inputs.check(read)
    stem = Path(nets.path).stem if nets.path else "network"
    name = text_of(nets.net.name) or stem
    keep_all = outputs is None
    return Caffe2Model(
        name,
        nets.path,
        nets.weights_path,
        tuple(opened.values),
        tuple(operators),
        {
            number: info
            for number, info in inputs.found.items()
            if number in read or (keep_all and info.shape is not None)
        },
        tuple(wanted),
        nets.size,
    )


def with_input_shapes(model: Caffe2Model, given: Mapping[str, Sequence[int]]) -> Caffe2Model:
    """Return a model with other shapes of its inputs."""
    names = {model.values[number].blob: number for number in model.inputs}
    changed = {
        names[name]: model.inputs[names[name]]._replace(shape=tuple(shape))
        for name, shape in given.items()
    }
    return replace(model, inputs={**model.inputs, **changed})


# -- operators and blobs ---------------------------------------------------------------------------


@dataclass(eq=False)
class _OpenedNets:
    """A network whose blobs are followed from operator to operator."""

    nets: Nets
    values: list[BlobVersion] = field(default_factory=list)
    operators: list[Caffe2Operator] = field(default_factory=list)
    latest: dict[str, int] = field(default_factory=dict)
    """Name of a blob -> the number of its value after the operators so far."""
    first: dict[str, int] = field(default_factory=dict)
    """Name of a blob -> its value before the second net, or the first one that it computes."""
    made: dict[int, Caffe2Operator] = field(default_factory=dict)
    """Number of a value -> the operator that computes it."""
    external: dict[str, int] = field(default_factory=dict)
    """Name of a blob that the second net gets -> its value."""
    _counts: dict[str, int] = field(default_factory=dict)

    def resolve(self) -> None:
        """Follow the blobs through both nets."""
        nets = self.nets
        for message in nets.weights.op:
            self._add(message, nets.weights)
        for name in nets.net.external_input:
            self._external(text_of(name))
        from_weights = len(self.values)
        for message in nets.net.op:
            for name in message.input:
                blob = text_of(name)
                if self.latest.get(blob, -1) < from_weights:
                    self._external(blob)
            self._add(message, nets.net)

    def _external(self, blob: str) -> None:
        if blob not in self.latest:
            self._new(blob)
        self.external[blob] = self.latest[blob]

    def _new(self, blob: str) -> int:
        count = self._counts.get(blob, 0)
        self._counts[blob] = count + 1
        self.values.append(BlobVersion(blob, f"{blob}#{count}" if count else blob))
        number = len(self.values) - 1
        self.latest[blob] = number
        self.first.setdefault(blob, number)
        return number

    def _add(self, message: Any, net: Any) -> None:
        inputs = []
        for name in message.input:
            blob = text_of(name)
            if blob not in self.latest:
                self._external(blob)
            inputs.append(self.latest[blob])
        outputs = tuple(self._new(text_of(name)) for name in message.output)
        kind = text_of(message.type)
        name = text_of(message.name) or (self.values[outputs[0]].name if outputs else kind)
        one = Caffe2Operator(kind, name, tuple(inputs), outputs, message, net)
        self.operators.append(one)
        for number in outputs:
            self.made[number] = one


def _outputs(opened: _OpenedNets, outputs: Sequence[str] | str | None) -> list[tuple[str, int]]:
    """Return the names and values of the outputs."""
    net, path = opened.nets.net, opened.nets.path
    if outputs is not None:
        names = [outputs] if isinstance(outputs, str) else [str(name) for name in outputs]
        by_name = {info.name: number for number, info in enumerate(opened.values)}
        return [(name, _value(opened, by_name, name)) for name in names]
    own = {number for one in opened.operators if one.net is net for number in one.outputs}
    stated = [text_of(name) for name in net.external_output]
    chosen = [(name, opened.latest[name]) for name in stated if name in opened.latest]
    chosen = [pair for pair in chosen if pair[1] in own]
    if not chosen:
        read = {number for one in opened.operators for number in one.inputs}
        chosen = [
            (opened.values[one.outputs[0]].blob, one.outputs[0])
            for one in opened.operators
            if one.net is net and one.outputs and not read.intersection(one.outputs)
        ]
    if not chosen:
        raise InputError(
            "the network has no outputs: each blob is read by an operator",
            hint='Name them: outputs=["name of a blob"].',
            file=path,
        )
    return [*dict.fromkeys(chosen)]


def _value(opened: _OpenedNets, by_name: Mapping[str, int], name: str) -> int:
    """Return the last value of a blob, or the one with a number after its name."""
    found = opened.latest.get(name, by_name.get(name))
    if found is None:
        raise UnknownNameError(
            f"the network has no blob '{name}'",
            hint=did_you_mean(name, opened.latest),
            file=opened.nets.path,
        )
    return found


def _needed(
    opened: _OpenedNets, wanted: set[int], inputs: Mapping[int, DeclaredInput]
) -> list[Caffe2Operator]:
    """Return the operators that some values depend on, in order."""
    needed = set(wanted)
    operators = []
    for one in reversed(opened.operators):
        if needed.intersection(number for number in one.outputs if number not in inputs):
            needed.update(one.inputs)
            operators.append(one)
    return operators[::-1]


# -- inputs ----------------------------------------------------------------------------------------


class _Inputs:
    """The inputs of a network, and their shapes.

    Blobs that only the second net has are inputs, and so are those that a table of shapes or the
    user names. Of the blobs that the first net makes, a constant fill of what operators read as
    data is an input, whose numbers are replaced before a run.
    """

    def __init__(self, opened: _OpenedNets, given: Mapping[str, Sequence[int]]) -> None:
        self._opened = opened
        self.found: dict[int, DeclaredInput] = {}
        declared = opened.nets.declared
        weights = self._weights()
        for blob, number in opened.external.items():
            filled = self._filled(number)
            if blob in given:
                dtype = declared[blob].dtype if blob in declared else filled.dtype
                shape = checked_shape(blob, given[blob], None, opened.nets.path)
                self.found[number] = DeclaredInput(shape, dtype)
            elif blob in declared:
                self.found[number] = declared[blob]
            elif number not in opened.made or (
                not declared and number not in weights and self._is_placeholder(number)
            ):
                self.found[number] = filled
        for blob in given:
            if blob not in opened.external:
                self._add_computed(blob, given[blob])

    def _weights(self) -> set[int]:
        """Return the values that operators read only as weights."""
        weights: set[int] = set()
        data: set[int] = set()
        for one in self._opened.operators:
            if one.net is not self._opened.nets.net:
                continue
            places = _WEIGHTS.get(one.type, ())
            if one.type in _WEIGHTS_AFTER_FIRST:
                places = tuple(range(1, len(one.inputs)))
            elif _FillArguments(one).flag("broadcast"):
                places = (1,)
            for place, number in enumerate(one.inputs):
                (weights if place in places else data).add(number)
        return weights - data

    @cached_property
    def _indices(self) -> frozenset[int]:
        """The values that operators read as indices."""
        return frozenset(
            one.inputs[place]
            for one in self._opened.operators
            for kind, place in _INDICES
            if one.type == kind and place < len(one.inputs)
        )

    def _filled(self, number: int) -> DeclaredInput:
        """Return the shape and the type of what the first net makes of a blob."""
        one = self._opened.made.get(number)
        if one is None:
            return DeclaredInput(None, "int64" if number in self._indices else "float32")
        filled = _FillArguments(one)
        shape = tuple(filled.integers("shape"))
        is_stated = bool(shape) and min(shape) > 0
        if one.type != "ConstantFill" and all(extent == 1 for extent in shape):
            is_stated = False
        return DeclaredInput(shape if is_stated else None, filled.dtype)

    def _is_placeholder(self, number: int) -> bool:
        """Return whether a fill makes a constant, or the single 0 of exporters for inputs."""
        one = self._opened.made[number]
        if one.inputs or one.net is self._opened.nets.net:
            return False
        return one.type == "ConstantFill" or (
            one.type == "GivenTensorFill" and _FillArguments(one).is_zero
        )

    def _add_computed(self, blob: str, shape: Sequence[int]) -> None:
        """Make an input of a blob that the network computes from nothing, as readers of data do."""
        opened = self._opened
        one = opened.made.get(opened.first.get(blob, -1))
        if one is None or one.inputs:
            known = [opened.values[number].blob for number in self.found]
            raise UnknownNameError(
                f"the network has no input '{blob}'",
                hint=did_you_mean(str(blob), known)
                or f"Its inputs are {', '.join(known) or 'none'}.",
                file=opened.nets.path,
            )
        checked = checked_shape(blob, shape, None, opened.nets.path)
        self.found[opened.first[blob]] = DeclaredInput(checked, "float32")

    def check(self, read: set[int]) -> None:
        """Check that the inputs that are read have shapes.

        Raises:
            InputError: One has none.
        """
        opened = self._opened
        missing = [
            opened.values[number].blob
            for number, info in self.found.items()
            if info.shape is None and number in read
        ]
        if not missing:
            return
        listed = ", ".join(f"'{name}'" for name in missing[:8])
        listed += f" and {len(missing) - 8} more" if len(missing) > 8 else ""
        if not opened.nets.has_weights and len(missing) > 1:
            raise InputError(
                f"nothing makes the blobs {listed}",
                hint="Give the net that makes the weights, too: "
                "nk.from_caffe2(init_net, predict_net).",
                file=opened.nets.path,
            )
        shapes = ", ".join(f"'{name}': (1, 3, 224, 224)" for name in missing[:8])
        raise InputError(
            f"the files do not state the shape of {listed}",
            hint=f"Pass it: input_shapes={{{shapes}}}.",
            file=opened.nets.path,
        )


class _FillArguments:
    """The arguments of an operator, read before it is known whether they are valid."""

    def __init__(self, one: Caffe2Operator) -> None:
        self._arguments = Arguments(one.message)
        self._type = one.type

    def flag(self, name: str) -> bool:
        """Return whether an argument is set."""
        try:
            return self._arguments.flag(name)
        except Refusal:
            return False

    def integers(self, name: str) -> list[int]:
        """Return the first numbers of a list."""
        try:
            return self._arguments.integers(name)[:32]
        except Refusal:
            return []

    @property
    def dtype(self) -> str:
        """The dtype of the elements."""
        try:
            return fill_dtype(self._type, self._arguments)
        except Refusal:
            return "float32"

    @property
    def is_zero(self) -> bool:
        """Whether the only element is 0."""
        try:
            found = self._arguments.numbers("values")
        except Refusal:
            return False
        return len(found) == 1 and found[0] == 0

"""Opening of symbols and parameters: what is an input, a parameter and an output."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.exchange.array_archive import ArrayArchive
from nnefkit.exchange.mxnet.attribute_values import numbers
from nnefkit.exchange.mxnet.model import VARIABLE, Input, MxnetModel, NodeOutput, SymbolNode
from nnefkit.exchange.mxnet.ndarray_file import DTYPES, Stored, is_array_file, read_arrays
from nnefkit.exchange.mxnet.symbol import read_symbol
from nnefkit.exchange.source_file import File, path_and_bytes
from nnefkit.exchange.source_shapes import checked_shape

_MAX_SYMBOL = 1 << 25
_MAX_PARAMS = 1 << 40
_SYMBOL = "-symbol.json"
_EPOCH = re.compile(r"-(\d{1,9})\.params")
_ZIP = b"PK\3\4"
_PREFIX = re.compile(r"(?:arg|aux):")
_WITHOUT_LABEL = frozenset(
    (
        *("SoftmaxOutput", "Softmax", "LinearRegressionOutput", "LogisticRegressionOutput"),
        *("MAERegressionOutput", "SVMOutput"),
    )
)
"""Operators that read their first input only, unless they are trained."""
_OF_PARAMETERS = re.compile(
    r"[._](?:weight|bias|gamma|beta|moving_mean|moving_var|running_mean|running_var|parameters)$"
)


def open_model(
    symbol: File, params: File | None, outputs: Sequence[str] | str | None
) -> MxnetModel:
    """Open a network, without the shapes of its inputs where it has none.

    Args:
        symbol: The path of the symbol, or its bytes.
        params: The path of the parameters, or their bytes; by default the file beside the symbol.
        outputs: Names of outputs or nodes; by default the outputs of the symbol.

    Raises:
        InputError: It is not such a network, or a parameter is missing.
        StorageError: A file cannot be read, or is damaged.
        UnknownNameError: There is no such output.
    """
    path, text = path_and_bytes(
        symbol, "a symbol of MXNet", _MAX_SYMBOL, "the file is larger than symbols are"
    )
    if is_array_file(text):
        raise InputError(
            "the file has parameters, not a network",
            hint="Give the symbol first (-symbol.json), then the parameters.",
            file=path,
        )
    read = read_symbol(text, path)
    found = params if params is not None else _params_beside(path)
    params_path, data = "", b""
    if found is not None:
        params_path, data = path_and_bytes(
            found, "the parameters of MXNet", _MAX_PARAMS, "the file is larger than any memory"
        )
    name = Path(path).name.removesuffix(_SYMBOL).removesuffix(".json") if path else "network"
    heads = tuple((_mxnet_name(read.nodes[head.node], head.place), head) for head in read.heads)
    model = MxnetModel(
        name,
        path,
        params_path,
        read.nodes,
        (),
        heads,
        {},
        _parameters(data, params_path) if found is not None else {},
        read.version,
        len(text) + len(data),
        text,
        data,
    )
    if outputs is not None:
        names = [outputs] if isinstance(outputs, str) else [*outputs]
        if not names:
            raise InputError("no outputs are named", file=path)
        model = replace(model, outputs=tuple((str(n), _entry(model, str(n))) for n in names))
    model = replace(model, needed=_needed(model))
    return replace(model, inputs=_inputs(model))


# -- files -----------------------------------------------------------------------------------------


def _params_beside(path: str) -> Path | None:
    """Return the parameters of the highest epoch beside a symbol, or the only ones there."""
    if not path:
        return None
    stem = Path(path).name.removesuffix(_SYMBOL).removesuffix(".json")
    try:
        others = sorted(Path(path).parent.glob("*.params"))
    except OSError:
        return None
    epochs = [
        (int(match[1]), other)
        for other in others
        if other.name.startswith(f"{stem}-")
        and (match := _EPOCH.fullmatch(other.name[len(stem) :])) is not None
    ]
    if epochs:
        return max(epochs)[1]
    same = [other for other in others if other.name == f"{stem}.params"]
    return same[0] if same else (others[0] if len(others) == 1 else None)


def _parameters(data: bytes, path: str) -> dict[str, Stored]:
    """Return the parameters by name, without ``arg:`` and ``aux:``."""
    if data.startswith(_ZIP):
        # MXNet 2 writes an ``.npz``.
        archive = ArrayArchive(data)
        return {_PREFIX.sub("", name, count=1): archive[name] for name in archive}
    arrays, names = read_arrays(data, path)
    if arrays and not names:
        raise InputError(
            "the file has arrays without names, which are not the parameters of a symbol",
            hint="Save them by name: mx.nd.save(path, {'arg:name': array}).",
            file=path,
        )
    plain = [_PREFIX.sub("", name, count=1) for name in names]
    return dict(zip(plain, arrays, strict=True))


# -- outputs ---------------------------------------------------------------------------------------


def _mxnet_name(node: SymbolNode, index: int) -> str:
    """Return the name of an output; those that nothing may read have none in MXNet."""
    return node.outputs[index] if index < len(node.outputs) else f"{node.name}_output{index}"


def _entry(model: MxnetModel, name: str) -> NodeOutput:
    """Return the output of a name, or the first one of the node of that name."""
    entries = {
        each: NodeOutput(number, index)
        for number, node in reversed([*enumerate(model.nodes)])
        for index, each in enumerate(node.outputs)
    }
    nodes = {
        node.name: NodeOutput(number, 0) for number, node in reversed([*enumerate(model.nodes)])
    }
    if name in entries:
        return entries[name]
    if name in nodes:
        return nodes[name]
    raise UnknownNameError(
        f"the network has no output or node '{name}'",
        hint=did_you_mean(name, [*entries, *nodes]),
        file=model.path,
    )


def read_inputs(node: SymbolNode) -> tuple[NodeOutput, ...]:
    """Return what a node reads when it is not trained."""
    return node.inputs[:1] if node.op in _WITHOUT_LABEL else node.inputs


def _needed(model: MxnetModel) -> tuple[int, ...]:
    """Return the numbers of the nodes that the outputs depend on."""
    needed = {entry.node for _, entry in model.outputs}
    for number in range(len(model.nodes) - 1, -1, -1):
        if number in needed:
            needed.update(entry.node for entry in read_inputs(model.nodes[number]))
    return tuple(sorted(needed))


# -- inputs ----------------------------------------------------------------------------------------


def _inputs(model: MxnetModel) -> dict[int, Input]:
    """Return the variables without parameters, with the shapes that the network has for them."""
    inputs = {}
    for number in model.needed:
        node = model.nodes[number]
        if node.op == VARIABLE and node.name not in model.parameters:
            inputs[number] = Input(node.name, _noted_shape(node), _noted_dtype(node))
    return inputs


def _noted_shape(node: SymbolNode) -> tuple[int, ...] | None:
    shape = tuple(numbers(node.attributes.get("__shape__", "")))
    return shape if shape and min(shape) > 0 else None


def _noted_dtype(node: SymbolNode) -> np.dtype[Any]:
    number = numbers(node.attributes.get("__dtype__", "0"))
    dtype = DTYPES.get(number[0] if number else 0, np.dtype(np.float32))
    return dtype if dtype.kind in "iub" else np.dtype(np.float32)


def with_input_shapes(model: MxnetModel, given: Mapping[str, Sequence[int]] | None) -> MxnetModel:
    """Return a model whose inputs have shapes: those given, or those of the network.

    Raises:
        InputError: An input has no shape, or it is not one; or a parameter is missing.
        UnknownNameError: There is no such input.
    """
    given = given or {}
    names = {each.name for each in model.inputs.values()}
    # Users of MXNet state the shapes of labels, too.
    unread = {node.name for node in model.nodes if node.op == VARIABLE}
    for name in given:
        if name not in names and (name not in unread or name in model.parameters):
            raise UnknownNameError(
                f"the network has no input '{name}'",
                hint=did_you_mean(str(name), names)
                or f"Its inputs are {', '.join(sorted(names)) or 'none'}.",
                file=model.path,
            )
    shaped = {
        number: each._replace(
            shape=checked_shape(each.name, given[each.name], None, model.path)
            if each.name in given
            else each.shape
        )
        for number, each in model.inputs.items()
    }
    _check_parameters(model, given)
    missing = [each.name for each in shaped.values() if each.shape is None]
    if missing:
        listed = ", ".join(f"'{name}'" for name in missing)
        example = ", ".join(f"'{name}': (...)" for name in missing[:4])
        raise InputError(
            f"the shapes of these inputs are not in the network: {listed}",
            hint=f"Pass them: input_shapes={{{example}}}, such as (1, 3, 224, 224).",
            file=model.path,
        )
    return replace(model, inputs=shaped)


def _check_parameters(model: MxnetModel, given: Mapping[str, Sequence[int]]) -> None:
    """Check that no input is a parameter that the file lacks."""
    lacking = [
        model.nodes[number].name
        for number in model.inputs
        if _is_parameter(model.nodes[number]) and model.nodes[number].name not in given
    ]
    if not lacking:
        return
    listed = ", ".join(f"'{name}'" for name in lacking[:8]) + (", ..." if lacking[8:] else "")
    if model.parameters:
        known = ", ".join(f"'{name}'" for name in [*model.parameters][:4])
        raise InputError(
            f"the file has no parameters for {listed}",
            hint=f"Give the parameters that were saved with this symbol; the file has {known}, ...",
            file=model.params_path,
        )
    raise InputError(
        f"the parameters are missing: {listed}",
        hint="Pass their file: nk.from_mxnet(symbol_json, params).",
        file=model.path,
    )


def _is_parameter(node: SymbolNode) -> bool:
    return "__init__" in node.attributes or _OF_PARAMETERS.search(node.name) is not None

"""TensorFlow models, opened: their files, the tensors to read, and the shapes of the inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnefkit.errors import InputError, StorageError, UnknownNameError, did_you_mean
from nnefkit.exchange.tensorflow.checkpoint import Checkpoint, checkpoint_beside
from nnefkit.exchange.tensorflow.element_types import shape_of
from nnefkit.exchange.tensorflow.messages import FORMAT
from nnefkit.exchange.tensorflow.model import (
    NamedSignature,
    NamedTensor,
    TensorflowModel,
    function_info,
    node_info,
    reference,
)
from nnefkit.exchange.tensorflow.restored_variables import restored_keys
from nnefkit.storage import check_readable

GRAPH, SAVED_MODEL, META_GRAPH = "frozen graph", "SavedModel", "MetaGraph"
_SAVED_MODEL = "saved_model"
_TEXT = (".pbtxt", ".txt", ".prototxt")
_MAX_BYTES = 2**31 - 1
_SERVE = "serve"


def open_model(source: str | os.PathLike[str] | bytes) -> TensorflowModel:
    """Open a model: a frozen graph, a folder of a SavedModel, or a MetaGraph with its checkpoint.

    Args:
        source: A path, or the bytes of a frozen graph.

    Raises:
        InputError: It is not such a model.
        StorageError: A file cannot be read, or is damaged.
        MissingPackageError: The package protobuf is not installed.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _frozen(bytes(source), "")
    try:
        path = Path(os.fspath(source))
    except TypeError:
        raise InputError(
            f"a TensorFlow model must be a path or bytes, not {type(source).__name__}"
        ) from None
    if "\0" in str(path):
        raise StorageError("there is no such file", file=str(path))
    if path.is_dir():
        return _saved_model(path)
    if path.stem == _SAVED_MODEL and path.suffix in (".pb", ".pbtxt"):
        return _saved_model(path.parent)
    if path.suffix == ".meta":
        return _meta_graph(path)
    return _frozen(_content(path), str(path))


def _content(path: Path) -> bytes:
    check_readable(str(path))
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise StorageError("the file is larger than protobuf messages can be", file=str(path))
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"the model cannot be read: {error.strerror}", file=str(path)) from error


def _message(kind: str, data: bytes, path: str) -> Any:
    """Return a message from its bytes or, by the ending of the file, from its text."""
    if path.endswith(_TEXT):
        try:
            return FORMAT.parsed_text(kind, data.decode("utf-8"), path)
        except UnicodeDecodeError:
            raise StorageError("the file is not text", file=path) from None
    return FORMAT.parsed(kind, data, path)


def _frozen(data: bytes, path: str) -> TensorflowModel:
    graph = _message("GraphDef", data, path)
    if not graph.node:
        raise InputError(
            "the file is not a TensorFlow graph, or it has no nodes",
            hint="Give a frozen graph (.pb, .pbtxt), the folder of a SavedModel, or a MetaGraph "
            "(.meta) beside its checkpoint.",
            file=path,
        )
    name = Path(path).stem if path else "graph"
    model = _model(graph, GRAPH, name, path, len(data))
    return model if path else replace(model, data=data)


def _saved_model(folder: Path) -> TensorflowModel:
    for ending in (".pb", ".pbtxt"):
        path = folder / f"{_SAVED_MODEL}{ending}"
        if path.is_file():
            break
    else:
        raise InputError(
            "the folder is not a SavedModel: it has no saved_model.pb",
            hint="Give the folder that model.export or tf.saved_model.save wrote.",
            file=str(folder),
        )
    data = _content(path)
    message = _message("SavedModel", data, str(path))
    if not message.meta_graphs:
        raise InputError("the SavedModel has no graph", file=str(path))
    served = [one for one in message.meta_graphs if _SERVE in one.meta_info_def.tags]
    meta = (served or message.meta_graphs)[0]
    checkpoint = checkpoint_beside(str(folder / "variables" / "variables"))
    name = folder.resolve().name
    return _with_meta(meta, SAVED_MODEL, name, str(folder), len(data), checkpoint)


def _meta_graph(path: Path) -> TensorflowModel:
    data = _content(path)
    meta = _message("MetaGraphDef", data, str(path))
    if not meta.graph_def.node:
        raise InputError("the file is not a MetaGraph, or it has no nodes", file=str(path))
    checkpoint = checkpoint_beside(str(path.with_suffix("")))
    name = path.name.split(".")[0]
    return _with_meta(meta, META_GRAPH, name, str(path), len(data), checkpoint)


def _with_meta(
    meta: Any, kind: str, name: str, path: str, size: int, checkpoint: Checkpoint | None
) -> TensorflowModel:
    model = _model(meta.graph_def, kind, name, path, size)
    signatures = {
        key: NamedSignature(key, _named(one.inputs), _named(one.outputs))
        for key, one in sorted(meta.signature_def.items())
        if one.outputs and not key.startswith("__saved_model")
    }
    version = meta.meta_info_def.tensorflow_version
    return replace(
        model,
        signatures=signatures,
        checkpoint=checkpoint,
        version=version,
        keys=restored_keys(model.nodes, model.functions),
    )


def _model(graph: Any, kind: str, name: str, path: str, size: int) -> TensorflowModel:
    nodes = {node.name: node_info(node) for node in graph.node}
    functions = {one.signature.name: function_info(one) for one in graph.library.function}
    if len(nodes) < len(graph.node) or len(functions) < len(graph.library.function):
        raise StorageError(
            "the graph has several nodes or functions of one name",
            hint="Convert the network again.",
            file=path,
        )
    return TensorflowModel(
        nodes,
        functions,
        {},
        None,
        "",
        kind,
        name,
        path,
        size,
    )


def _named(tensors: Mapping[str, Any]) -> tuple[NamedTensor, ...]:
    """Return the tensors of a signature, in the order of their names."""
    return tuple(
        NamedTensor(name, reference(info.name), shape_of(info.tensor_shape), info.dtype)
        for name, info in sorted(tensors.items())
    )


# -- inputs and outputs ----------------------------------------------------------------------------

Names = Sequence[str] | Mapping[str, str] | str | None


def with_tensors(
    model: TensorflowModel, inputs: Names, outputs: Names, signature: str | None
) -> TensorflowModel:
    """Return a model with the tensors that are read: those given, or those of a signature.

    Args:
        model: The model.
        inputs: Names of tensors, or name in the graph -> tensor; by default those of the signature,
            or all placeholders.
        outputs: Likewise; by default those of the signature, or all that no node reads.
        signature: The key of the signature; ``serving_default``, or the only one, by default.

    Raises:
        UnknownNameError: There is no such tensor or signature.
        InputError: There are no outputs.
    """
    chosen = _signature(model, signature)
    given_inputs, given_outputs = _given(model, inputs, "input"), _given(model, outputs, "output")
    ins = given_inputs
    if ins is None:
        ins = chosen.inputs if chosen and given_outputs is None else _placeholders(model)
        if chosen and given_outputs is not None:
            named = {each.tensor: each for each in chosen.inputs}
            ins = tuple(named.get(each.tensor, each) for each in ins)
    outs = given_outputs
    if outs is None:
        outs = chosen.outputs if chosen else _ends(model)
    if not outs:
        raise InputError(
            "the graph has no outputs: each node is read by another",
            hint='Name them: outputs=["name of a node"].',
            file=model.path,
        )
    is_whole = given_inputs is None and given_outputs is None and model.kind == SAVED_MODEL
    key = chosen.key if chosen and is_whole else ""
    return replace(model, inputs=ins, outputs=outs, signature=key)


def _signature(model: TensorflowModel, key: str | None) -> NamedSignature | None:
    signatures = model.signatures
    if key is None:
        if "serving_default" in signatures or len(signatures) == 1:
            return signatures.get("serving_default") or next(iter(signatures.values()))
        if signatures:
            raise InputError(
                f"the model has {len(signatures)} signatures",
                hint=f"Choose one with signature=...: {', '.join(signatures)}.",
                file=model.path,
            )
        return None
    if key not in signatures:
        raise UnknownNameError(
            f"the model has no signature '{key}'",
            hint=did_you_mean(str(key), signatures)
            or f"Its signatures are {', '.join(signatures) or 'none'}.",
            file=model.path,
        )
    return signatures[key]


def _given(model: TensorflowModel, names: Names, what: str) -> tuple[NamedTensor, ...] | None:
    """Return the tensors that the user names."""
    if names is None:
        return None
    if isinstance(names, str):
        names = [names]
    known = {
        each.name: each
        for one in model.signatures.values()
        for each in (one.inputs if what == "input" else one.outputs)
    }
    pairs = names.items() if isinstance(names, Mapping) else [(name, name) for name in names]
    tensors = []
    for name, wanted in pairs:
        if not {type(name), type(wanted)} <= {str}:
            raise InputError(f"the name of an {what} must be a string, not {wanted!r}")
        tensor = reference(wanted)
        if tensor.node in model.nodes:
            tensors.append(NamedTensor(str(tensor) if name == wanted else name, tensor))
        elif wanted in known:
            tensors.append(known[wanted]._replace(name=name))
        else:
            raise UnknownNameError(
                f"the graph has no node '{tensor.node}', which '{what}s' names",
                hint=did_you_mean(tensor.node, model.nodes)
                or f"{what.capitalize()}s are named after nodes, such as "
                f"'{next(reversed([*model.nodes]))}'.",
                file=model.path,
            )
    return tuple(tensors)


def _placeholders(model: TensorflowModel) -> tuple[NamedTensor, ...]:
    return tuple(
        NamedTensor(node.name, reference(node.name))
        for node in model.nodes.values()
        if node.operator in ("Placeholder", "PlaceholderV2")
    )


_NO_RESULTS = frozenset(
    ("NoOp", "Assert", "Assign", "AssignVariableOp", "SaveV2", "RestoreV2", "Placeholder", "Const")
) | frozenset(("MergeV2Checkpoints", "PlaceholderWithDefault", "VarHandleOp", "VariableV2"))
"""Operators that compute nothing that a graph returns."""


def _ends(model: TensorflowModel) -> tuple[NamedTensor, ...]:
    """Return what no node reads, and what depends on a placeholder."""
    read = {each.node for node in model.nodes.values() for each in node.inputs}
    fed = _fed(model)
    return tuple(
        NamedTensor(name, reference(name))
        for name, node in model.nodes.items()
        if name in fed and name not in read and node.operator not in _NO_RESULTS
    )


def _fed(model: TensorflowModel) -> set[str]:
    """Return the nodes that depend on a placeholder."""
    readers: dict[str, list[str]] = {}
    for node in model.nodes.values():
        for each in node.inputs:
            readers.setdefault(each.node, []).append(node.name)
    fed: set[str] = set()
    waiting = [each.tensor.node for each in _placeholders(model)]
    while waiting:
        name = waiting.pop()
        if name not in fed:
            fed.add(name)
            waiting += readers.get(name, ())
    return fed

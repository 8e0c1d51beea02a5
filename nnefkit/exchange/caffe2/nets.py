"""The files of a Caffe2 network: its two nets, and the shapes of inputs beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnefkit.errors import InputError, StorageError
from nnefkit.exchange.caffe2.arguments import text_of
from nnefkit.exchange.caffe2.messages import DTYPES, FORMAT
from nnefkit.exchange.caffe2.model import DeclaredInput
from nnefkit.exchange.source_file import File, path_and_bytes
from nnefkit.storage import check_readable
from nnefkit.storage.caffe2_files import is_text, network_in, partner

_MAX_BYTES = 2**31 - 1
_MAX_TABLE = 1 << 20
_MAX_RANK = 32
_VALUES = "value_info.json"


@dataclass(frozen=True, eq=False)
class Nets:
    """The nets of a network."""

    weights: Any = field(repr=False)
    """The `NetDef` that makes the weights; an empty one if there is none."""
    net: Any = field(repr=False)
    """The `NetDef` that computes the outputs."""
    path: str
    weights_path: str
    size: int
    declared: Mapping[str, DeclaredInput]
    """Name of a blob -> its type and shape in ``value_info.json``."""
    has_weights: bool


def read_nets(init_net: File, predict_net: File | None) -> Nets:
    """Read the nets of a network.

    Args:
        init_net: The net that makes the weights, or a folder with both.
        predict_net: The net that computes the outputs; by default the file beside the other.

    Raises:
        InputError: They are not such nets.
        StorageError: A file cannot be read, or is damaged.
        MissingPackageError: The package protobuf is not installed.
    """
    first, second = _both(init_net, predict_net)
    weights_path, weights_data = ("", b"") if first is None else _content(first)
    if second is None:
        raise InputError(
            "the net that computes the outputs is missing",
            hint="Give both: nk.from_caffe2(init_net, predict_net); it is often named "
            "predict_net.pb.",
            file=weights_path,
        )
    path, data = _content(second)
    net = _net(data, path)
    weights = FORMAT.parsed("NetDef", b"") if first is None else _net(weights_data, weights_path)
    if _only_fills(net) and first is not None and not _only_fills(weights):
        if predict_net is None:
            # Names of files are habits: what they hold decides.
            return read_nets(path, weights_path)
        raise InputError(
            "the second net only makes weights",
            hint="The first one makes the weights (init_net), the second one computes "
            "(predict_net).",
            file=path,
        )
    return Nets(
        weights,
        net,
        path,
        weights_path,
        len(data) + len(weights_data),
        _declared(path),
        first is not None,
    )


def _both(first: File, second: File | None) -> tuple[File | None, File | None]:
    """Return the net of weights, if any, and the one that computes."""
    if second is not None or isinstance(first, (bytes, bytearray, memoryview)):
        return (first, second) if second is not None else (None, first)
    try:
        path = Path(first)
    except TypeError:
        return None, first  # This is an error when it is read.
    if "\0" in str(path):
        return None, first
    if path.is_dir():
        found = network_in(path)
        if found is None:
            raise InputError(
                "the folder has no Caffe2 network",
                hint="It has the files init_net.pb and predict_net.pb, or others that end so.",
                file=str(path),
            )
        return found
    check_readable(str(path))
    weights, net = partner(path)
    return weights, net


def _content(source: File) -> tuple[str, bytes]:
    """Return the path and the bytes of a file."""
    too_large = "the file is larger than protobuf messages can be"
    return path_and_bytes(source, "a net of Caffe2", _MAX_BYTES, too_large)


def _net(data: bytes, path: str) -> Any:
    """Return a net read from its bytes, binary or text."""
    if data and is_text(data):
        net = FORMAT.parsed_text("NetDef", data.decode("utf-8-sig", "replace"), path)
    else:
        net = FORMAT.parsed("NetDef", data, path)
    if not net.op:
        raise InputError(
            "the file is not a net of Caffe2, or it has no operators",
            hint="A graph of TensorFlow (.pb) is read by nk.from_tensorflow.",
            file=path,
        )
    return net


def _only_fills(net: Any) -> bool:
    return all(text_of(one.type).endswith("Fill") for one in net.op)


# -- shapes ----------------------------------------------------------------------------------------


def _declared(path: str) -> dict[str, DeclaredInput]:
    """Return the types and shapes of inputs in the file beside a net, if there is one."""
    beside = Path(path).with_name(_VALUES) if path else None
    if beside is None or not beside.is_file():
        return {}
    try:
        if beside.stat().st_size > _MAX_TABLE:
            raise StorageError("the file is too large for shapes of inputs", file=str(beside))
        table = json.loads(beside.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(f"the file is not valid JSON: {error}", file=str(beside)) from error
    items = table.items() if isinstance(table, dict) else [("", table)]
    return {str(name): _info(name, entry, str(beside)) for name, entry in items}


def _info(name: str, entry: Any, path: str) -> DeclaredInput:
    """Return the entry of an input: its type of data and its extents."""
    is_pair = isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], list)
    kind, extents = entry if is_pair else (None, [])
    if (
        not is_pair
        or type(kind) is not int
        or kind not in DTYPES
        or any(type(n) is not int or n < 1 for n in extents)
        or len(extents) > _MAX_RANK
    ):
        raise InputError(
            f"the entry of '{name}' is not a type of data with a shape",
            hint='It must look like {"data": [1, [1, 3, 224, 224]]}; remove the file to ignore it.',
            file=path,
        )
    return DeclaredInput(tuple(extents), DTYPES[kind])

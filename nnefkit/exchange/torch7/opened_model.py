"""Torch7 files, opened: the network among their objects, and the shapes of its inputs."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnefkit.errors import (
    NO_EMPTY_TENSORS,
    InputError,
    UnknownNameError,
    did_you_mean,
)
from nnefkit.exchange.source_file import path_and_bytes
from nnefkit.exchange.torch7.model import InputInfo, Torch7Model
from nnefkit.exchange.torch7.objects import LuaTable, TorchObject
from nnefkit.exchange.torch7.primitives import looks_like_text
from nnefkit.exchange.torch7.serialized_file import read_objects

_NAME = re.compile(r"input(\d+(?:_\d+)*)?")
_MAX_BYTES = 2**34
_MAX_INPUTS = 1024
_EXAMPLE = "input_shapes={'input': (1, 3, 224, 224)}"


def open_model(
    source: str | os.PathLike[str] | bytes,
    input_shapes: Mapping[str, Sequence[int]] | Sequence[int] | None,
    outputs: Sequence[str] | str | None,
    entry: str,
) -> Torch7Model:
    """Open a network.

    Args:
        source: The path of the file, or its bytes.
        input_shapes: Name of each input -> its shape, or that of the only one.
        outputs: Names of modules; by default the result of the network.
        entry: The entry of the file's table that has the network.

    Raises:
        InputError: The file has no network, or several of them, or the shapes are not valid.
        StorageError: The file cannot be read, or is damaged.
        UnknownNameError: The table has no such entry.
    """
    path, data = path_and_bytes(
        source, "a Torch7 network", _MAX_BYTES, "the file is larger than 16 GiB"
    )
    _check_format(data, path)
    found, entry = _network(read_objects(data, path), entry, path)
    inputs = _inputs(input_shapes, found, path)
    wanted = (outputs,) if isinstance(outputs, str) else tuple(map(str, outputs or ()))
    name = Path(path).stem if path else "network"
    return Torch7Model(
        name, path, found, inputs, wanted, len(data), data, looks_like_text(data), entry
    )


def _check_format(data: bytes, path: str) -> None:
    if data[:2] == b"PK" or data[:1] == b"\x80":
        raise InputError(
            "the file is one of PyTorch, not of Torch7",
            hint="nnefkit.from_torch(module, example_inputs) converts the module that it holds.",
            file=path,
        )
    if data[:4] in (b"\0\0\0\3", b"\0\0\0\4"):
        raise InputError(
            "the file was written by a system with big-endian numbers",
            hint="Write it again as text, which is the same on all systems: "
            "torch.save(path, net, 'ascii').",
            file=path,
        )


# -- the network in the file -----------------------------------------------------------------------


def _network(found: Any, entry: str, path: str) -> tuple[TorchObject, str]:
    """Return the network in what a file has, and its entry if that is a table."""
    if entry:
        for key in entry.split("."):
            found = _entry(found, key, path)
        if _is_module(found):
            return found, entry
    elif _is_module(found):
        return found, ""
    candidates = {name: each for name, each in _entries(found) if _is_module(each)}
    prefix = f"{entry}." if entry else ""
    if len(candidates) == 1:
        ((name, only),) = candidates.items()
        return only, prefix + name
    if candidates:
        names = [prefix + name for name in candidates]
        raise InputError(
            f"the file has a table with {len(candidates)} networks: {', '.join(names[:8])}",
            hint=f"Choose one: entry={names[0]!r}.",
            file=path,
        )
    inner = [prefix + name for name, each in _entries(found) if isinstance(each, LuaTable)]
    raise InputError(
        f"the file has {_kind(found)}, not a network",
        hint=f"If it is inside of a table, choose it: entry={inner[0] + '.'!r}..."
        if inner
        else "torch.save(path, net) writes a network.",
        file=path,
    )


def _is_module(found: Any) -> bool:
    if not isinstance(found, TorchObject) or not isinstance(found.fields, LuaTable):
        return False
    package = found.class_name.partition(".")[0]
    return package not in ("torch", "tds", "optim", "paths") and "Criterion" not in found.class_name


def _entries(found: Any) -> list[tuple[str, Any]]:
    table = found.fields if isinstance(found, TorchObject) else found
    if not isinstance(table, LuaTable):
        return []
    return [(_key_text(key), each) for key, each in table.entries.items()]


def _key_text(key: Any) -> str:
    return f"{key:g}" if isinstance(key, float) else str(key)


def _entry(found: Any, key: str, path: str) -> Any:
    entries = dict(_entries(found))
    if key not in entries:
        raise UnknownNameError(
            f"the file's table has no entry '{key}'",
            hint=did_you_mean(key, entries) or f"It has {', '.join([*entries][:12]) or 'none'}.",
            file=path,
        )
    return entries[key]


def _kind(found: Any) -> str:
    if isinstance(found, TorchObject):
        return f"an object of the class '{found.class_name}'"
    return "a table" if isinstance(found, LuaTable) else repr(found)[:60]


# -- inputs ----------------------------------------------------------------------------------------


def with_input_shapes(model: Torch7Model, shapes: Mapping[str, Sequence[int]]) -> Torch7Model:
    """Return a model with other shapes of its inputs."""
    given = {**model.shapes, **{name: tuple(shape) for name, shape in shapes.items()}}
    return replace(model, inputs=_inputs(given, model.module, model.path))


def _inputs(given: Any, module: TorchObject, path: str) -> Any:
    """Return the inputs for the shapes that are given: one, or a table of them."""
    if given is None or (isinstance(given, Mapping) and not given):
        raise InputError(
            "a Torch7 network has no shapes of its inputs",
            hint=f"Pass them: {_suggestion(module)}. A table has 'input1', 'input2', ...",
            file=path,
        )
    if not isinstance(given, Mapping):
        given = {"input": given}
    places = {}
    for name, shape in given.items():
        match = _NAME.fullmatch(str(name))
        if match is None:
            raise UnknownNameError(
                f"a Torch7 network has no input '{name}'",
                hint="Its input is 'input'; if that is a table, it has 'input1', 'input2', ..., "
                "and one inside of it 'input1_1', ...",
                file=path,
            )
        place = tuple(int(part) for part in match[1].split("_")) if match[1] else ()
        places[place] = InputInfo(str(name), _checked(str(name), shape, path))
    if len(places) > _MAX_INPUTS:
        raise InputError(f"there are {len(places):,} shapes", file=path)
    return _tree(places, path)


def _tree(places: Mapping[tuple[int, ...], InputInfo], path: str) -> Any:
    """Return a tree of inputs, given the place of each one in nested tables."""
    if () in places:
        if len(places) > 1:
            raise InputError(
                "the shapes are those of a tensor and of a table at once: "
                + ", ".join(each.name for each in places.values()),
                file=path,
            )
        return places[()]
    parts: dict[int, dict[tuple[int, ...], InputInfo]] = {}
    for place, each in places.items():
        parts.setdefault(place[0], {})[place[1:]] = each
    if sorted(parts) != [*range(1, len(parts) + 1)]:
        names = ", ".join(each.name for each in places.values())
        raise InputError(f"the inputs of a table count from 1 without gaps, not {names}", file=path)
    return [_tree(parts[number], path) for number in sorted(parts)]


def _checked(name: str, shape: Any, path: str) -> tuple[int, ...]:
    try:
        extents = tuple(operator.index(extent) for extent in shape)
    except TypeError:
        extents = ()
    if not extents or len(extents) > 32:
        raise InputError(
            f"the shape of the input '{name}' is {shape!r}, which is not a row of positive "
            "integers",
            hint=f"Pass it: {_EXAMPLE}.",
            file=path,
        )
    if min(extents) < 1:
        raise InputError(
            f"the shape of the input '{name}' is {[*extents]}",
            hint=NO_EMPTY_TENSORS,
            file=path,
            section="4.1.1",
        )
    return extents


def _suggestion(module: TorchObject) -> str:
    """Return an example of shapes, for the first module with weights."""
    pending, seen = [module], 0
    while pending and seen < 64:
        first, seen = pending.pop(), seen + 1
        planes, weight = first.get("nInputPlane"), first.get("weight")
        if isinstance(planes, float):
            return f"input_shapes={{'input': (1, {planes:g}, 224, 224)}}"
        if first.short_name == "Linear" and len(getattr(weight, "shape", ())) == 2:
            return f"input_shapes={{'input': (1, {weight.shape[1]})}}"
        inner = first.get("modules")
        parts = inner.list() if isinstance(inner, LuaTable) else []
        pending += [each for each in reversed(parts) if isinstance(each, TorchObject)]
    return _EXAMPLE

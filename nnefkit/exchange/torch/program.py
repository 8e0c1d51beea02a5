"""What `torch.export` makes of a module, in the form that the readers take."""

from __future__ import annotations

import operator as python
import os
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import fx

from nnefkit.errors import InputError, StorageError
from nnefkit.exchange.torch.call import READERS
from nnefkit.exchange.torch.operators import (  # noqa: F401  (they register their readers)
    activation,
    convolution,
    elementwise,
    indexing,
    linear_algebra,
    logic,
    normalization,
    pooling,
    recurrent,
    reduction,
    resampling,
    shaping,
)
from nnefkit.storage import check_readable

Program = torch.export.ExportedProgram
Arguments = tuple[tuple[Any, ...], dict[str, Any]]

_MAY_ALIAS = frozenset(
    ("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "type_as")
).union(("atleast_1d", "atleast_2d", "atleast_3d", "meshgrid", "broadcast_tensors"))
"""Operators that may give back what they are given, and do not say so."""


def exported(source: Any, example_inputs: Any, kwargs: Mapping[str, Any] | None) -> Program:
    """The program of a module, of a ``.pt2`` file, or `source` itself, with fixed shapes.

    Raises:
        InputError: it is none of these, or `torch.export` does not understand the module.
        StorageError: the file cannot be read.
    """
    given = None if example_inputs is None and not kwargs else arguments(example_inputs, kwargs)
    if isinstance(source, torch.nn.Module):
        if given is None:
            raise InputError(
                "a module is exported by running it, which takes example inputs",
                hint="For example: nk.from_torch(module, torch.zeros(1, 3, 224, 224))",
            )
        return _export(source, given, type(source).__name__)
    if isinstance(source, (str, os.PathLike)):
        program = _loaded(os.fspath(source))
    elif isinstance(source, Program):
        program = source
    else:
        raise InputError(
            f"a {type(source).__name__} is no PyTorch model",
            hint="Give an nn.Module, an ExportedProgram, or the path of a .pt2 file.",
        )
    if not _is_dynamic(program):
        return program
    given = given or program.example_inputs
    if given is None:
        raise InputError(
            "the program leaves shapes of its inputs open",
            hint="NNEF fixes them (4.1.1): give example inputs of the shapes that are meant.",
            section="4.1.1",
        )
    return _export(program.module(), given, "the program")


def _export(module: torch.nn.Module, given: Arguments, told: str) -> Program:
    args, kwargs = given
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return torch.export.export(module, args, kwargs, strict=False)
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"torch.export cannot export {told}: {lines[0]}",
            hint="The network must run on the example inputs, and must not decide by the values "
            "of tensors what it computes.",
        ) from error


def arguments(inputs: Any, kwargs: Mapping[str, Any] | None) -> Arguments:
    """Inputs as positional arguments and those by name."""
    if isinstance(inputs, Mapping):
        return (), {**inputs, **(kwargs or {})}
    if inputs is None:
        return (), dict(kwargs or {})
    args = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    return args, dict(kwargs or {})


def _is_dynamic(program: Program) -> bool:
    values = [node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"]
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    return any(isinstance(extent, torch.SymInt) for t in tensors for extent in t.shape)


def _loaded(path: str) -> Program:
    # PyTorch logs a traceback of its own for what is no archive.
    check_readable(path)
    if not zipfile.is_zipfile(path):
        raise StorageError(
            "the file is no exported program",
            hint="torch.export.save(torch.export.export(model, args), path) writes one.",
            file=path,
        )
    try:
        loaded: Any = torch.export.load(path)
    except Exception as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise StorageError(f"the program cannot be read: {told[0]}", file=path) from error
    program: Program = loaded
    return program


def as_array(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """The items of a tensor; bfloat16 as float32, which holds them exactly."""
    plain = tensor.detach().cpu()
    if plain.dtype == torch.bfloat16:
        plain = plain.float()
    return np.asarray(plain.contiguous().resolve_conj().resolve_neg().numpy())


def readable(program: Program) -> Program:
    """A program of operators that change nothing in place, and that have readers if they can."""
    unread = any(not is_read(node) for node in live(program.graph))
    if not unread and not any(_tangled(node) for node in program.graph.nodes):
        return program
    table: Any = {}
    if unread:
        table = torch.export.default_decompositions()
        for overload in [*table.keys()]:
            if overload.name().split("::")[1].split(".")[0] in READERS:
                del table[overload]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain: Program = program.run_decompositions(table)
    return plain


# -- nodes -----------------------------------------------------------------------------------------


def base_name(node: fx.Node) -> str:
    """The name of the operator that a node calls, without namespace, overload and final ``_``."""
    target: Any = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return getattr(target, "__name__", str(target))
    name = target._schema.name.split("::")[1]
    return name[:-1] if mutates(node) and name.endswith("_") else name


def source_of(node: fx.Node) -> tuple[str, str]:
    """Name and operator of the node of the exported program that a node is a part of."""
    name, target = node.name, str(node.target)
    sources = node.meta.get("from_node")
    while sources:
        name, target = sources[-1].name, sources[-1].target
        sources = sources[-1].from_node
    return name, target


def mutates(node: fx.Node) -> bool:
    """Whether a node changes a tensor in place."""
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable


def is_read(node: fx.Node) -> bool:
    """Whether there is a reader for what a node calls."""
    if node.op != "call_function" or node.target is python.getitem:
        return True
    if not isinstance(node.target, torch._ops.OpOverload):
        return _of_numbers(node)
    if node.target.namespace != "aten":
        return False
    return base_name(node) in READERS or not _tensors(node)


def _of_numbers(node: fx.Node) -> bool:
    return not any("val" in n.meta and isinstance(n.meta["val"], torch.Tensor)
                   for n in node.all_input_nodes)  # fmt: skip


def _tensors(node: fx.Node) -> list[fx.Node]:
    return [n for n in node.all_input_nodes if isinstance(n.meta.get("val"), torch.Tensor)]


def changed(node: fx.Node) -> list[fx.Node]:
    """The nodes whose tensor a node changes in place, which are one tensor."""
    found = []
    target = node.args[0] if mutates(node) and node.args else None
    while isinstance(target, fx.Node):
        found.append(target)
        target = target.args[0] if mutates(target) and target.args else None
    return found


def _tangled(node: fx.Node) -> bool:
    """Whether a node changes a tensor in place that others may see in another form."""
    if not mutates(node):
        return False
    same = changed(node)
    if not same or same[-1].op != "call_function":
        return True
    if not str(node.target).endswith(("_.default", "_.Tensor", "_.Scalar")):
        return True
    related = [same[-1], *(user for one in same for user in one.users)]
    return any(_is_view(other) for other in related)


def _is_view(node: fx.Node) -> bool:
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return target is python.getitem
    returned = target._schema.returns
    aliases = any(r.alias_info is not None for r in returned) or base_name(node) in _MAY_ALIAS
    return not mutates(node) and aliases


def live(graph: fx.Graph) -> list[fx.Node]:
    """The nodes that the outputs depend on, in their order."""
    wanted: set[fx.Node] = set()
    found = []
    for node in reversed([*graph.nodes]):
        kept = node in wanted or any(other in wanted for other in changed(node))
        if node.op in ("output", "placeholder") or kept:
            found.append(node)
            wanted.update(node.all_input_nodes)
    return found[::-1]


def results(node: fx.Node) -> Sequence[Any]:
    """What a node gives, as `torch.export` has seen it."""
    value = node.meta.get("val")
    return value if isinstance(value, (tuple, list)) else [value]

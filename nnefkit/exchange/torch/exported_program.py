"""Programs that `torch.export` creates from modules, in the form that the readers expect."""

from __future__ import annotations

import operator as python
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.utils import _pytree as pytree

from nnefkit.arrays import Array
from nnefkit.errors import InputError
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_value import DType
from nnefkit.exchange.torch.call import READERS
from nnefkit.exchange.torch.export_problems import (
    Arguments,
    export_problem,
    refuse_torchscript,
)
from nnefkit.exchange.torch.known_masks import has_unknown_shapes, replace_known_masks
from nnefkit.exchange.torch.operators import (  # noqa: F401  (they register their readers)
    activation,
    assignment,
    convolution,
    elementwise,
    embedding_bag,
    indexing,
    linear_algebra,
    logic,
    normalization,
    pooling,
    recurrent,
    reduction,
    resampling,
    scattering,
    shaping,
    spectral,
)
from nnefkit.exchange.torch.program_file import load_program
from nnefkit.exchange.torch.selections import assign_through_masks
from nnefkit.execution.engines.torch.module import GraphModule

Program = torch.export.ExportedProgram

_MAY_ALIAS = frozenset(
    ("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "type_as")
).union(
    ("atleast_1d", "atleast_2d", "atleast_3d", "meshgrid", "broadcast_tensors"),
    ("einsum", "sum_to_size"),
)
"""Operators that may return one of their arguments, though their schema does not say so."""


def exported(
    source: Any, example_inputs: Any, kwargs: Mapping[str, Any] | None, *, trust: bool = False
) -> Program:
    """Return the program of a module or a ``.pt2`` file, or `source` itself, with fixed shapes.

    Args:
        source: The module, program or path.
        example_inputs: As for `from_torch`.
        kwargs: As for `from_torch`.
        trust: Whether a file may run code.

    Raises:
        InputError: `source` is none of these, or `torch.export` cannot export it.
        StorageError: The file cannot be read.
    """
    given = None if example_inputs is None and not kwargs else arguments(example_inputs, kwargs)
    if isinstance(source, torch.nn.Module):
        if given is None:
            raise InputError(
                "a module needs example inputs, since it is exported by running it",
                hint="For example: nk.from_torch(module, torch.zeros(1, 3, 224, 224))",
            )
        refuse_torchscript(source)
        if isinstance(source, GraphModule):
            source.checked_inputs(*given[0], **given[1])
        return _settled(_export(source, given, type(source).__name__), given)
    if isinstance(source, (str, os.PathLike)):
        program = load_program(os.fspath(source), trust=trust)
    elif isinstance(source, Program):
        program = source
    else:
        raise InputError(
            f"a {type(source).__name__} is not a PyTorch model",
            hint="Pass an nn.Module, an ExportedProgram, or the path of a .pt2 file.",
        )
    if not _is_dynamic(program):
        return _settled(program, given or program.example_inputs)
    given = given or program.example_inputs
    if given is None:
        raise InputError(
            "the program has inputs with dynamic shapes",
            hint="NNEF fixes shapes (4.1.1): pass example inputs of the shapes you want.",
            section="4.1.1",
        )
    return _settled(_export(program.module(), given, "the program"), given)


def _settled(program: Program, given: Arguments | None) -> Program:
    """Return the program with fixed shapes where masks allow it.

    The masks are known, or elements are assigned through the same mask that selects them.
    """
    if given is None or not has_unknown_shapes(program):
        return program
    module: Any = program.module()
    changed = replace_known_masks(module, program.graph_signature.buffers_to_mutate.values())
    changed |= assign_through_masks(module)
    if not changed:
        return program
    module.recompile()
    with suppress(InputError):  # The program itself is refused, with the place in the source.
        return _export(module, given, "the program")
    return program


def _export(module: torch.nn.Module, given: Arguments, name: str) -> Program:
    args, kwargs = separate(given, [*module.parameters(), *module.buffers()])
    try:
        with torch.no_grad():
            return torch.export.export(module, args, kwargs, strict=False)
    except Exception as error:
        raise export_problem(module, given, name, error) from error


def separate(given: Arguments, others: Sequence[torch.Tensor]) -> Arguments:
    """Return arguments of which no two tensors share memory, with each other or with `others`.

    To PyTorch, a tensor that is passed twice is one input.
    """
    memory = {_memory(tensor) for tensor in others}

    def own(tensor: torch.Tensor) -> torch.Tensor:
        place = _memory(tensor)
        copied = tensor.detach().clone() if place and place in memory else tensor
        memory.add(place)
        return copied

    separated: Arguments = pytree.tree_map_only(torch.Tensor, own, given)
    return separated


def _memory(tensor: torch.Tensor) -> int:
    """Return the address of the memory of a tensor; 0 if it has none."""
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        return 0
    return tensor.untyped_storage().data_ptr()


def arguments(inputs: Any, kwargs: Mapping[str, Any] | None) -> Arguments:
    """Return inputs as positional arguments and arguments by name."""
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


def as_array(tensor: torch.Tensor) -> Array:
    """Return the elements of a tensor; bfloat16 as float32, which represents them exactly."""
    plain = tensor.detach().cpu()
    if plain.dtype == torch.bfloat16:
        plain = plain.float()
    return np.asarray(plain.contiguous().resolve_conj().resolve_neg().numpy())


def dtype_of(tensor: torch.Tensor) -> DType:
    """Return the NumPy dtype for the elements of a tensor.

    Raises:
        Refusal: NNEF has no such elements.
    """
    if tensor.dtype == torch.bfloat16:
        return np.dtype(np.float32)
    name = str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype.is_complex or tensor.is_quantized:
        refuse(f"its elements are {name}", "NNEF has scalars, integers and logicals (3.3.1).")
    return np.dtype(name)


def readable(program: Program) -> Program:
    """Return the program without in-place operators, and with operators that have readers."""
    unread = any(not is_read(node) for node in live(program.graph))
    is_aliased = any(_is_aliased_change(node) for node in program.graph.nodes)
    if not unread and not is_aliased:
        return program
    # Nodes that no output reads may write to views, and only decomposition shows all views.
    aliases = _MAY_ALIAS if is_aliased else frozenset()
    unread |= is_aliased and any(
        base_name(node) in aliases or not is_read(node)
        for node in program.graph.nodes
        if node.op == "call_function"
    )
    table: Any = {}
    if unread:
        table = torch.export.default_decompositions()
        for overload in [*table.keys()]:
            name = overload.name().split("::")[1].split(".")[0]
            if name in READERS and name not in aliases:
                del table[overload]
    plain: Program = program.run_decompositions(table)
    return plain


# -- nodes -----------------------------------------------------------------------------------------


def base_name(node: fx.Node) -> str:
    """Return the operator that a node calls, without namespace, overload and final ``_``."""
    target: Any = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return getattr(target, "__name__", str(target))
    name = target._schema.name.split("::")[1]
    return name[:-1] if mutates(node) and name.endswith("_") else name


def source_of(node: fx.Node) -> tuple[str, str]:
    """Return the name and operator of the node of the exported program that a node is part of."""
    name, target = node.name, str(node.target)
    sources = node.meta.get("from_node")
    while sources:
        name, target = sources[-1].name, sources[-1].target
        sources = sources[-1].from_node
    return name, target


def mutates(node: fx.Node) -> bool:
    """Return whether a node changes a tensor in place."""
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable


def is_read(node: fx.Node) -> bool:
    """Return whether the operator of a node has a reader."""
    if node.op != "call_function" or node.target is python.getitem:
        return True
    if not isinstance(node.target, torch._ops.OpOverload):
        return _of_numbers(node)
    if node.target.namespace != "aten":
        return False
    return base_name(node) in READERS or not _tensors(node)


def _of_numbers(node: fx.Node) -> bool:
    return not _tensors(node)


def _tensors(node: fx.Node) -> list[fx.Node]:
    return [n for n in node.all_input_nodes if isinstance(n.meta.get("val"), torch.Tensor)]


def changed(node: fx.Node) -> list[fx.Node]:
    """Return the nodes whose common tensor a node changes in place."""
    nodes = []
    target = node.args[0] if mutates(node) and node.args else None
    while isinstance(target, fx.Node):
        nodes.append(target)
        target = target.args[0] if mutates(target) and target.args else None
    return nodes


def _is_aliased_change(node: fx.Node) -> bool:
    """Return whether a node changes a tensor in place that other nodes may see through a view."""
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
    """Return the nodes that the outputs depend on, in order."""
    wanted: set[fx.Node] = set()
    nodes = []
    for node in reversed([*graph.nodes]):
        is_live = node in wanted or any(other in wanted for other in changed(node))
        if node.op in ("output", "placeholder") or is_live:
            nodes.append(node)
            wanted.update(node.all_input_nodes)
    return nodes[::-1]


def results(node: fx.Node) -> Sequence[Any]:
    """Return the example results of a node, as `torch.export` recorded them."""
    value = node.meta.get("val")
    return value if isinstance(value, (tuple, list)) else [value]

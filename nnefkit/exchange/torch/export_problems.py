"""Modules that `torch.export` cannot export: the reason, and what to do about it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils import _pytree as pytree

from nnefkit.errors import InputError, NnefError

Arguments = tuple[tuple[Any, ...], dict[str, Any]]

_DATA_DEPENDENT = ("data-dependent", "DataDependent", "data dependent", "_local_scalar_dense")
_INPUT_TYPE = "Unsupported input type"
_OUTPUT_TYPE = "in output, which is not a known type"
_PLAIN = (torch.Tensor, bool, int, float, complex, str, torch.dtype, torch.device, type(None))
"""Types of arguments and results that need not be registered."""
_VALUES = (
    "Its control flow and shapes must not depend on the values of tensors: use torch.where. An "
    "index of a single element is a tensor of shape [1]."
)
_UNKNOWN_SHAPE = (
    "Shapes must not depend on the values of tensors: keep the indices of a mask, "
    "mask.nonzero()[:, 0], as a buffer of the module."
)
_MUST_RUN = "The module must run on the example inputs: try module(*example_inputs)."


def refuse_torchscript(module: torch.nn.Module) -> None:
    """Refuse modules that are TorchScript.

    Raises:
        InputError: The module is.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise InputError(
            f"{type(module).__name__} is TorchScript, which torch.export cannot export",
            hint="Pass the nn.Module that it was scripted or traced from.",
        )


def export_problem(
    module: torch.nn.Module, given: Arguments, name: str, error: Exception
) -> InputError:
    """Return the error for a module that `torch.export` did not export.

    Args:
        module: The module.
        given: The arguments that it was called with.
        name: What messages call it.
        error: The error of `torch.export`, or of the module.
    """
    if isinstance(error, NnefError):  # The module is one of `to_torch`.
        reason, hint = error.diagnostics[0].message, error.diagnostics[0].hint
    else:
        reason, hint = _explained(module, given, error)
    return InputError(f"torch.export cannot export {name}: {reason}", hint=hint)


def _explained(module: torch.nn.Module, given: Arguments, error: Exception) -> tuple[str, str]:
    """Return the reason and the remedy."""
    text = f"{type(error).__name__}: {error}"
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    if any(word in text for word in _DATA_DEPENDENT):
        return reason, _VALUES
    if "unbacked symbols" in text:
        return reason, _UNKNOWN_SHAPE
    if _INPUT_TYPE in text:
        for argument, leaf in _leaves(given):
            if not isinstance(leaf, _PLAIN):
                return f"example input {argument} is a {type(leaf).__name__}", _unpacked(leaf)
    try:
        result = _run(module, given)
    except Exception:  # noqa: BLE001 - modules raise errors of any kind
        return reason, _MUST_RUN
    if _OUTPUT_TYPE in text:
        for leaf in pytree.tree_leaves(result):
            if not isinstance(leaf, _PLAIN):
                return f"the module returns a {type(leaf).__name__}", _unpacked(leaf)
    return reason, _untraceable(module, text)


def _leaves(given: Arguments) -> Iterator[tuple[str, Any]]:
    """Yield the example inputs without their lists, tuples and dicts, by position or name."""
    args, kwargs = given
    for name, value in {**{str(n): value for n, value in enumerate(args)}, **kwargs}.items():
        for leaf in pytree.tree_leaves(value):
            yield name, leaf


def _unpacked(value: Any) -> str:
    """Return what to do about a value that is neither a tensor nor a known container of them."""
    name = type(value).__name__
    if "cache" in name.lower() or hasattr(value, "get_seq_length"):
        return (
            "A cache of keys and values is disabled by use_cache=False and past_key_values=None; "
            "or take and return its tensors, in tuples."
        )
    hint = "Inputs and outputs must be tensors, or tuples, lists and dicts of them."
    if dataclasses.is_dataclass(value):
        return f"{hint} A dataclass can be registered: torch.export.register_dataclass({name})."
    return hint


def _run(module: torch.nn.Module, given: Arguments) -> Any:
    """Run a copy of a module."""
    args, kwargs = pytree.tree_map_only(torch.Tensor, torch.clone, given)
    with torch.no_grad():
        return copy.deepcopy(module)(*args, **kwargs)


def _untraceable(module: torch.nn.Module, text: str) -> str:
    """Return the remedy for a module that runs, but cannot be exported."""
    for path, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            return f"'{path}' is TorchScript: use the nn.Module that it was scripted from."
        if ".quantized" in type(part).__module__:
            return f"'{path}' is quantized: export the module before it is quantized."
    if "numpy" in text.lower():
        return "The module runs, but computes with NumPy: use functions of torch instead."
    return (
        "The module runs, but cannot be traced: in forward, use functions of torch and layers of "
        "torch.nn alone, and no values of tensors."
    )

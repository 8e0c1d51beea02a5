"""Custom operations: the rules and kernels that users register, and what is checked of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import numpy as np

from nnefkit.errors import ArgumentError, ExecutionError, NnefError
from nnefkit.graph import Operation, Tensor
from nnefkit.operations.invocation import TYPED
from nnefkit.operations.registry import COSTS, KERNELS, SHAPE_RULES

Function = Callable[..., Any]

CUSTOM: set[str] = set()
"""Names of the operations that users registered."""

_KINDS = {"scalar": "f", "integer": "iu", "logical": "b", "string": "U"}
_EXPECTED = {
    "scalar": "floating point numbers",
    "integer": "integers",
    "logical": "bools",
    "string": "strings",
}


def install(
    name: str, shape: Function | None, kernel: Function | None, macs: Function | None
) -> None:
    """Registers what is given for a custom operation, in place of all that was before."""
    uninstall(name)
    CUSTOM.add(name)
    if shape is not None:
        SHAPE_RULES[name] = _guarded_rule(shape)
    if kernel is not None:
        KERNELS[name] = kernel
        if _takes_dtype(kernel):
            TYPED.add(name)
    if macs is not None:
        COSTS[name] = _guarded_cost(macs)


def uninstall(name: str) -> None:
    """Forgets a custom operation, if there is one of that name."""
    if name in CUSTOM:
        CUSTOM.remove(name)
        TYPED.discard(name)
        SHAPE_RULES.pop(name, None)
        KERNELS.pop(name, None)
        COSTS.pop(name, None)


def _takes_dtype(kernel: Function) -> bool:
    """Whether a kernel wants to know the generic data-type: it has a parameter of that name."""
    try:
        return "dtype" in inspect.signature(kernel).parameters
    except (TypeError, ValueError):
        return False


# -- rules ----------------------------------------------------------------------------------------


def _guarded_rule(rule: Function) -> Function:
    @wraps(rule)
    def guarded(*shapes: Any, **attribs: Any) -> Any:
        try:
            return _normal(rule(*shapes, **attribs))
        except NnefError as error:
            if isinstance(error, ArgumentError):
                raise
            raise ArgumentError(error.diagnostics) from error
        except _NoShapeError as error:
            raise ArgumentError(
                f"its shape rule gave {error}, which is no shape",
                hint="It must give a tuple of positive integers for each result.",
            ) from None
        except ValueError as error:
            # The natural way for a rule to refuse what it is given.
            raise ArgumentError(str(error) or "its shape rule refuses it") from error
        except Exception as error:
            told = _call_problem(rule, shapes, attribs) or f"{type(error).__name__}: {error}"
            raise ArgumentError(
                f"its shape rule failed: {told}",
                hint="It is called with the shape of each tensor by position, and with the "
                "attributes by keyword.",
            ) from error

    return guarded


def _guarded_cost(macs: Function) -> Function:
    @wraps(macs)
    def guarded(inputs: Any, outputs: Any, attribs: Any) -> int:
        try:
            return int(macs(inputs, outputs, attribs))
        except Exception as error:
            raise ArgumentError(
                f"its cost failed: {type(error).__name__}: {error}",
                hint="It is called as macs(input_shapes, output_shapes, attribs), and gives the "
                "number of multiply-accumulates.",
            ) from error

    return guarded


class _NoShapeError(Exception):
    """What a rule gave instead of a shape."""


def _normal(result: Any) -> Any:
    """A shape as a tuple of ints, shapes of several results as a tuple, of an array as a list."""
    if isinstance(result, np.ndarray):
        result = tuple(result.tolist())
    if not isinstance(result, (list, tuple)):
        raise _NoShapeError(f"{result!r}")
    if any(isinstance(item, (list, tuple, np.ndarray)) for item in result):
        return type(result)(_normal(item) for item in result)
    for extent in result:
        whole = isinstance(extent, (int, np.integer)) and not isinstance(extent, bool)
        if not whole or extent < 1:
            raise _NoShapeError(f"{result!r}")
    return tuple(map(int, result))


def wrong_results(op: Operation) -> ArgumentError:
    """Says that the shape rule of a custom operation gave another number of shapes than results."""
    names = " and ".join(_name(name) for name in op.outputs.values())
    many = f"each of its {len(op.outputs)} results, " if len(op.outputs) > 1 else ""
    return ArgumentError(
        f"its shape rule must give one shape for {many}{names}",
        hint="Several shapes are given as a tuple of tuples; for an array of tensors, as a list.",
    )


def _call_problem(function: Function, arguments: Sequence[Any], attribs: Mapping[str, Any]) -> str:
    """What is wrong with the arguments of a call, empty if they fit the signature."""
    try:
        inspect.signature(function).bind(*arguments, **attribs)
    except TypeError as error:
        return str(error)
    except ValueError:
        pass
    return ""


_READ_BEFORE = "; the document was read before the operation was registered, so read it again"

# -- kernels --------------------------------------------------------------------------------------


def checked_kernel(op: Operation, tensors: Mapping[str, Tensor], scalar: np.dtype[Any]) -> Function:
    """The kernel of a custom operation, its results checked and brought to the right dtypes.

    It sees the tensors as arrays that it cannot change, and its results share no memory with them.

    Args:
        op: The operation.
        tensors: Those of its graph: where a shape is known, the result must have it.
        scalar: What tensors of data-type scalar are computed in.
    """
    kernel = KERNELS[op.name]

    def call(*inputs: Any, **attribs: Any) -> Any:
        inputs = tuple(_protected(value) for value in inputs)
        try:
            result = kernel(*inputs, **attribs)
        except TypeError as error:
            problem = _call_problem(kernel, inputs, attribs)
            if not problem:
                raise
            raise ExecutionError(
                f"its kernel cannot be called with the tensors by position and the attributes by "
                f"keyword: {problem}" + _READ_BEFORE * ("0" in op.outputs)
            ) from error
        names = list(op.outputs.values())
        given = [result] if len(names) == 1 else _several(result, names)
        checked = [_checked(n, g, tensors, scalar) for n, g in zip(names, given, strict=True)]
        apart = [_apart(array, inputs) for array in checked]
        return apart[0] if len(names) == 1 else tuple(apart)

    return call


def _protected(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_protected(item) for item in value]
    if not isinstance(value, np.ndarray):
        return value
    view = value.view()
    view.flags.writeable = False
    return view


def _several(result: Any, names: Sequence[Any]) -> Sequence[Any]:
    if not isinstance(result, (list, tuple)) or len(result) != len(names):
        raise ExecutionError(
            f"its kernel must give {len(names)} results ({', '.join(map(_name, names))}) as a "
            f"tuple, but gave {_given(result)}"
        )
    return result


def _name(name: Any) -> str:
    return f"[{', '.join(map(_name, name))}]" if isinstance(name, (list, tuple)) else str(name)


def _given(result: Any) -> str:
    if result is None:
        return "None (does it return its result?)"
    if isinstance(result, (list, tuple)):
        return f"{len(result)} of them" if result else "none"
    return (
        f"an array of shape {[*result.shape]}"
        if isinstance(result, np.ndarray)
        else (f"a {type(result).__name__}")
    )


def _checked(name: Any, given: Any, tensors: Mapping[str, Tensor], scalar: np.dtype[Any]) -> Any:
    if isinstance(name, (list, tuple)):
        if not isinstance(given, (list, tuple)) or len(given) != len(name):
            raise ExecutionError(
                f"its kernel must give a list of {len(name)} arrays for {_name(name)}, but gave "
                f"{_given(given)}"
            )
        return [_checked(n, g, tensors, scalar) for n, g in zip(name, given, strict=True)]
    tensor = tensors[name]
    if given is None:
        raise ExecutionError(f"its kernel gave None for '{name}' (does it return its result?)")
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ExecutionError(f"its kernel gave no array for '{name}': {error}") from None
    if array.dtype.kind not in _KINDS[tensor.dtype]:
        raise ExecutionError(
            f"its kernel must give {_EXPECTED[tensor.dtype]} for '{name}' ({tensor.dtype}), but "
            f"gave items of dtype {array.dtype}"
        )
    if tensor.shape is not None and array.shape != tensor.shape:
        raise ExecutionError(
            f"its kernel must give shape {[*tensor.shape]} for '{name}', as its shape rule says, "
            f"but gave {[*array.shape]}"
        )
    wanted = {"scalar": scalar, "integer": np.dtype(np.int64)}.get(tensor.dtype, array.dtype)
    return array.astype(wanted, order="C", copy=False)


def _apart(array: Any, inputs: Sequence[Any]) -> Any:
    """The same values in memory that is not that of an input, which may be used anew."""
    if isinstance(array, list):
        return [_apart(item, inputs) for item in array]
    shared = any(
        np.may_share_memory(array, item)
        for value in inputs
        for item in (value if isinstance(value, list) else (value,))
        if isinstance(item, np.ndarray)
    )
    return array.copy() if shared or not array.flags.writeable else array


def ruled(op: Operation, function: Function) -> Function:
    """A kernel behind the argument rules of its operation, for shapes that are known only then."""
    rule, attribs = SHAPE_RULES[op.name], op.attribs

    def call(*inputs: Any, **more: Any) -> Any:
        rule(*map(_shape, inputs), **attribs)
        return function(*inputs, **more)

    return call


def _shape(value: Any) -> Any:
    return [_shape(item) for item in value] if isinstance(value, (list, tuple)) else np.shape(value)

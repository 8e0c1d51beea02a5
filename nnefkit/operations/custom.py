"""Custom operations: their definitions, which of them are in effect, and checks of their functions.

A definition joins the declaration of an operation with its shape rule, kernel and cost. Registries
of definitions (`nnefkit.CustomOperations`) are put in effect for the calls in a ``with`` block: the
rules of this package, the engines and the readers of documents look names up in `definitions`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any

import numpy as np

from nnefkit.arguments import UNMASK
from nnefkit.arrays import has_masked
from nnefkit.errors import ArgumentError, ExecutionError, NnefError
from nnefkit.graph import Operation, Tensor
from nnefkit.operations.registry import SHAPE_RULES

Function = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Definition:
    """One custom operation: its declaration, and the functions registered for it."""

    name: str
    declaration: str = ""
    """Its declaration in one line; empty if only its name is known."""
    shape: Function | None = None
    kernel: Function | None = None
    macs: Function | None = None
    registration: object = field(default_factory=object)
    """Stays the same while functions are added, and changes when the name is registered again."""

    def with_function(self, role: str, function: Function) -> Definition:
        """Return a copy with another shape rule, kernel or cost (``"shape"``, ...)."""
        functions = {"shape": self.shape, "kernel": self.kernel, "macs": self.macs}
        functions[role] = function
        return Definition(self.name, self.declaration, **functions, registration=self.registration)

    @cached_property
    def shape_rule(self) -> Function | None:
        """The shape rule with all that it returns or raises checked."""
        return None if self.shape is None else _guarded_rule(self.shape)

    @cached_property
    def cost(self) -> Function | None:
        """The cost with all that it returns or raises checked."""
        return None if self.macs is None else _guarded_cost(self.macs)

    @cached_property
    def takes_dtype(self) -> bool:
        """True if the kernel has a parameter ``dtype`` for the generic data-type."""
        try:
            return self.kernel is not None and "dtype" in inspect.signature(self.kernel).parameters
        except (TypeError, ValueError):
            return False


# -- in effect ------------------------------------------------------------------------------------

STANDARD: dict[str, Definition] = {}
"""The definitions added by `nnefkit.register_operation`, which are always in effect."""

_LAYERS: ContextVar[tuple[Mapping[str, Definition], ...]] = ContextVar(
    "custom operations", default=(STANDARD,)
)


def definitions() -> dict[str, Definition]:
    """Return the definitions in effect, by name; those of inner ``with`` blocks come first."""
    merged: dict[str, Definition] = {}
    for layer in _LAYERS.get():
        # Copied at once: another thread may register more.
        merged.update(layer)
    return merged


def enter(layer: Mapping[str, Definition]) -> None:
    """Put definitions in effect, ahead of all others, in this thread or asynchronous task."""
    _LAYERS.set((*_LAYERS.get(), layer))


def leave(layer: Mapping[str, Definition]) -> None:
    """Undo the last `enter` of these definitions."""
    layers = list(_LAYERS.get())
    last = max(i for i, each in enumerate(layers) if each is layer)
    _LAYERS.set((*layers[:last], *layers[last + 1 :]))


@contextmanager
def in_effect(layer: Mapping[str, Definition]) -> Iterator[None]:
    """Put definitions in effect for a ``with`` block."""
    enter(layer)
    try:
        yield
    finally:
        leave(layer)


def custom_kernels() -> dict[str, Function]:
    """Return the kernels of custom operations in effect, by name."""
    return {name: each.kernel for name, each in definitions().items() if each.kernel is not None}


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
                f"its shape rule returned {error}, which is not a shape",
                hint="It must return a tuple of positive integers for each result.",
            ) from None
        except ValueError as error:
            # The natural way for a rule to reject its arguments.
            raise ArgumentError(str(error) or "its shape rule rejected its arguments") from error
        except Exception as error:
            reason = _call_problem(rule, shapes, attribs) or f"{type(error).__name__}: {error}"
            raise ArgumentError(
                f"its shape rule failed: {reason}",
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
                hint="It is called as macs(input_shapes, output_shapes, attribs), and must return "
                "the number of multiply-accumulates.",
            ) from error

    return guarded


class _NoShapeError(Exception):
    """Raised with the value that a rule returned instead of a shape."""


def _normal(result: Any) -> Any:
    """Return a shape as a tuple of ints, several shapes as a tuple, those of an array as a list."""
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
    """Return the error for a shape rule whose number of shapes differs from the results'."""
    names = " and ".join(_name(name) for name in op.outputs.values())
    each = f"each of its {len(op.outputs)} results, " if len(op.outputs) > 1 else ""
    return ArgumentError(
        f"its shape rule must return one shape for {each}{names}",
        hint="Return several shapes as a tuple of tuples; those of an array of tensors as a list.",
    )


def _call_problem(function: Function, arguments: Sequence[Any], attribs: Mapping[str, Any]) -> str:
    """Describe how the arguments of a call violate the signature; empty if they match it."""
    try:
        inspect.signature(function).bind(*arguments, **attribs)
    except TypeError as error:
        return str(error)
    except ValueError:
        pass
    return ""


# -- kernels --------------------------------------------------------------------------------------

_KINDS = {"scalar": "f", "integer": "iu", "logical": "b", "string": "U"}
_EXPECTED = {
    "scalar": "floating-point numbers",
    "integer": "integers",
    "logical": "bools",
    "string": "strings",
}
_READ_BEFORE = "; the document was read before the operation was registered, so read it again"


def checked_kernel(
    definition: Definition, op: Operation, tensors: Mapping[str, Tensor], scalar: np.dtype[Any]
) -> Function:
    """Return the kernel of a custom operation, wrapped so that its results are checked.

    The kernel receives read-only arrays, and its results are converted to the right dtypes and
    share no memory with the inputs.

    Args:
        definition: The custom operation, which has a kernel.
        op: The operation.
        tensors: The tensors of its graph; a result must have its tensor's shape if that is known.
        scalar: The dtype of tensors of type scalar.

    Raises:
        ExecutionError: The operation has no kernel.
    """
    kernel = definition.kernel
    if kernel is None:
        raise ExecutionError(f"operation '{op.name}' has no kernel")

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
        results = [result] if len(names) == 1 else _several(result, names)
        checked = [_checked(n, r, tensors, scalar) for n, r in zip(names, results, strict=True)]
        own = [_unshared(array, inputs) for array in checked]
        return own[0] if len(names) == 1 else tuple(own)

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
            f"its kernel must return {len(names)} results ({', '.join(map(_name, names))}) as a "
            f"tuple, but returned {_described(result)}"
        )
    return result


def _name(name: Any) -> str:
    return f"[{', '.join(map(_name, name))}]" if isinstance(name, (list, tuple)) else str(name)


def _described(result: Any) -> str:
    if result is None:
        return "None (is its return statement missing?)"
    if isinstance(result, (list, tuple)):
        return f"{len(result)} of them" if result else "none"
    if isinstance(result, np.ndarray):
        return f"an array of shape {[*result.shape]}"
    return f"a {type(result).__name__}"


def _checked(name: Any, result: Any, tensors: Mapping[str, Tensor], scalar: np.dtype[Any]) -> Any:
    if isinstance(name, (list, tuple)):
        if not isinstance(result, (list, tuple)) or len(result) != len(name):
            raise ExecutionError(
                f"its kernel must return a list of {len(name)} arrays for {_name(name)}, but "
                f"returned {_described(result)}"
            )
        return [_checked(n, r, tensors, scalar) for n, r in zip(name, result, strict=True)]
    tensor = tensors[name]
    if result is None:
        raise ExecutionError(
            f"its kernel returned None for '{name}' (is its return statement missing?)"
        )
    if has_masked(result):
        raise ExecutionError(
            f"its kernel returned masked elements for '{name}', which have no value: {UNMASK}"
        )
    try:
        array = np.asarray(result)
    except ValueError as error:
        raise ExecutionError(f"its kernel did not return an array for '{name}': {error}") from None
    if array.dtype.kind not in _KINDS[tensor.dtype]:
        raise ExecutionError(
            f"its kernel must return {_EXPECTED[tensor.dtype]} for '{name}' ({tensor.dtype}), but "
            f"returned elements of dtype {array.dtype}"
        )
    if tensor.shape is not None and array.shape != tensor.shape:
        raise ExecutionError(
            f"its kernel must return shape {[*tensor.shape]} for '{name}', as its shape rule "
            f"does, but returned {[*array.shape]}"
        )
    expected = {"scalar": scalar, "integer": np.dtype(np.int64)}.get(tensor.dtype, array.dtype)
    return array.astype(expected, order="C", copy=False)


def _unshared(array: Any, inputs: Sequence[Any]) -> Any:
    """Return the values in memory not shared with any input, since that may be reused."""
    if isinstance(array, list):
        return [_unshared(item, inputs) for item in array]
    shared = any(
        np.may_share_memory(array, item)
        for value in inputs
        for item in (value if isinstance(value, list) else (value,))
        if isinstance(item, np.ndarray)
    )
    return array.copy() if shared or not array.flags.writeable else array


def ruled(op: Operation, function: Function) -> Function:
    """Return a kernel that first checks the argument rules, for shapes first known when run."""
    rule, attribs = SHAPE_RULES[op.name], op.attribs

    def call(*inputs: Any, **more: Any) -> Any:
        rule(*map(_shape, inputs), **attribs)
        return function(*inputs, **more)

    return call


def _shape(value: Any) -> Any:
    return [_shape(item) for item in value] if isinstance(value, (list, tuple)) else np.shape(value)

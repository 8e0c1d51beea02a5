"""Shapes of drafts: `infer_shapes`, in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nnefkit import io, language
from nnefkit.arguments import expected_mapping
from nnefkit.compat.drafts import document, unknown_operation
from nnefkit.compat.errors import expect
from nnefkit.custom_operations import CustomOperations
from nnefkit.errors import (
    ArgumentError,
    Diagnostic,
    DocumentError,
    InputError,
    NnefError,
    UnknownNameError,
)
from nnefkit.graph import FrozenDict
from nnefkit.graph import Graph as Model
from nnefkit.graph.input_shapes import reshaped
from nnefkit.operations.repair import repaired

StandardOperations = set(language.declarations())
"""Names of the standard operations."""

ShapeFunction = Callable[..., Any]
_NOTHING: Mapping[str, Any] = FrozenDict()


def infer_shapes(
    graph: Any,
    external_shapes: Mapping[str, Sequence[int]] = _NOTHING,
    custom_shapes: Mapping[str, ShapeFunction] = _NOTHING,
) -> None:
    """Set the shapes of all tensors of a draft, in place.

    Args:
        graph: The draft.
        external_shapes: New shapes of inputs by name, of the rank that they have.
        custom_shapes: For custom operations, by name, a function that takes the shapes of the
            inputs as lists and the attributes by name, and returns the shape of the result as a
            list, or a tuple of shapes for several results. Fragments that the draft defines do not
            need one.

    Raises:
        Error: Arguments break rules of chapter 4, or the shape of an operation is unknown; carries
            all errors, and the draft is not changed.

    Example:
        >>> draft = nk.compat.parse_string("version 1.0; graph net( x ) -> ( y ) {"
        ...     " x = external(shape = [1, 3]); y = transpose(x, axes = [1, 0]); }")
        >>> nk.compat.infer_shapes(draft, external_shapes={"x": [8, 3]})
        >>> draft.tensors["y"].shape
        [3, 8]
    """
    model, diagnostics = language.parse(
        document(graph), "draft", strict=False, expand=False, infer=None
    )
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.severity == "error"]
    if errors or model is None:
        raise DocumentError(errors)
    # A variable of rank 1 is read with a batch of 1, but keeps its shape.
    sources = (
        (op.outputs.values(), op.attribs) for op in model.operations if op.name == "variable"
    )
    declared = {name: [*attribs["shape"]] for names, attribs in sources for name in names}
    changed = _external_shapes(model, external_shapes)
    if changed:
        model = reshaped(model, changed)
    model, _ = repaired(model, language.locate)
    model = io.infer_shapes(model, custom_operations=_registry(custom_shapes))
    problems: dict[str, Diagnostic] = {}
    for operation in model.operations:
        if any(model.tensors[name].shape is None for name in operation.output_names):
            problems.setdefault(operation.name, _unknown(operation.name, model))
    if problems:
        raise DocumentError(problems.values())
    if missing := [name for name in model.tensors if name not in graph.tensors]:
        raise UnknownNameError(
            f"the draft has no tensor '{missing[0]}'",
            hint="Each result of an operation needs an entry in 'tensors'.",
        )
    for name, tensor in model.tensors.items():
        shape = changed.get(name) or declared.get(name) or [*(tensor.shape or ())]
        graph.tensors[name] = graph.tensors[name]._replace(shape=[*shape])


def _unknown(name: str, model: Model) -> Diagnostic:
    if name not in language.known_declarations(model):
        error = unknown_operation(name, model)
        message = f"{error.message}, and custom_shapes has no function for it"
    else:
        message = f"the shape of the results of '{name}' is not known"
    return Diagnostic(
        "unknown-shape",
        message,
        hint=f"Pass a function: custom_shapes={{'{name}': function}}.",
        section="6",
    )


def _external_shapes(model: Model, given: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Return the new shapes of inputs; names of other tensors are ignored.

    Raises:
        InputError: A shape has another rank than before.
    """
    given = expected_mapping(given, "external_shapes", "names of inputs to shapes")
    shapes: dict[str, list[int]] = {}
    for operation in model.operations:
        if operation.name == "external":
            (name,) = operation.output_names
            if given.get(name) is None:
                continue
            shape = [*expect(given[name], (list, tuple), f"the shape of '{name}'", "a list")]
            old = [*operation.attribs["shape"]]
            if len(shape) != len(old):
                raise InputError(
                    f"the new shape {shape} of '{name}' is of rank {len(shape)}, "
                    f"but its shape {old} is of rank {len(old)}",
                    section="4.1.1",
                )
            shapes[name] = shape
    return shapes


def _registry(functions: Mapping[str, ShapeFunction]) -> CustomOperations:
    functions = expected_mapping(functions, "custom_shapes", "names of operations to functions")
    registry = CustomOperations()
    for name, function in functions.items():
        if name not in language.declarations():
            registry.register(name, shape=_rule(function))
    return registry


def _rule(function: ShapeFunction) -> ShapeFunction:
    """Return a shape rule of nnefkit that calls a function of the Khronos form."""

    def rule(*shapes: Any, **attribs: Any) -> Any:
        try:
            result = function(*map(_listed, shapes), **attribs)
        except (AssertionError, NnefError) as error:
            raise ArgumentError(str(error) or "an assertion of its shape function failed") from None
        return tuple(map(_as_shape, result)) if isinstance(result, tuple) else _as_shape(result)

    return rule


def _listed(shape: Any) -> Any:
    return [_listed(part) if isinstance(part, (list, tuple)) else part for part in shape]


def _as_shape(shape: Any) -> Any:
    if any(isinstance(part, (list, tuple)) for part in shape):
        return [_as_shape(part) for part in shape]
    return tuple(map(int, shape))

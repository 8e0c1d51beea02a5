"""Graphs that may be changed: named tuples of lists and dictionaries, and their conversion."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np

from nnefkit import graph as model
from nnefkit import io, language, storage
from nnefkit.arrays import Array
from nnefkit.compat.errors import WrongTypeError, expect
from nnefkit.compat.printing import format_extensions, format_graph
from nnefkit.display import nnef_text
from nnefkit.errors import Diagnostic, DocumentError, did_you_mean
from nnefkit.graph import FrozenDict, expected_graph
from nnefkit.language.types import dtype_of

_QUANTIZATION_DTYPES = {"scalar": np.float32, "integer": np.int32, "logical": np.bool_}


class Tensor(NamedTuple):
    """A tensor of a draft.

    Attributes:
        name: Its identifier in the graph.
        dtype: ``"scalar"``, ``"integer"`` or ``"logical"``.
        shape: Its extents as a list; None while they are not known.
        data: The values of a variable as an array, quantized codes as integers; else None.
        quantization: Its line of ``graph.quant``, ``{"op-name": ..., **arguments}``, or ``{}``.

    Example:
        >>> nk.compat.Tensor("x", "scalar", shape=[1, 3])
        Tensor(name='x', dtype='scalar', shape=[1, 3], data=None, quantization=None)
    """

    name: str
    dtype: str
    shape: list[int] | None = None
    data: Array | None = None
    quantization: dict[str, Any] | None = None


class Operation(NamedTuple):
    """An operation of a draft.

    Attributes:
        name: The operation.
        attribs: Values by attribute.
        inputs: By parameter, the `Identifier` of a tensor, a literal, or a list.
        outputs: By result, the `Identifier` of a tensor, or a list of identifiers.
        dtype: The type argument of a generic operation; else None.

    Example:
        >>> x, y = nk.compat.Identifier("x"), nk.compat.Identifier("y")
        >>> nk.compat.Operation("relu", attribs={}, inputs={"x": x}, outputs={"y": y})
        Operation(name='relu', attribs={}, inputs={'x': 'x'}, outputs={'y': 'y'}, dtype=None)
    """

    name: str
    attribs: dict[str, Any]
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    dtype: str | None = None


class _GraphFields(NamedTuple):
    name: str
    tensors: dict[str, Tensor]
    operations: list[Operation]
    inputs: list[str]
    outputs: list[str]


class Graph(_GraphFields):
    """A draft of a graph, whose dictionaries and lists may be changed.

    Attributes:
        name: Its name.
        tensors: Each `Tensor` by name.
        operations: Each `Operation`, in order.
        inputs: Names of its inputs.
        outputs: Names of its outputs.
        declarations: Texts of the definitions of custom operations, which the Khronos package does
            not retain. They are not an element of the tuple.

    Example:
        >>> nnef = nk.compat
        >>> x, y = nnef.Identifier("x"), nnef.Identifier("y")
        >>> draft = nnef.Graph(
        ...     name="net",
        ...     tensors={name: nnef.Tensor(name, "scalar") for name in (x, y)},
        ...     operations=[
        ...         nnef.Operation("external", {"shape": [2]}, {}, {"output": x}, dtype="scalar"),
        ...         nnef.Operation("relu", {}, {"x": x}, {"y": y}),
        ...     ],
        ...     inputs=[x],
        ...     outputs=[y],
        ... )
        >>> nk.run(draft.to_nnefkit(), [-1.0, 3.0])["y"]
        array([0., 3.], dtype=float32)
    """

    declarations: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()

    def _replace(self, /, **fields: Any) -> Self:
        return super()._replace(**fields)._defining(self)

    @classmethod
    def from_nnefkit(cls, graph: model.Graph, *, with_data: bool = True) -> Self:
        """Return a draft of an `nnefkit.Graph`, with its shapes and the data of its variables.

        Args:
            graph: The graph. Variables with quantization have the real numbers as their data.
            with_data: Whether to include shapes and data, in copies that may be changed.

        Raises:
            Error: `graph` is not an `nnefkit.Graph`.

        Example:
            >>> graph = nk.parse("version 1.0; graph net( x ) -> ( y ) {"
            ...                  " x = external(shape = [2]); y = relu(x); }")
            >>> nk.compat.Graph.from_nnefkit(graph).tensors["y"].shape
            [2]
        """
        graph = expected_graph(graph)
        known = language.known_declarations(graph) if _is_quantized(graph) else {}
        variables = {tensor.name for tensor in graph.variables}
        tensors = {}
        for name in sorted(graph.tensors):
            tensor = graph.tensors[name]
            shape = data = None
            if with_data and tensor.shape is not None:
                shape = [*tensor.shape]
            if with_data and name in variables and tensor.data is not None:
                data = np.array(tensor.data)
            quantization = _arrays(tensor.quantization or {}, known)
            tensors[name] = Tensor(name, tensor.dtype, shape, data, quantization)
        operations = [
            Operation(
                operation.name,
                OrderedDict(_plain(operation.attribs)),
                OrderedDict(_plain(operation.inputs)),
                OrderedDict(_plain(operation.outputs)),
                operation.dtype,
            )
            for operation in graph.operations
        ]
        draft = cls(graph.name, tensors, operations, [*graph.inputs], [*graph.outputs])
        return draft._defining(graph)

    def to_nnefkit(self) -> model.Graph:
        """Return the `nnefkit.Graph` of this draft, with its shapes and data.

        The draft is read as a document is: its operations are checked, missing attributes have
        their default values, and shapes and data types are inferred. Quantized codes become the
        real numbers that they represent.

        Raises:
            Error: The draft breaks rules of chapters 3 and 4; carries all errors, at their places
                in the text of the draft. Or the data of a variable does not fit.

        Example:
            >>> draft = nk.compat.parse_string("version 1.0; graph net( x ) -> ( y ) {"
            ...                                " x = external(shape = [2]); y = relu(x); }")
            >>> draft.operations[1] = draft.operations[1]._replace(name="neg")
            >>> nk.run(draft.to_nnefkit(), [-1.0, 3.0])["y"]
            array([ 1., -3.], dtype=float32)
        """
        graph = io.parse(
            document(self),
            quantization_text(self) or None,
            strict=False,
            expand=False,
            name="draft",
        )
        refuse_opaque(graph)
        given = [self.tensors[v.name] for v in graph.variables if v.name in self.tensors]
        data = {tensor.name: _real_values(tensor) for tensor in given if tensor.data is not None}
        if any(_has_codes(tensor) for tensor in given):
            # `nnefkit.save` stores codes as codes again.
            provenance = FrozenDict({**graph.provenance, "weights": "codes"})
            graph = replace(graph, provenance=provenance)
        return graph.with_data(data) if data else graph

    def _defining(self, source: Self | model.Graph) -> Self:
        """Take over the definitions of another graph."""
        self.declarations = tuple(source.declarations)
        self.extensions = tuple(source.extensions)
        return self


def expected_draft(graph: Any) -> Any:
    """Return `graph` if it has the parts of a draft.

    Raises:
        WrongTypeError: It has not.
    """
    hint = "Graph.from_nnefkit(graph) makes a draft of an nnefkit.Graph."
    if isinstance(graph, model.Graph) or not all(hasattr(graph, f) for f in Graph._fields):
        given = f"{type(graph).__module__}.{type(graph).__name__}"
        raise WrongTypeError(f"'graph' must be a draft, not of type {given}", hint=hint)
    expect(graph.tensors, dict, "'tensors'", "a dictionary")
    expect(graph.operations, list, "'operations'", "a list")
    for name, tensor in graph.tensors.items():
        expect(tensor, Tensor, f"the value of {name!r} in 'tensors'", "a Tensor")
        expect(tensor.quantization or {}, dict, f"the quantization of '{name}'", "a dictionary")
    for operation in graph.operations:
        expect(operation, Operation, "each of 'operations'", "an Operation")
    return graph


# -- text ------------------------------------------------------------------------------------------


def document(draft: Any, *, annotate_shapes: bool = False) -> str:
    """Return the text of a whole document: version, extensions, definitions and the graph."""
    draft = expected_draft(draft)
    declarations = getattr(draft, "declarations", ())
    extensions = dict.fromkeys(getattr(draft, "extensions", ()))
    if declarations:
        extensions[nnef_text.FRAGMENT_EXTENSION] = None
    parts = ["version 1.0;", format_extensions(extensions), "", *declarations]
    if declarations:
        parts.append("")
    if not extensions:
        del parts[1]
    graph = format_graph(
        draft.name,
        draft.inputs,
        draft.outputs,
        draft.operations,
        draft.tensors,
        annotate_shapes=annotate_shapes,
    )
    return "\n".join([*parts, graph])


def quantization_text(draft: Any) -> str:
    """Return the text of the quantization file of a draft; empty if no tensor is quantized."""
    lines = []
    for name, tensor in draft.tensors.items():
        if tensor.quantization:
            arguments = {key: _literal(value) for key, value in tensor.quantization.items()}
            operation = arguments.pop("op-name", None)
            if not isinstance(operation, str):
                raise DocumentError(
                    f"the quantization of '{name}' does not name its operation",
                    hint="Set quantization['op-name'], for example to 'min_max_linear_quantize'.",
                    section="5.3",
                )
            listed = ", ".join(f"{k} = {nnef_text.literal(v)}" for k, v in arguments.items())
            lines.append(f'"{name}": {operation}({listed});\n')
    return "".join(lines)


def refuse_opaque(graph: model.Graph) -> None:
    """Raise an error for each operation of a graph that nothing declares."""
    unknown = dict.fromkeys(op.name for op in graph.operations if "0" in op.outputs)
    if unknown:
        raise DocumentError([unknown_operation(name, graph) for name in unknown])


def unknown_operation(name: str, graph: model.Graph) -> Diagnostic:
    """Return the error for an operation that nothing declares."""
    known = language.known_declarations(graph)
    return Diagnostic(
        "unknown-operation",
        f"there is no operation '{name}'",
        hint=did_you_mean(name, known)
        or f"Declare it in the document or in stdlib: fragment {name}( ... ) -> ( ... );",
        section="3.3.2",
    )


# -- values ----------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """Return a copy that consists of plain dictionaries, lists and tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def _is_quantized(graph: model.Graph) -> bool:
    return any(tensor.quantization for tensor in graph.tensors.values())


def _arrays(
    quantization: Mapping[str, Any], known: Mapping[str, language.Declaration]
) -> dict[str, Any]:
    """Return a line of the quantization file, its tensors as arrays."""
    arguments = _plain(quantization)
    declaration = known.get(str(arguments.get("op-name")))
    for name in arguments:
        parameter = declaration.by_name.get(name) if declaration else None
        if parameter is not None and parameter.is_tensor:
            dtype = _QUANTIZATION_DTYPES.get(dtype_of(parameter.type) or "")
            arguments[name] = np.asarray(arguments[name], dtype)
    return dict(arguments)


def _literal(value: Any) -> Any:
    """Return an argument of a line of the quantization file as a literal, in its shortest form."""
    if not isinstance(value, (np.ndarray, np.generic)):
        return value
    if value.dtype.kind != "f":
        return value.tolist()
    # The shortest text of each number, so that 0.1 in 32 bits remains 0.1.
    return np.array([float(str(x)) for x in value.flat]).reshape(value.shape).tolist()


def _has_codes(tensor: Tensor) -> bool:
    """Return whether the data of a variable are quantized codes."""
    kind = np.asarray(tensor.data).dtype.kind
    return bool(tensor.quantization) and tensor.dtype == "scalar" and kind in "iu"


def _real_values(tensor: Tensor) -> Any:
    """Return the data of a variable; codes as the real numbers that they represent."""
    if not _has_codes(tensor):
        return tensor.data
    data = np.asarray(tensor.data)
    algorithm = {key: _literal(value) for key, value in (tensor.quantization or {}).items()}
    header = storage.tensor_content(data, None, quantized=True).header
    return storage.dequantize(data, header, algorithm, f"the data of '{tensor.name}'")

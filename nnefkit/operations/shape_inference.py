"""Shapes of a whole graph, and the rules of chapter 4 that depend on them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nnefkit.arrays import Shape
from nnefkit.collector import paused_collector
from nnefkit.display.numbers import plural
from nnefkit.errors import ArgumentError, Diagnostic, DocumentError
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor, expected_graph
from nnefkit.graph.construction import new_operation, new_tensor
from nnefkit.graph.input_shapes import reshaped
from nnefkit.operations.axis_rules import check_element_count
from nnefkit.operations.custom import Definition, definitions, wrong_results
from nnefkit.operations.located_problems import Locate, Reports
from nnefkit.operations.quantization_rules import check_quantization
from nnefkit.operations.registry import ADVICE, COSTS, SHAPE_RULES, Problems
from nnefkit.operations.tensor_introduction import constant
from nnefkit.operations.variable_rules import check_variables


def infer_shapes(graph: Graph, /, **input_shapes: Sequence[int]) -> Graph:
    """Return a copy of `graph` with the shape of every tensor and the MACs of every operation.

    This is `nnefkit.infer_shapes`, with its arguments and errors, for graphs without calls of
    fragments.
    """
    graph = expected_graph(graph)
    if input_shapes:
        graph = reshaped(graph, input_shapes)
    inferred, diagnostics = check_shapes(graph)
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.severity == "error"]
    if errors:
        raise DocumentError(errors)
    return inferred


def check_shapes(graph: Graph, locate: Locate | None = None) -> tuple[Graph, list[Diagnostic]]:
    """Infer shapes as `infer_shapes` does, but collect all problems instead of raising the first.

    An operation that depends on one that failed, or on a custom one without a shape rule, is
    skipped silently, since it cannot be checked.

    Args:
        graph: As parsed, loaded or built.
        locate: Finds the span of an argument, to point at it instead of at its operation.

    Returns:
        The graph with all shapes that are known, and the diagnostics in the order of the text.
    """
    with paused_collector():
        return _checked(graph, Reports(graph, locate))


def known_shapes(graph: Graph) -> Graph:
    """Return `graph` with all shapes that can be inferred; its problems are ignored."""
    return check_shapes(graph)[0]


def _checked(graph: Graph, reports: Reports) -> tuple[Graph, list[Diagnostic]]:
    inference = _Inference(graph, reports)
    operations = [inference.infer(op) for op in graph.operations]
    shapes = inference.shapes
    check_variables(graph, shapes, reports)
    _note_customs(graph, shapes, reports, inference.customs)
    tensors = {
        name: tensor
        if tensor.shape == (shape := shapes.get(name))
        else new_tensor(
            name,
            tensor.dtype,
            shape,
            tensor.data,
            tensor.label,
            tensor.quantization,
            tensor.origin,
        )
        for name, tensor in graph.tensors.items()
    }
    _fill_constants(operations, tensors)
    inferred = replace(graph, operations=tuple(operations), tensors=FrozenDict(tensors))
    lines = [d for t in tensors.values() if t.quantization for d in check_quantization(t)]
    return inferred, reports.in_order() + lines


# -- one operation --------------------------------------------------------------------------------

_ONE_TENSOR = [Identifier]


class _Inference:
    """Inference of the shapes of one graph, operation by operation."""

    def __init__(self, graph: Graph, reports: Reports) -> None:
        self.tensors = graph.tensors
        self.reports = reports
        self.customs = definitions()
        self.shapes: dict[str, Shape | None] = {}
        self.known: dict[tuple[Any, ...] | None, tuple[Shape, int]] = {}
        """The shape of the result and the MACs, by form of an operation (see `_arguments`).

        Parsed operations of one form share their attributes, and a network has few forms. Without
        this cache, parsing and shapes of 10,000 operations take 5 to 31 % longer (on the networks
        of tests/benchmarks/test_parsing.py).
        """

    def infer(self, op: Operation) -> Operation:
        """Add the shapes of the results of `op` to `shapes`; return the operation with its MACs."""
        rule = SHAPE_RULES.get(op.name)
        custom: Definition | None = None
        if rule is None:
            custom = self.customs.get(op.name)
            rule = None if custom is None else custom.shape_rule
            if rule is None:
                # The results retain the shapes that they have already.
                for name in op.output_names:
                    self.shapes[name] = self.tensors[name].shape if name in self.tensors else None
                return op
        macs: int | None = None
        arguments = self._arguments(op)
        if arguments is not None:
            inputs, form = arguments
            try:
                known = self.known.get(form)
            except TypeError:
                # Tensors that were built by hand may have a list as their shape.
                known = form = None
            if known is None:
                macs = self._apply(op, rule, custom, inputs, form)
            else:
                (target,) = op.outputs.values()
                self.shapes[target], macs = known
        if macs == op.macs:
            return op
        return new_operation(
            op.name, op.inputs, op.outputs, op.attribs, op.dtype, op.scope, op.span, macs
        )

    def _arguments(self, op: Operation) -> tuple[list[Any], tuple[Any, ...] | None] | None:
        """Return the shapes of the inputs of an operation, lists for arrays, and its form.

        The form consists of everything that determines the shape of the result: the name, the
        identity of the attributes, and the shapes of the inputs.

        Returns:
            The shapes and the form, which is None for operations without inputs and for those whose
            result is not one tensor; None if the shape of an input is not known.
        """
        shapes = self.shapes
        inputs: list[Any] = []
        has_arrays = False
        for value in op.inputs.values():
            if type(value) is Identifier:
                shape: Any = shapes.get(value)
            elif isinstance(value, (list, tuple)):
                shape, has_arrays = _array_shapes(value, shapes), True
            else:
                shape = ()
            if shape is None:
                return None
            inputs.append(shape)
        if not inputs or [*map(type, op.outputs.values())] != _ONE_TENSOR:
            return inputs, None
        keys = map(_key, inputs) if has_arrays else inputs
        return inputs, (op.name, id(op.attribs), *keys)

    def _apply(
        self,
        op: Operation,
        rule: Callable[..., Any],
        custom: Definition | None,
        inputs: list[Any],
        form: tuple[Any, ...] | None,
    ) -> int | None:
        """Apply the rule, advice and cost of an operation.

        Returns:
            Its MACs; None where those of a custom operation are unknown, and if there are errors,
            which are reported.
        """
        try:
            result = rule(*inputs, **op.attribs)
            results = (result,) if len(op.outputs) == 1 else result
            self._bind_results(op, results, custom)
            advise = ADVICE.get(op.name)
            if advise is not None:
                advice = advise(*inputs, **op.attribs)
                self.reports.collect(op, advice)
                form = None if advice else form
            cost = COSTS.get(op.name) if custom is None else custom.cost
            unknown = None if custom else 0
            macs: int | None = cost(inputs, results, op.attribs) if cost else unknown
        except ArgumentError as error:
            self.reports.add(op, error)
            return None
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
            # Parsed operations match the types of their declarations; those built by hand may not.
            self.reports.add(
                op, _wrong_call(rule, op, inputs, error) if custom is None else wrong_results(op)
            )
            return None
        if form is not None and macs is not None and custom is None and _is_shape(result):
            self.known[form] = result, macs
        return macs

    def _bind_results(self, op: Operation, results: Any, custom: Definition | None) -> None:
        """Set the shapes of the tensors that an operation defines.

        Raises:
            ArgumentError: The structure of a result differs from the left side (3.3.2), or a result
                has too many elements.
        """
        shapes = self.shapes
        for target, shape in zip(op.outputs.values(), results, strict=True):
            if type(target) is Identifier and _is_shape(shape):
                check_element_count(target, shape)
                shapes[target] = shape
            elif custom is not None and type(target) is Identifier and type(shape) is not list:
                raise wrong_results(op)
            else:
                _bind(target, shape, shapes)


def _key(shape: Any) -> Any:
    """Return an input shape as part of a form: arrays are lists, which cannot be hashed."""
    if type(shape) is not list:
        return shape
    return ("array", *[part if type(part) is tuple else _key(part) for part in shape])


def _array_shapes(values: Sequence[Any], shapes: Mapping[str, Shape | None]) -> Any:
    """Return the shapes of an array of tensors; None if any of them is unknown."""
    item_shapes: list[Any] = []
    for value in values:
        if isinstance(value, Identifier):
            shape: Any = shapes.get(value)
        elif isinstance(value, (list, tuple)):
            shape = _array_shapes(value, shapes)
        else:
            shape = ()
        if shape is None:
            return None
        item_shapes.append(shape)
    return item_shapes


def _is_shape(value: Any) -> bool:
    return type(value) is tuple and not (value and type(value[0]) is tuple)


def _bind(target: Any, result: Any, shapes: dict[str, Shape | None]) -> None:
    """Bind the identifiers on the left of an assignment to the shapes of one result.

    Raises:
        ArgumentError: Their structures differ (3.3.2), or there are too many elements.
    """
    if isinstance(target, str) and _is_shape(result):
        check_element_count(target, result)
        shapes[target] = result
        return
    problems = Problems("3.3.2")
    if isinstance(target, (list, tuple)) and isinstance(result, list):
        if len(target) == len(result):
            for item, shape in zip(target, result, strict=True):
                _bind(item, shape, shapes)
            return
        problems.add(
            "",
            f"it returns {plural(len(result), 'tensor')}, but {len(target)} "
            f"{'is' if len(target) == 1 else 'are'} named on the left",
            "Name each of them: " + _example(target, len(result)),
            code="wrong-result-count",
        )
    elif isinstance(result, list):
        problems.add(
            "",
            f"it returns an array of {plural(len(result), 'tensor')}, but '{target}' is one tensor",
            f"Name each of them: {_example([target], len(result))}",
            code="wrong-result-count",
        )
    else:
        count = 1 if isinstance(target, str) else len(target)
        problems.add(
            "",
            f"its results do not match the {plural(count, 'name')} on the left",
            "The left side has one identifier for each result.",
            code="wrong-result-count",
        )
    problems.done()


def _example(given: Sequence[str], count: int) -> str:
    if count > 8:
        return f"[{', '.join([*given[:2], '...'])}] with {count} identifiers."
    names = [*map(str, given[:count])]
    stem = names[0].rstrip("0123456789") if names else "part"
    free = (
        f"{stem}{number}" for number in range(1, 2 * count + 2) if f"{stem}{number}" not in names
    )
    names += [next(free) for _ in range(count - len(names))]
    return f"[{', '.join(names)}] = ..."


def _wrong_call(
    rule: Callable[..., Any], op: Operation, inputs: Sequence[Any], error: Exception
) -> ArgumentError:
    """Return the error for an operation built by hand with wrong arguments."""
    try:
        inspect.signature(rule).bind(*inputs, **op.attribs)
        message = f"an argument or a result has the wrong type ({error})"
    except TypeError as mismatch:
        message = str(mismatch)
    return ArgumentError(
        message,
        hint="Operations have all the inputs and attributes of their declaration, "
        "defaults filled in.",
        section="3.3.2",
    )


def _fill_constants(operations: Sequence[Operation], tensors: dict[str, Tensor]) -> None:
    for op in operations:
        if op.name != "constant":
            continue
        for name in op.output_names:
            tensor = tensors.get(name)
            if tensor is not None and tensor.data is None and tensor.shape is not None:
                try:
                    data = constant(
                        shape=op.attribs["shape"], value=op.attribs["value"], dtype=tensor.dtype
                    )
                except ValueError:
                    continue  # No array can have that many elements or dimensions.
                data.flags.writeable = False
                tensors[name] = replace(tensor, data=data)


def _note_customs(
    graph: Graph,
    shapes: Mapping[str, Shape | None],
    reports: Reports,
    customs: Mapping[str, Definition],
) -> None:
    """Note each declared custom operation without a shape rule: rules remain unchecked (6)."""
    ruled = {name for name, definition in customs.items() if definition.shape is not None}
    noted: set[str] = set()
    for op in graph.operations:
        # Operations that are not even declared are already reported as errors.
        if op.name in SHAPE_RULES or op.name in noted or op.name in ruled or "0" in op.outputs:
            continue
        if any(shapes.get(name) is None for name in op.output_names):
            noted.add(op.name)
            problems = Problems("6")
            problems.add(
                "",
                "its shape is unknown, so operations that depend on it are not checked",
                f"nk.register_operation('{op.name}', shape=...) adds a shape rule.",
                code="unknown-shape",
                severity="note",
            )
            reports.collect(op, problems)

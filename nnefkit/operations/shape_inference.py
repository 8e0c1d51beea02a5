"""The shapes of a whole graph, and the rules of chapter 4 that need them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from nnefkit.arrays import Shape
from nnefkit.collector import paused_collector
from nnefkit.display.numbers import plural
from nnefkit.errors import ArgumentError, Diagnostic, DocumentError
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor, expected_graph
from nnefkit.graph.drafts import new_operation, new_tensor
from nnefkit.operations.custom import Definition, definitions, wrong_results
from nnefkit.operations.located_problems import Locate, Reports
from nnefkit.operations.quantization_rules import check_quantization
from nnefkit.operations.registry import ADVICE, COSTS, SHAPE_RULES, Problems
from nnefkit.operations.tensor_introduction import constant


def infer_shapes(graph: Graph, /, **input_shapes: Sequence[int]) -> Graph:
    """A copy of `graph` with the shape of every tensor and the MACs of every operation.

    It is `nnefkit.infer_shapes`, arguments and errors too, for graphs that call no fragments.
    """
    graph = expected_graph(graph)
    if input_shapes:
        graph = graph.with_input_shapes(**input_shapes)
    inferred, diagnostics = check_shapes(graph)
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.severity == "error"]
    if errors:
        raise DocumentError(errors)
    return inferred


def check_shapes(graph: Graph, locate: Locate | None = None) -> tuple[Graph, list[Diagnostic]]:
    """Like `infer_shapes`, but collects what is wrong and goes on.

    An operation that is fed by one that failed, or by a custom one without a shape rule, is passed
    over without a word: it cannot be judged.

    Args:
        graph: as parsed, loaded or built.
        locate: finds the place of an argument, to point at it rather than at its operation.

    Returns:
        The graph with all the shapes that can be told, and the diagnostics in the order of the
        text.
    """
    with paused_collector():
        return _checked(graph, Reports(graph, locate))


def _checked(graph: Graph, reports: Reports) -> tuple[Graph, list[Diagnostic]]:
    shapes: dict[str, Shape | None] = {}
    known: Known = {}
    customs = definitions()
    operations: list[Operation] = []
    for op in graph.operations:
        macs = _infer(op, shapes, graph.tensors, reports, known, customs)
        if macs != op.macs:
            op = new_operation(
                op.name, op.inputs, op.outputs, op.attribs, op.dtype, op.scope, op.span, macs
            )
        operations.append(op)
    _check_variables(graph, shapes, reports)
    _note_customs(graph, shapes, reports, customs)
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


def known_shapes(graph: Graph) -> Graph:
    """`graph` with all the shapes that can be told; what is wrong with it is passed over."""
    return check_shapes(graph)[0]


# -- one operation --------------------------------------------------------------------------------

Known: TypeAlias = dict[tuple[Any, ...], tuple[Shape, int]]
"""Name, inputs' shapes and attributes (by identity) of operations -> shape of the result, MACs.

Operations of one form share their attributes when they were parsed, and a network has few forms.
"""


def _infer(
    op: Operation,
    shapes: dict[str, Shape | None],
    tensors: Mapping[str, Tensor],
    reports: Reports,
    known: Known,
    customs: Mapping[str, Definition],
) -> int | None:
    """Adds the shapes of the results of `op` to `shapes`; returns its MACs if they are known."""
    rule, custom = SHAPE_RULES.get(op.name), None
    if rule is None:
        custom = customs.get(op.name)
        rule = None if custom is None else custom.shape_rule
    if rule is None:
        # A custom operation: the shapes that its results have already stay.
        for name in op.output_names:
            shapes[name] = tensors[name].shape if name in tensors else None
        return op.macs
    inputs: list[Any] = []
    for value in op.inputs.values():
        if type(value) is Identifier:
            shape: Any = shapes.get(value)
            if shape is None:
                return None
        elif isinstance(value, (list, tuple)):
            shape = _array_shapes(value, shapes)
            if shape is None:
                return None
        else:
            shape = ()
        inputs.append(shape)
    form = None if custom is not None else _form(op, inputs)
    if form is not None and form in known:
        (target,) = op.outputs.values()
        shapes[target], macs = known[form]
        return macs
    try:
        result = rule(*inputs, **op.attribs)
        results = (result,) if len(op.outputs) == 1 else result
        for target, shape in zip(op.outputs.values(), results, strict=True):
            if type(target) is Identifier and _is_shape(shape):
                shapes[target] = shape
            elif custom is not None and type(target) is Identifier and type(shape) is not list:
                raise wrong_results(op)
            else:
                _bind(target, shape, shapes)
        advise = ADVICE.get(op.name)
        if advise is not None:
            advice = advise(*inputs, **op.attribs)
            reports.collect(op, advice)
            form = None if advice else form
        cost = COSTS.get(op.name) if custom is None else custom.cost
        macs = cost(inputs, results, op.attribs) if cost else 0
        if form is not None and _is_shape(result):
            known[form] = result, macs
        return macs
    except ArgumentError as error:
        reports.add(op, error)
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        if custom is not None:
            reports.add(op, wrong_results(op))
            return None
        # Parsed operations have the types of their declarations; those built by hand may not.
        reports.add(op, _wrong_call(rule, op, inputs, error))
    return None


def _form(op: Operation, inputs: Sequence[Any]) -> tuple[Any, ...] | None:
    """What the shape of the one result of an operation depends on; None if it is to be inferred."""
    if not inputs or len(op.outputs) != 1:
        return None
    (target,) = op.outputs.values()
    if type(target) is not Identifier:
        return None
    form: list[Any] = [op.name, id(op.attribs)]
    for shape in inputs:
        if type(shape) is tuple:
            form.append(shape)
        elif all(type(item) is tuple for item in shape):
            form.append(("array", *shape))
        else:
            return None
    return tuple(form)


def _array_shapes(values: Sequence[Any], shapes: Mapping[str, Shape | None]) -> Any:
    """The shapes of an array of tensors; None if one of them is not known."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, Identifier):
            shape: Any = shapes.get(value)
        elif isinstance(value, (list, tuple)):
            shape = _array_shapes(value, shapes)
        else:
            shape = ()
        if shape is None:
            return None
        found.append(shape)
    return found


def _is_shape(value: Any) -> bool:
    return type(value) is tuple and not (value and type(value[0]) is tuple)


def _bind(target: Any, result: Any, shapes: dict[str, Shape | None]) -> None:
    """Binds identifiers on the left of an assignment to the shapes of one result.

    Raises:
        ArgumentError: their structures differ (3.3.2).
    """
    if isinstance(target, str) and _is_shape(result):
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
            f"it gives {plural(len(result), 'tensor')}, but {len(target)} "
            f"{'is' if len(target) == 1 else 'are'} named on the left",
            "Name each of them: " + _example(target, len(result)),
            code="wrong-result-count",
        )
    elif isinstance(result, list):
        problems.add(
            "",
            f"it gives an array of {plural(len(result), 'tensor')}, but '{target}' is one tensor",
            f"Name each of them: {_example([target], len(result))}",
            code="wrong-result-count",
        )
    else:
        problems.add(
            "",
            f"its results are not the {len(target)} that are named on the left",
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
    """What is wrong with the arguments of an operation that was built by hand."""
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
                    continue  # no array can have that many items or dimensions
                data.flags.writeable = False
                tensors[name] = replace(tensor, data=data)


# -- rules that join several operations -----------------------------------------------------------


def _check_variables(graph: Graph, shapes: Mapping[str, Shape | None], reports: Reports) -> None:
    """Variables of one label agree in shape (4.1.3); each one is updated at most once (4.8)."""
    labels: dict[str, str] = {}
    first_of_label: dict[str, str] = {}
    updates: dict[str, Operation] = {}
    results: dict[str, str] = {}
    for op in graph.operations:
        if op.name == "variable":
            _check_label(op, labels, first_of_label, shapes, reports)
        elif op.name == "update":
            _check_update(graph, op, labels, updates, results, shapes, reports)


def _note_customs(
    graph: Graph,
    shapes: Mapping[str, Shape | None],
    reports: Reports,
    customs: Mapping[str, Definition],
) -> None:
    """Note for each declared custom operation without a shape rule what it leaves unchecked (6)."""
    ruled = {name for name, definition in customs.items() if definition.shape is not None}
    noted: set[str] = set()
    for op in graph.operations:
        # Of operations that are not even declared, more was said already.
        if op.name in SHAPE_RULES or op.name in noted or op.name in ruled or "0" in op.outputs:
            continue
        if any(shapes.get(name) is None for name in op.output_names):
            noted.add(op.name)
            problems = Problems("6")
            problems.add(
                "",
                "its shape is not known, and what depends on it is not checked",
                f"nk.register_operation('{op.name}', shape=...) gives it a shape rule.",
                code="unknown-shape",
                severity="note",
            )
            reports.collect(op, problems)


def _check_label(
    op: Operation,
    labels: dict[str, str],
    first_of_label: dict[str, str],
    shapes: Mapping[str, Shape | None],
    reports: Reports,
) -> None:
    label = str(op.attribs.get("label", "")).lower()
    for name in op.output_names:
        labels[name] = label
        first = first_of_label.setdefault(label, name)
        mine, other = shapes.get(name), shapes.get(first)
        if label and mine is not None and other is not None and mine != other:
            problems = Problems("4.1.3")
            problems.add(
                "shape",
                f"variables '{first}' and '{name}' share the label '{op.attribs['label']}', "
                f"but have shapes {[*other]} and {[*mine]}",
                "Variables of one label (in upper or lower case) share their data.",
                code="shape-mismatch",
            )
            reports.collect(op, problems)


def _check_update(
    graph: Graph,
    op: Operation,
    labels: Mapping[str, str],
    updates: dict[str, Operation],
    results: dict[str, str],
    shapes: Mapping[str, Shape | None],
    reports: Reports,
) -> None:
    target = str(op.inputs.get("variable"))
    if target not in labels and target not in shapes and target in graph.tensors:
        return
    problems = Problems("4.8")
    if target not in labels:
        problems.add(
            "variable",
            f"'{target}' is not a variable",
            f"It is the result of the update of '{results[target]}', which can be done only once."
            if target in results
            else "Only results of 'variable' can be updated.",
        )
        reports.collect(op, problems)
        return
    key = labels[target] or target
    first = updates.setdefault(key, op)
    results.update(dict.fromkeys(op.output_names, target))
    if first is not op:
        before = first.inputs["variable"]
        line = graph.line(first)
        shared = "" if before == target else f", which shares its data with '{before}',"
        problems.add(
            "variable",
            f"variable '{target}'{shared} is updated twice",
            f"The other update is in line {line}." if line else "Leave one of them out.",
            code="repeated-update",
        )
        reports.collect(op, problems)

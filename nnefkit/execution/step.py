"""Running a graph one operation at a time; results can be replaced between operations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from nnefkit.arguments import refuse_masked
from nnefkit.arrays import Array
from nnefkit.custom_operations import CustomOperations, using
from nnefkit.display import html
from nnefkit.display.cards.operation import LINE, operation_card
from nnefkit.display.cards.tensor import tensor_card
from nnefkit.display.elements import Card
from nnefkit.display.visible_text import visible
from nnefkit.errors import ExecutionError, InputError, UnknownNameError, did_you_mean
from nnefkit.execution.dtypes import data_type, scalar_dtype, stored, with_precise_constants
from nnefkit.execution.engine import failed_operation
from nnefkit.execution.engine_list import find_engine
from nnefkit.execution.lowering.kernels import bind_kernel
from nnefkit.execution.preparation.inputs import check_feeds
from nnefkit.execution.preparation.integer_arithmetic import rounded_integers
from nnefkit.execution.preparation.runnable_graph import expanded, refuse_unsupported
from nnefkit.execution.trace.traced_tensor import TracedTensor
from nnefkit.graph import Graph, Operation, expected_graph
from nnefkit.operations.shape_inference import infer_shapes


class Results(dict[str, Array]):
    """The results of an operation by tensor name; they may be replaced by other values."""

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self:
            raise UnknownNameError(
                f"the operation has no result '{name}'",
                hint=did_you_mean(str(name), self) or f"Its results are {', '.join(self)}.",
            )
        refuse_masked(value, f"'{name}'")
        array = np.asarray(value)
        if array.shape != self[name].shape:
            raise InputError(
                f"'{name}' has shape {list(self[name].shape)}, not {list(array.shape)}",
                hint="The operations after it are checked for that shape.",
            )
        super().__setitem__(name, array.astype(self[name].dtype, copy=False))


@dataclass(frozen=True, repr=False)
class Step:
    """One operation that has just been computed; `nnefkit.step` yields them.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [2]); y = relu(x); z = neg(y); }")
        >>> for step in nk.step(graph, np.array([-1.0, 3.0])):
        ...     if step.operation.name == "relu":
        ...         step.outputs["y"] = [7, 8]
        >>> step.inputs, step.outputs
        ({'y': array([7., 8.], dtype=float32)}, {'z': array([-7., -8.], dtype=float32)})
    """

    operation: Operation
    inputs: Mapping[str, Array]
    """The tensors that it read, by name."""
    outputs: Results
    """The results by name. ``step.outputs[name] = array`` replaces one for later operations."""
    number: int
    """Index of the operation in the graph, from 0."""

    def _cards(self, *, brief: bool) -> list[Card]:
        return [
            tensor_card(
                TracedTensor(name, data_type(values.dtype), values),
                brief=brief,
                producer=self.operation.name,
                access=f'step.outputs["{name}"]',
            )
            for name, values in islice(self.outputs.items(), _SHOWN)
        ]

    def __repr__(self) -> str:
        lines = [f"<Step {self.number}: {visible(str(self.operation), LINE)}>"]
        lines += [card.line for card in self._cards(brief=True)]
        if len(self.outputs) > _SHOWN:
            lines.append(f"{_SHOWN} of {len(self.outputs):,} results · all: step.outputs")
        return "\n  ".join(lines)

    def _repr_html_(self) -> str:
        # Pictures of noise are large; all cards together have the budget of one.
        cards = [operation_card(self.operation), *self._cards(brief=False)]
        return html.write_all(cards)


_SHOWN = 4
"""Maximum number of results of one operation that are drawn."""


def step(
    graph: Graph, inputs: Any, *, custom_operations: CustomOperations | None = None
) -> Iterator[Step]:
    """Run a graph on the reference kernels, one operation at a time.

    Inputs are checked immediately; each operation is computed when the iterator reaches it.
    Variables, constants and externals are not steps.

    Args:
        graph: The graph to run.
        inputs: Input name -> array-like; or one array-like, if the graph has one input.
        custom_operations: Custom operations in addition to those of `nnefkit.register_operation`.

    Returns:
        An iterator of `Step`; replacing one of ``step.outputs`` changes what later steps read.

    Raises:
        InputError: An input is missing, unknown, or of a wrong shape or dtype.
        ExecutionError: There is no kernel for an operation, or it failed.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [2]); y = relu(x); z = neg(y); }")
        >>> for step in nk.step(graph, np.array([-1.0, 3.0])):
        ...     print(step.operation.name, step.outputs)
        relu {'y': array([0., 3.], dtype=float32)}
        neg {'z': array([-0., -3.], dtype=float32)}
    """
    with using(custom_operations):
        graph = expanded(expected_graph(graph, data=True))
        refuse_unsupported(find_engine("numpy"), graph)
        if any(tensor.shape is None for tensor in graph.tensors.values()):
            graph = infer_shapes(graph)
        scalar = scalar_dtype(graph)
        feeds = check_feeds(graph, inputs, scalar)
        graph = with_precise_constants(graph)
        kernels = [
            None if op.is_source else bind_kernel(graph, op, scalar) for op in graph.operations
        ]
    return _steps(graph, kernels, feeds, scalar)


def _refuse_rounded(results: Mapping[str, Array], whole: Collection[str]) -> None:
    """Refuse integers that scalars do not represent, and that become integers again.

    Raises:
        ExecutionError: There is one.
    """
    for name, array in results.items():
        exact = 2 ** (np.finfo(array.dtype).nmant + 1) if name in whole else 0
        if exact and array.size and np.abs(array).max() >= exact:
            raise ExecutionError(
                f"it computes integers of {exact:,} and more, which {array.dtype} rounds",
                hint="nk.run and nk.trace compute them as integers.",
            )


def _steps(
    graph: Graph,
    kernels: Sequence[Callable[..., Any] | None],
    values: dict[str, Array],
    scalar: np.dtype[Any],
) -> Iterator[Step]:
    whole = rounded_integers(graph)
    last = {name: i for i, op in enumerate(graph.operations) for name in op.input_names}
    for number, (op, kernel) in enumerate(zip(graph.operations, kernels, strict=True)):
        if kernel is None:
            if op.is_weight:
                values[op.output_names[0]] = stored(graph.tensors[op.output_names[0]], scalar)
            continue
        arrays = [values[name] for name in op.input_names]
        try:
            with np.errstate(all="ignore"):
                computed = kernel(*arrays)
            if isinstance(computed, np.ndarray):
                computed = (computed,)
            results = Results(zip(op.output_names, map(np.asarray, computed), strict=True))
            _refuse_rounded(results, whole)
        except Exception as error:
            shapes = {name: values[name].shape for name in op.input_names}
            raise failed_operation(graph, op, shapes, error) from error
        yield Step(op, dict(zip(op.input_names, arrays, strict=True)), results, number)
        values.update(results)
        for name in op.input_names:
            if last[name] == number:
                values.pop(name, None)

"""Layers on images: a convolution of one element, where the images are channels-first."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.arrays import Shape
from nnefkit.execution.layout.demands import Demand
from nnefkit.execution.layout.forms import Form, channels_first, completed, identity
from nnefkit.execution.layout.rules import Attributes, ProductRule, Rule
from nnefkit.execution.layout.views import MOVING
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation

_IMAGE = 4
"""The least rank of a tensor that is an image, and not a sequence of features."""


class PointwiseRule(Rule):
    """`linear`, or `matmul` by a matrix, of images.

    The matrix without its leading axes of extent 1, which become those of the window, is the filter
    of the convolution.

    Args:
        given: The rule of the operation as it is.
        has_columns: Whether the matrix has a column for each channel of the result, and not a row.
    """

    def __init__(self, given: Rule, *, has_columns: bool) -> None:
        super().__init__(given.ranks, given.result_ranks)
        self._given = given
        self._has_columns = has_columns
        self._rank = given.ranks[0]
        self.start = given.start
        self._image = channels_first(self._rank)

    def demands(self, order: Form) -> tuple[Demand, ...]:
        if order != self._image:
            return self._given.demands(order)
        last = self._rank - 1
        matrix = (last, last - 1) if self._has_columns else (last - 1, last)
        forms = (order, (*matrix, *range(last - 1)), (0, last))
        return tuple(Demand((form,)) for form in forms[: len(self.ranks)])

    def results(self, order: Form) -> tuple[Form, ...]:
        return (order,) if order == self._image else self._given.results(order)

    def from_operand(self, number: int, axes: Form) -> Form | None:
        form = completed(axes, self._rank) if number == 0 else None
        return self.start if form == identity(self._rank) else form

    def from_result(self, number: int, form: Form) -> Form | None:
        whole = completed(form, self._rank)
        return self.start if whole == identity(self._rank) else whole

    def allows(self, order: Form) -> bool:
        return order in (self.start, self._image)

    def operation(self, op: Operation, order: Form) -> tuple[str, Attributes]:
        if order != self._image:
            return self._given.operation(op, order)
        image, matrix, *bias = op.inputs.values()
        return "conv", {"input": image, "filter": matrix, "bias": bias[0] if bias else 0.0}

    def attribs(
        self, op: Operation, order: Form, chosen: Sequence[Form], shapes: Sequence[Shape]
    ) -> Attributes:
        if order != self._image:
            return self._given.attribs(op, order, chosen, shapes)
        window = {"padding": [(0, 0)] * (self._rank - 2), "stride": [], "dilation": []}
        return FrozenDict({"border": "constant", **window, "groups": 1})


def pointwise_rule(graph: Graph, op: Operation) -> PointwiseRule | None:
    """Return the rule of a layer on images; None if it is no such layer."""
    if op.name not in ("linear", "matmul") or op.attribs.get("transposeA"):
        return None
    shapes = [graph.tensors[name].shape or () for name in op.input_names]
    ranks = [len(shape) for shape in shapes]
    if len(ranks) < 2 or ranks[0] < _IMAGE or {*ranks} != {ranks[0]}:
        return None
    if not isinstance(op.inputs["A" if op.name == "matmul" else "input"], Identifier):
        return None
    if graph.tensors[op.output_names[0]].quantization is not None:
        # Devices round in the two kernels in different ways.
        return None
    if any({*shape[:-2]} != {1} for shape in shapes[1:]):
        return None
    if not all(_is_weight(graph, name) for name in op.input_names[1:]):
        return None
    if op.name == "linear":
        return PointwiseRule(Rule(ranks, ranks[:1]), has_columns=False)
    return PointwiseRule(ProductRule(ranks, ranks[:1]), has_columns=not op.attribs["transposeB"])


def _is_weight(graph: Graph, name: str) -> bool:
    while (op := graph.producers[name]).name in MOVING and op.input_names:
        (name,) = op.input_names
    return op.is_weight

"""Calls of source operators, the argument of every reader of an operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import Argument, DType, Value


@dataclass(eq=False)
class OperatorCall:
    """A call of a source operator.

    Each front end derives its own class, with the operator's arguments in the terms of its format.
    """

    operator: str
    """The name of the operator in the source."""
    graph: SourceGraph
    """The graph under construction."""

    @property
    def scalar_dtype(self) -> DType:
        """The dtype in which integers and Python numbers are computed."""
        return np.dtype(np.float32)

    @property
    def invalid_hint(self) -> str:
        """A hint for models that break the rules of their own format."""
        return ""

    def decimal(self, number: float) -> float:
        """Return the shortest decimal that represents `number` in the scalar dtype.

        Formats store attributes as float32: the attribute 0.10000000149011612 yields 0.1.
        """
        return float(str(self.scalar_dtype.type(number)))

    def op(
        self, name: str, *inputs: Argument, data_type: str | None = None, **attribs: Any
    ) -> Value:
        """Call an NNEF operation with one result; see `SourceGraph.op`."""
        return self.graph.op(name, *inputs, data_type=data_type, **attribs)

    def ops(
        self, name: str, *inputs: Argument, data_type: str | None = None, **attribs: Any
    ) -> list[Value]:
        """Call an NNEF operation with several results; see `SourceGraph.op`."""
        return self.graph.ops(name, *inputs, data_type=data_type, **attribs)

    def fragment(
        self, name: str, shape: Sequence[int], /, *inputs: Argument, **attribs: Any
    ) -> Value:
        """Call a fragment with one result of the given shape; see `SourceGraph.fragment`."""
        return self.graph.fragment(name, inputs, [shape], **attribs)[0]

"""What is done in which order: the steps of a graph, shared by the engine and the module."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nnefkit.execution.engines.torch.literals import bind
from nnefkit.execution.engines.torch.lowerings import Tensor
from nnefkit.graph import Graph, Operation


@dataclass(frozen=True, slots=True)
class Step:
    """One operation, ready to be called."""

    operation: Operation
    function: Callable[..., Sequence[Tensor]]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    frees: tuple[str, ...]
    """Names of the tensors that nobody reads after it."""

    def run(self, values: dict[str, Tensor]) -> None:
        """Adds the results to the `values`, and takes away what is no longer needed."""
        results = self.function(*[values[name] for name in self.reads])
        values.update(zip(self.writes, results, strict=True))
        for name in self.frees:
            del values[name]


def torch_dtype(dtype: np.dtype[Any]) -> torch.dtype:
    """The dtype of tensors that hold items of a NumPy dtype."""
    return torch.from_numpy(np.empty(0, dtype)).dtype


def steps(
    graph: Graph,
    operations: Iterable[Operation],
    kept: Collection[str],
    scalar: torch.dtype,
    device: torch.device,
) -> tuple[Step, ...]:
    """The calls of `operations`.

    Args:
        graph: That they belong to.
        operations: In a valid order; those that only introduce tensors are left out.
        kept: Names of the tensors that are wanted after the last step.
        scalar: What literal numbers become, where nothing else tells.
        device: Where literals go.
    """
    seen = set(kept)
    made = []
    for op in reversed([op for op in operations if not op.is_source]):
        names = dict.fromkeys((*op.input_names, *op.output_names))
        frees = tuple(name for name in names if name not in seen)
        seen.update(frees)
        function = bind(graph, op, scalar, device)
        made.append(Step(op, function, op.input_names, op.output_names, frees))
    return tuple(made[::-1])


def shares_memory(tensor: Tensor, others: Mapping[str, Tensor]) -> bool:
    """Whether a tensor lies in the storage of one of `others`."""
    start = tensor.untyped_storage().data_ptr()
    return any(start == other.untyped_storage().data_ptr() for other in others.values())

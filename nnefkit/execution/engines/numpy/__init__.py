"""The reference engine: the NumPy kernels of `nnefkit.operations`, planned ahead.

`planner` makes a `plan`: what is computed when, and where in memory the results go. Where shapes
and weights allow, it replaces the reference kernels by specialized ones that write into given
memory (`specialization`, `elementwise`, `convolution`, `fusion`). `plan_runner` runs the plan.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from nnefkit.execution.engine import Engine, Prepared, thread_count
from nnefkit.execution.engines.numpy.plan_runner import PlanRunner
from nnefkit.execution.engines.numpy.planner import make_plan
from nnefkit.execution.engines.numpy.thread_limit import ThreadLimit
from nnefkit.graph import Graph
from nnefkit.operation_names import SOURCES
from nnefkit.operations.custom import custom_kernels
from nnefkit.operations.registry import KERNELS


class NumpyEngine(Engine):
    """The engine that runs every operation in NumPy, by its reference kernel.

    Args:
        threads: How many threads a matrix product may use; None leaves it to NumPy.

    Raises:
        InputError: `threads` is not a number of threads.
    """

    name = "numpy"
    computes_integers = True
    version = np.__version__
    options = ("threads",)

    def __init__(self, threads: int | None = None) -> None:
        self._threads = thread_count(threads)

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run."""
        return SOURCES | KERNELS.keys() | custom_kernels().keys()

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Prepare `graph` to compute the tensors of `fetch`, and those of `watched`."""
        prepared = PlanRunner(make_plan(graph, frozenset(fetch), frozenset(watched)))
        return prepared if self._threads is None else ThreadLimit(prepared, self._threads)

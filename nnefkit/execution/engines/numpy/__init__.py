"""The reference engine: the NumPy kernels of `nnefkit.operations`, planned ahead.

`plan` decides what is computed when and where its result lies, `lowering` and the modules beside it
replace kernels by faster ones that write into a given place, `prepared` runs the plan.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from nnefkit.execution.engine import Engine, Prepared, thread_count
from nnefkit.execution.engines.numpy.plan import make_plan
from nnefkit.execution.engines.numpy.plan_runner import PreparedGraph
from nnefkit.execution.engines.numpy.thread_limit import ThreadLimit
from nnefkit.graph import Graph
from nnefkit.operation_names import SOURCES
from nnefkit.operations.custom import custom_kernels
from nnefkit.operations.registry import KERNELS


class NumpyEngine(Engine):
    """Runs every operation that has a kernel, on the CPU.

    Args:
        threads: How many threads a matrix product may use; None leaves it to NumPy.
    """

    name = "numpy"
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
        """Make `graph` ready to compute the tensors of `fetch`, and those of `watched`."""
        prepared = PreparedGraph(make_plan(graph, frozenset(fetch), frozenset(watched)))
        return prepared if self._threads is None else ThreadLimit(prepared, self._threads)

"""An engine for nnefkit that computes some elementwise operations one after the other in NumPy."""

from time import perf_counter

import numpy as np

from nnefkit.execution import Engine
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.execution.engine import failed_operation

FUNCTIONS = {"add": np.add, "mul": np.multiply, "neg": np.negative, "relu": lambda x: x.clip(0)}


class PlainEngine(Engine):
    """Runs the operations in `FUNCTIONS`."""

    name = "plain"
    version = np.__version__
    operations = frozenset(FUNCTIONS) | {"external", "variable", "constant"}

    def why_unsupported(self, graph, operation):
        """Return the hint of the error that refuses a graph with another operation."""
        return f"The plain engine runs {', '.join(FUNCTIONS)}."

    def prepare(self, graph, fetch, watched=()):
        """Return a function that computes the tensors of `fetch`."""
        dtype = scalar_dtype(graph)  # float64 if a variable is, else float32
        weights = {t.name: stored(t, dtype) for t in graph.tensors.values() if t.data is not None}

        def run(feeds, watch=None):
            tensors = {**weights, **feeds}
            for op in graph.computations:
                started = perf_counter()
                (result,) = op.output_names
                rank = len(graph.tensors[result].shape)
                try:
                    arrays = [aligned(tensors.get(x, x), rank, dtype) for x in op.inputs.values()]
                    tensors[result] = FUNCTIONS[op.name](*arrays)
                except Exception as error:
                    shapes = {name: tensors[name].shape for name in op.input_names}
                    raise failed_operation(graph, op, shapes, error) from error
                if watch is not None:  # traces and progress bars observe it
                    shown = {result: tensors[result]} if result in watched else {}
                    watch((op,), shown, perf_counter() - started)
            return {name: tensors[name].copy() for name in fetch}

        return run


def aligned(value, rank, dtype):
    """Return an argument with trailing singleton dimensions, by which NNEF broadcasts (3.3.1)."""
    array = np.asarray(value, dtype)
    return array.reshape(array.shape + (1,) * (rank - array.ndim))

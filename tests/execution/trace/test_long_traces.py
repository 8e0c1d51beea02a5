"""Tables of traces of long chains of operations, some of whose tensors have long names."""

from itertools import pairwise

import numpy as np
import pytest
from timing import assert_linear, least_seconds

import nnefkit as nk


def traced(count, width):
    """Return the trace of a chain of operations, with names of about `width` characters."""
    names = [f"{'t' * width}{number}" for number in range(count + 1)]
    calls = "".join(f"{y} = relu({x});\n" for x, y in pairwise(names))
    graph = nk.parse(
        f"version 1.0;\ngraph g({names[0]}) -> ({names[-1]})\n"
        f"{{\n{names[0]} = external(shape = [2]);\n{calls}}}"
    )
    return nk.trace(graph, np.ones(2, np.float32), progress=False)


@pytest.mark.parametrize("width", [1, 1000])
def test_tables_of_traces_take_linear_time(width):
    def seconds(count):
        tries = iter([traced(count, width) for _ in range(3)])
        return least_seconds(lambda: next(tries).to_frame(), tries=3)

    assert_linear(seconds, 500, 8, 24)

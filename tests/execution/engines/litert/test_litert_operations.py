"""Whatever LiteRT claims to compute, it computes as the reference kernels do."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite")

from nnefkit.execution.engine_list import find_engine
from nnefkit.language import declarations

SOURCES = {"external", "variable", "constant"}
CLAIMED = find_engine("litert").operations


def test_only_standard_operations_are_claimed():
    assert set(declarations()) >= CLAIMED


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_results_are_those_of_the_reference(standard_operation, calls, data):
    call = data.draw(calls.of(standard_operation, strange=False, plain=data.draw(st.booleans())))
    graph, _ = calls.graph_of(standard_operation, call)
    if standard_operation not in CLAIMED:
        assert find_engine("litert").unsupported(graph)
        return
    if not find_engine("litert").unsupported(graph):
        calls.check("litert", standard_operation, call)

"""PyTorch computes every standard operation as the reference kernels do."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnefkit.language import declarations

SOURCES = {"external", "variable", "constant"}


def test_every_standard_operation_is_checked(calls):
    assert calls.names | SOURCES == set(declarations())


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_results_are_those_of_the_reference(standard_operation, calls, data):
    call = data.draw(calls.of(standard_operation))
    calls.check("torch", standard_operation, call)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_results_are_those_of_the_reference_in_float64(standard_operation, calls, data):
    call = data.draw(calls.of(standard_operation))
    calls.check("torch", standard_operation, call, wide=True)

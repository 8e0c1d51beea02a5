"""One tensor of a run: its attributes and displays."""

from __future__ import annotations

import numpy as np
import pytest

import nnefkit as nk

TEXT = """version 1.0;
graph g(x) -> (y)
{
    x = external(shape = [1, 2, 3, 3]);
    y = relu(x);
}
"""


@pytest.fixture
def trace() -> nk.Trace:
    values = np.linspace(-1, 1, 18, dtype=np.float32).reshape(1, 2, 3, 3)
    return nk.trace(nk.parse(TEXT), {"x": values})


def test_knows_its_operation_and_its_line(trace: nk.Trace) -> None:
    tensor = trace.tensor("y")
    assert tensor.operation is not None
    assert (tensor.name, tensor.operation.name, tensor.line) == ("y", "relu", 5)
    assert tensor.shape == (1, 2, 3, 3)


def test_numpy_accepts_it_as_an_array(trace: nk.Trace) -> None:
    np.testing.assert_array_equal(np.asarray(trace.tensor("y")), trace["y"])
    assert np.asarray(trace.tensor("y"), np.float64).dtype == np.float64
    assert np.array(trace.tensor("y"), copy=True).flags.writeable


def test_text_and_html_show_its_operation(trace: nk.Trace) -> None:
    tensor = trace.tensor("y")
    for shown in (repr(tensor), tensor._repr_html_()):
        assert "1×2×3×3" in shown
        assert "relu" in shown


def test_a_tensor_that_was_not_recorded_is_refused(trace: nk.Trace) -> None:
    with pytest.raises(nk.UnknownNameError, match="no tensor 'z'"):
        trace.tensor("z")

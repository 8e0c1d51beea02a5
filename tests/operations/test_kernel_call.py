"""Calls of one operation by name: literals, results, operations without a kernel."""

import numpy as np
import pytest

from nnefkit.errors import ExecutionError
from nnefkit.operations import as_argument, call, computing_dtype, shape_of_literal


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (1.5, np.float32, np.float32),
        (1.5, np.float64, np.float64),
        (1.5, np.float16, np.float16),
        (3, np.float16, np.int64),
        (True, np.float32, np.bool_),
    ],
)
def test_a_literal_becomes_an_array_of_rank_0(value, dtype, expected):
    argument = as_argument(value, np.dtype(dtype))
    assert isinstance(argument, np.ndarray)
    assert (argument.shape, argument.dtype, argument[()]) == ((), expected, value)


def test_an_array_of_literals_and_tensors_becomes_a_list():
    x = np.ones(3, np.float16)
    first, second = as_argument([x, 2.0], x.dtype)
    assert first is x
    assert second.dtype == np.float16


def test_a_mapped_array_is_read_as_a_plain_one(tmp_path):
    path = tmp_path / "values"
    np.arange(4, dtype=np.float32).tofile(path)
    mapped = np.memmap(path, np.float32, "r")
    (result,) = call("add", [mapped, 1.0], {})
    assert type(result) is np.ndarray
    assert result.tolist() == [1, 2, 3, 4]


def test_the_first_floating_array_decides_the_dtype_of_literals():
    half, double = np.ones(2, np.float16), np.ones(2)
    assert computing_dtype([np.ones(2, np.int64), half, double]) == np.float16
    assert computing_dtype([1.0, [2.0, double]]) == np.float64
    assert computing_dtype([1.0, True]) == np.float32


def test_literals_have_the_shape_of_rank_0():
    assert shape_of_literal(1.0) == ()
    assert shape_of_literal([1.0, [2.0]]) == [(), [()]]


def test_results_are_returned_flat():
    x = np.ones((2, 2), np.float32)
    assert len(call("moments", [x], {"axes": [0]})) == 2
    assert len(call("unstack", [x], {"axis": 0})) == 2
    assert len(call("copy", [x], {})) == 1


def test_the_data_type_reaches_the_operations_that_need_it():
    shape = {"shape": [2], "value": [1]}
    for dtype, expected in (("scalar", "f4"), ("integer", "i8"), ("logical", "?")):
        (result,) = call("constant", [], shape, dtype)
        assert result.dtype == np.dtype(expected)
        assert result.tolist() == [1, 1]
    assert call("constant", [], {"shape": [1, 2], "value": [1.5, 2.5]})[0].tolist() == [[1.5, 2.5]]


def test_a_huge_constant_of_one_value_takes_no_memory():
    (result,) = call("constant", [], {"shape": [10**6, 10**6], "value": [0.5]})
    assert result.shape == (10**6, 10**6)
    assert result[-1, -1] == 0.5


def test_a_constant_beyond_single_precision_is_infinite():
    assert call("constant", [], {"shape": [1], "value": [1e300]})[0].tolist() == [np.inf]


def test_operations_without_a_kernel_are_named():
    with pytest.raises(ExecutionError, match=r"'sofmax' has no kernel[\s\S]*'softmax'"):
        call("sofmax", [np.ones(2)], {"axes": [0]})

"""Comparisons over many inputs."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import nnefkit as nk

TEXT = """
version 1.0;
graph net(x) -> (y)
{
    x = external<scalar>(shape = [2, 5]);
    a = mul(x, 3.0);
    b = clamp(a, -6.0, 6.0);
    y = exp(b);
}
"""
INPUTS = [np.full((2, 5), v, np.float32) for v in (0.5, -1.0, 2.5, 1.5, 4.0, 2.5)]


@pytest.fixture(scope="module")
def graph():
    return nk.parse(TEXT)


@pytest.fixture(scope="module")
def other():
    # It differs where an input is above 2 only.
    return nk.parse(TEXT.replace("6.0)", "6.5)"))


def test_each_tensor_has_its_worst_input_and_the_number_of_wrong_ones(graph, other):
    found = nk.compare_many(graph, INPUTS, suspect=other)
    singles = [nk.compare(nk.trace(graph, x), nk.trace(other, x)) for x in INPUTS]
    assert (found.ok, found.inputs) == (False, 6)
    for name in ("a", "b", "y"):
        row = found[name]
        assert row.outside == sum(not each[name].ok for each in singles)
        assert row.equal == sum(each[name].verdict == "equal" for each in singles)
        sizes = [each[name].metrics.max_rel for each in singles]
        assert row.worst_input == int(np.argmax(sizes))
        assert row.worst.max_rel == max(sizes)
    assert (found["b"].outside, found["b"].worst_input, found["b"].first_outside) == (3, 2, 2)
    assert found.worst_input == 2
    assert "diverge, first at b in the order of the graph, for 3 of 6 inputs" in found.summary
    assert list(found.to_frame()["outside"]) == [0, 3, 3]
    for text in (repr(found), found._repr_html_()):
        assert "3 of 6 inputs" in text


def test_threads_give_the_same_result(graph, other):
    alone = nk.compare_many(graph, INPUTS, suspect=other)
    with ThreadPoolExecutor(3) as executor:
        spread = nk.compare_many(graph, iter(INPUTS), suspect=other, executor=executor)
    assert spread.tensors == alone.tensors


def test_engines_that_agree_are_said_to_agree(graph):
    found = nk.compare_many(graph, INPUTS, suspect="torch")
    assert found.ok
    assert found.summary.startswith("The runs ")
    assert "all 6 inputs" in found.summary


def test_an_interrupt_keeps_what_was_done(graph, other):
    def interrupted():
        yield from INPUTS[:2]
        raise KeyboardInterrupt

    found = nk.compare_many(graph, interrupted(), suspect=other)
    assert (found.inputs, found.interrupted, found.ok) == (2, True, True)
    assert "Interrupted after 2 inputs" in found.summary


def test_tensors_of_one_side_alone_are_not_passed_over_in_silence(graph):
    other = nk.parse(TEXT.replace("b =", "c =").replace("exp(b)", "exp(c)"))
    found = nk.compare_many(graph, INPUTS, suspect=other)
    assert found.only == (("b",), ("c",))
    assert found.summary.startswith("What was compared is equal for all 6 inputs.")
    assert "Not compared: b, only in numpy. Not compared: c, only in suspect." in found.summary


def test_nan_of_one_side_is_the_worst(graph):
    other = nk.parse(TEXT.replace("exp(b)", "log(b)"))
    found = nk.compare_many(graph, INPUTS, suspect=other)
    assert found["y"].worst_input == 1
    assert "NaN or Inf of one side alone are in y, input 1" in found.summary


@pytest.mark.parametrize("inputs", [[], np.ones((3, 2, 5)), {"x": INPUTS[0]}], ids=["0", "1", "2"])
def test_what_is_not_several_inputs_is_refused(graph, inputs):
    with pytest.raises(nk.InputError):
        nk.compare_many(graph, inputs, suspect="torch")

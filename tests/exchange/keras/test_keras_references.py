"""The reference models compute what TensorFlow recorded."""

import pytest
from oracles.keras_references import TOLERANCE, difference, graph, names, transpositions

pytest.importorskip("h5py")

INSIDE = {"attention": 4, "zoo_1d3d": 0, "zoo_shape": 1}
"""Network -> transpositions inside: of heads, and of the layer Permute."""


@pytest.mark.parametrize("name", names())
def test_a_reference_model_is_read_right(name):
    assert difference(name) < TOLERANCE


@pytest.mark.parametrize("name", names())
def test_no_transpositions_remain_inside(name):
    assert transpositions(name) <= INSIDE.get(name.partition("/")[0], 0)


@pytest.mark.parametrize("name", [n for n in names() if n.endswith(".keras")])
def test_both_forms_of_a_model_give_the_same_graph(name):
    assert str(graph(name)) == str(graph(name.replace(".keras", ".h5")))

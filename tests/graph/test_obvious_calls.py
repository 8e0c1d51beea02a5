"""What newcomers try with a graph works, or names the call that does it."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.graph.obvious_calls import OTHER_CALLS

GRAPH = nk.parse(
    "version 1.0; graph net(x) -> (y) { x = external(shape = [1, 3]);"
    " w = variable(shape = [1, 3], label = 'w'); sum = add(x, w); y = relu(sum); }"
).with_data({"w": np.ones((1, 3))})


def test_a_name_finds_its_tensor() -> None:
    assert GRAPH["w"] is GRAPH.tensors["w"]
    with pytest.raises(nk.UnknownNameError, match="Did you mean 'sum'"):
        GRAPH["summ"]
    with pytest.raises(KeyError):
        GRAPH["nothing like it"]


def test_positions_and_slices_find_operations() -> None:
    assert GRAPH[0] is GRAPH.operations[0]
    assert GRAPH[np.int64(-1)].name == "relu"
    assert GRAPH[1:3] == GRAPH.operations[1:3]
    with pytest.raises(nk.InputError, match="there is no operation 4: the graph has 4 operations"):
        GRAPH[4]
    with pytest.raises(nk.InputError, match="the name of a tensor, or the position"):
        GRAPH[1.5]


def test_iteration_and_length_are_those_of_the_operations() -> None:
    assert len(GRAPH) == 4
    assert [operation.name for operation in GRAPH] == ["external", "variable", "add", "relu"]
    assert next(reversed(GRAPH)).name == "relu"
    assert "w" in GRAPH
    assert "q" not in GRAPH
    assert GRAPH.operations[2] in GRAPH
    empty = nk.Graph("g", (), (), (), {})
    assert len(empty) == 0
    assert empty


@pytest.mark.parametrize("name", OTHER_CALLS)
def test_what_a_graph_does_not_have_names_the_call_that_does_it(name: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(OTHER_CALLS[name])):
        getattr(GRAPH, name)
    assert not hasattr(GRAPH, name)
    assert name not in dir(GRAPH)


@pytest.mark.parametrize("name", OTHER_CALLS)
def test_the_named_calls_exist(name: str) -> None:
    for path in re.findall(r"nnefkit\.(\w+)", OTHER_CALLS[name]):
        assert hasattr(nk, path)
    for path in re.findall(r"(?<![\w.])graph\.(\w+)", OTHER_CALLS[name]):
        assert hasattr(GRAPH, path)


def test_other_attributes_suggest_the_nearest_one() -> None:
    with pytest.raises(AttributeError, match="Did you mean 'operations'"):
        GRAPH.operation  # noqa: B018
    with pytest.raises(AttributeError, match=r"Use graph\['w'\] for the tensor"):
        GRAPH.w  # noqa: B018


def test_copies_and_pickles_are_whole() -> None:
    for again in (copy.copy(GRAPH), copy.deepcopy(GRAPH), pickle.loads(pickle.dumps(GRAPH))):
        assert str(again) == str(GRAPH)
        assert again.producers["y"].name == "relu"


def test_a_graph_is_no_list_of_names() -> None:
    for call in (
        lambda: nk.run(GRAPH, np.ones((1, 3)), outputs=GRAPH),
        lambda: nk.run(GRAPH, GRAPH),
        lambda: GRAPH.between(GRAPH, "y"),
        lambda: nk.compare(GRAPH, GRAPH),
    ):
        with pytest.raises(nk.NnefError):
            call()

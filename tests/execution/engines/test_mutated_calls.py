"""A mutated call is refused, or it runs and its results have the inferred shapes."""

import math
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles.drawing import Call
from oracles.drawn_calls import CALLS
from oracles.one_call import calls_of, graph_of

from nnefkit.errors import NnefError
from nnefkit.execution import Session

NUMBERS = [-5, -2, -1, 0, 1, 2, 3, 5, 7, 100, 2**62]
WORDS = ["constant", "replicate", "reflect", "reflect-even", "ignore", "aligned", "", "Constant"]
REALS = [0.0, -1.0, 1e30, -1e-30, math.inf, math.nan]
MAX_ELEMENTS = 100_000
"""Largest number of elements of a tensor that is worth running."""


def other(value, choose):
    """An attribute that is like `value`, but wrong in one place or another."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return tuple(other(item, choose) if choose.random() < 0.6 else item for item in value)
    if not isinstance(value, list):
        return choose.choice({int: NUMBERS, float: REALS, str: WORDS}[type(value)])
    items = list(value)
    what = choose.choice(["none", "fewer", "more", "other", "other"])
    if what == "none" or not items:
        return []
    at = choose.randrange(len(items))
    if what == "fewer":
        del items[at]
    elif what == "more":
        items.insert(at, items[at])
    else:
        items[at] = other(items[at], choose)
    return items


def reshaped(array, choose):
    """Return the elements of an array in a shape of other extents or another rank."""
    shape = list(array.shape)
    what = choose.choice(["extent", "more", "fewer"]) if shape else "more"
    at = choose.randrange(len(shape) + 1) if what == "more" else choose.randrange(len(shape))
    if what == "extent":
        shape[at] = choose.choice([1, 2, 3, 5])
    elif what == "more":
        shape.insert(at, choose.choice([1, 1, 2]))
    else:
        del shape[at]
    return np.resize(array, shape)


def mutated(call, choose):
    """A call with one or two arguments replaced."""
    inputs, attribs = list(call.inputs), dict(call.attribs)
    arrays = [i for i, value in enumerate(inputs) if isinstance(value, np.ndarray)]
    for _ in range(choose.choice([1, 1, 2])):
        if attribs and (not arrays or choose.random() < 0.6):
            name = choose.choice(list(attribs))
            attribs[name] = other(attribs[name], choose)
        elif arrays:
            at = choose.choice(arrays)
            inputs[at] = reshaped(inputs[at], choose)
    return Call(inputs, attribs, call.dtype)


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_invalid_calls_are_refused_and_others_have_the_inferred_shape(name, data):
    choose = random.Random(data.draw(st.integers(0, 2**32)))
    call = mutated(data.draw(calls_of(name, strange=False)), choose)
    engine = data.draw(st.sampled_from(["numpy", "torch", "onnxruntime"]))
    try:
        graph, feeds = graph_of(name, call)
    except NnefError:
        return
    assert all(tensor.shape is not None for tensor in graph.tensors.values())
    if max(math.prod(tensor.shape) for tensor in graph.tensors.values()) > MAX_ELEMENTS:
        return
    try:
        results = Session(graph, engine).run(feeds)
    except NnefError:
        return
    for key, array in results.items():
        assert array.shape == graph.tensors[key].shape

"""Every operation of chapter 4 computes its formula, in every precision and by kernel and engine.

The calls are drawn: ranks up to 6, borders, asymmetric and negative padding, strides and dilation
of any size, groups, broadcasting, literals, logical and integer elements, NaN and infinities.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from oracles.agreement import assert_agree
from oracles.drawn_calls import CALLS
from oracles.foreign import FOREIGN
from oracles.formulas import FORMULAS
from oracles.one_call import SOURCES, as_dtype, as_typed, calls_of, graph_of, shape_of

from nnefkit.execution import Session
from nnefkit.language import declarations
from nnefkit.operations import SHAPE_RULES, call
from nnefkit.operations.kernel_call import TYPED

quick = settings(deadline=None, suppress_health_check=list(HealthCheck))


def test_every_operation_has_a_formula_and_is_drawn():
    assert set(CALLS) | SOURCES == set(declarations())
    assert set(FORMULAS) | {"external", "variable"} == set(declarations())


STEPPED = {name for name in CALLS if name.endswith("_quantize")}
"""Their results jump where rounding moves a value across the middle between two codes."""


def is_steady(function, x):
    """Return where the results of a function with jumps stay the same if `x` changes a little."""
    x = x.astype(np.float64)
    return function(x * (1 - 1e-5)) == function(x * (1 + 1e-5))


def formula_of(name, inputs, one):
    attribs = {**one.attribs, "dtype": one.dtype} if name in TYPED else one.attribs
    results = FORMULAS[name](*inputs, **attribs)
    return results if isinstance(results, list) else [results]


def check(name, one, dtype):
    inputs = as_dtype(one.inputs, dtype)
    expected = formula_of(name, inputs, one)
    shapes = SHAPE_RULES[name](*map(shape_of, inputs), **one.attribs)
    several = isinstance(shapes, list) or (shapes and isinstance(shapes[0], tuple))
    assert [array.shape for array in expected] == ([*shapes] if several else [shapes])
    steady = None
    if name in STEPPED and dtype != np.float64:
        steady = is_steady(lambda x: formula_of(name, [x, *inputs[1:]], one)[0], inputs[0])

    def agree(found, dtype):
        pairs = found, expected
        if steady is not None:
            pairs = [[array[steady] for array in arrays] for arrays in pairs]
        assert_agree(*pairs, dtype, one.spread, f"{name} {one.attribs}", one.least)

    found = call(name, as_typed(name, one.dtype, inputs), one.attribs, one.dtype)
    assert all(type(array) is np.ndarray for array in found)
    # A kernel that converts others to real numbers does not know the precision of a graph.
    knows = name not in TYPED or (inputs and inputs[0].dtype.kind == "f")
    agree(found, dtype if knows else np.float32)

    if dtype == np.float16:
        return  # a storage format, in which no engine computes
    graph, feeds = graph_of(name, one, wide=dtype == np.float64)
    feeds = {key: as_dtype(value, dtype) for key, value in feeds.items()}
    agree([*Session(graph).run(feeds).values()], dtype)


@pytest.mark.parametrize("name", CALLS)
@settings(quick, max_examples=20)
@given(data=st.data())
def test_operations_compute_their_formula(name, data):
    one = data.draw(calls_of(name, wild=data.draw(st.booleans())))
    check(name, one, data.draw(st.sampled_from([np.float64, np.float32, np.float16])))


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
@settings(quick, max_examples=80)
@given(data=st.data())
def test_operations_compute_their_formula_in_many_calls(name, data):
    one = data.draw(calls_of(name, wild=True))
    check(name, one, data.draw(st.sampled_from([np.float64, np.float32, np.float16])))


OPERATIONS = [(who, name) for who, table in FOREIGN.items() for name in table]
"""Implementation and operation. Operations that have another meaning there are left out; calls that
it cannot express are drawn again."""


@pytest.mark.parametrize(("who", "name"), OPERATIONS)
@settings(quick, max_examples=8)
@given(data=st.data())
def test_operations_compute_what_others_compute(who, name, data, foreign_fault):
    plain, wild = data.draw(st.booleans()), data.draw(st.booleans())
    one = data.draw(calls_of(name, strange=False, plain=plain, wild=wild))
    dtype = np.float32 if who == "ONNX Runtime" else np.float64
    inputs = as_typed(name, one.dtype, as_dtype(one.inputs, dtype))
    attribs = {**one.attribs, "dtype": one.dtype} if name in TYPED else one.attribs
    try:
        theirs = FOREIGN[who][name].compute(*inputs, **attribs)
    except Exception as error:
        if foreign_fault(f"{who} cannot run {name}{one}: {error}"):
            return
        raise
    assume(theirs is not None)
    expected = [np.asarray(array) for array in (theirs if isinstance(theirs, list) else [theirs])]
    found = call(name, inputs, one.attribs, one.dtype)
    if name in STEPPED:
        steady = is_steady(lambda x: call(name, [x, *inputs[1:]], one.attribs)[0], inputs[0])
        found, expected = [found[0][steady]], [expected[0][steady]]
    # They compute in single precision, or mix both.
    found = [array.astype(np.float32) if array.dtype.kind == "f" else array for array in found]
    try:
        assert_agree(
            found, expected, np.float32, 4 * one.spread, f"{name} {one.attribs}", one.least
        )
    except AssertionError:
        check(name, one, np.float64)  # the formula is the umpire
        if not foreign_fault(f"{who} computes something else for {name}: {one}"):
            raise


def test_every_operation_that_computes_is_checked_against_others():
    checked = {name for table in FOREIGN.values() for name in table}
    assert checked == set(CALLS) | {"constant"}


def test_ranks_up_to_eight_work():
    x = np.linspace(-1, 2, 48, dtype=np.float32).reshape(2, 1, 2, 1, 2, 1, 2, 3)
    assert call("add", [x, x[:, 0, 0, 0, 0, 0, 0, 0]], {})[0].shape == x.shape
    assert call("sum_reduce", [x], {"axes": [7, 0], "normalize": True})[0].shape[-1] == 1
    assert call("transpose", [x], {"axes": [1, 0]})[0].shape == (1, 2, *x.shape[2:])
    padded = call("pad", [x], {"padding": [(1, 1)] * 8, "border": "reflect", "value": 0.0})[0]
    assert padded.shape == tuple(extent + 2 for extent in x.shape)

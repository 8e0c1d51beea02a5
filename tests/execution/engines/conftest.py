"""Calls of every standard operation, drawn by hypothesis, as graphs that any engine can run."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from nnefkit.execution import Session
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.language import declarations
from nnefkit.operations.registry import SHAPE_RULES
from nnefkit.operations.shapes import infer_shapes

sys.path.insert(0, str(Path(__file__).parent))  # what is drawn stands in modules beside this one

from drawing import Call, Drawing
from drawn_calls import CALLS


def _retyped(value, kind):
    """The same call of a generic operation with items of another data-type."""
    if isinstance(value, list):
        return [_retyped(item, kind) for item in value]
    floats = value.dtype.kind == "f" if isinstance(value, np.ndarray) else True
    if kind == "scalar" or not floats:
        return value
    if isinstance(value, np.ndarray):
        value = np.nan_to_num(value, posinf=9, neginf=-9)
        return np.asarray(value > 0 if kind == "logical" else np.floor(value * 10).astype(np.int64))
    return value > 0 if kind == "logical" else int(value)


KINDS = {"f": "scalar", "i": "integer", "b": "logical"}


def graph_of(name, call, wide=False):
    """A graph of one call, whose arrays are inputs, and the feeds.

    Args:
        name: of the operation.
        call: its arguments.
        wide: whether to compute in float64, which a variable of that width decides.
    """
    declaration = declarations()[name]
    operations, tensors, feeds = [], {}, {}

    def placed(value):
        if isinstance(value, list):
            return [placed(item) for item in value]
        if not isinstance(value, np.ndarray):
            return value
        tensor = Identifier(f"input{len(feeds)}")
        kind = KINDS[value.dtype.kind]
        if name == "update" and not feeds:
            attribs = FrozenDict(shape=[*value.shape], label="state")
            made = Tensor(tensor, kind, value.shape, value, "state")
            sort = "variable"
        else:
            attribs = FrozenDict(shape=[*value.shape])
            made, sort = Tensor(tensor, kind, value.shape), "external"
        operations.append(Operation(sort, FrozenDict(), FrozenDict(output=tensor), attribs, kind))
        tensors[tensor] = made
        feeds[tensor] = value
        return tensor

    if wide:
        data = np.ones(1, np.float64)
        label = FrozenDict(shape=[1], label="wide")
        result = FrozenDict(output=Identifier("wide"))
        operations.append(Operation("variable", FrozenDict(), result, label, "scalar"))
        tensors["wide"] = Tensor("wide", "scalar", (1,), data, "wide")
    formals = [p.name for p in declaration.parameters]
    inputs = {formal: placed(v) for formal, v in zip(formals, call.inputs, strict=False)}
    shapes = [_shape(value) for value in call.inputs]
    expected = SHAPE_RULES[name](*shapes, **call.attribs)
    outputs, names = {}, []
    many = name in ("split", "unstack", "copy_n")
    for result in declaration.results:
        if many:
            outputs[result.name] = [Identifier(f"result{i}") for i in range(len(expected))]
            names += outputs[result.name]
        else:
            outputs[result.name] = Identifier(result.name)
            names.append(outputs[result.name])
    for i, one in enumerate(names):
        kind = "integer" if str(one) == "index" or "arg" in name else _kind(name, call, i)
        tensors[one] = Tensor(one, kind)
    operations.append(
        Operation(
            name, FrozenDict(inputs), FrozenDict(outputs), FrozenDict(call.attribs), call.dtype
        )
    )
    externals = tuple(op.output_names[0] for op in operations if op.name == "external")
    graph = Graph("one", externals, tuple(names), tuple(operations), FrozenDict(tensors))
    return infer_shapes(graph), {n: a for n, a in feeds.items() if n in externals}


def _kind(name, call, _number):
    if name in ("lt", "gt", "le", "ge", "eq", "ne", "and", "or", "not", "all_reduce", "any_reduce"):
        return "logical"
    return call.dtype or "scalar"


def _shape(value):
    if isinstance(value, list):
        return [_shape(item) for item in value]
    return value.shape if isinstance(value, np.ndarray) else ()


TOLERANCES = {"f2": 4e-3, "f4": 2e-6, "f8": 1e-13}
"""What results may differ by, as a share of the largest item of a tensor."""


def assert_close(results, expected, spread=1.0, where=""):
    """Results agree: dtypes, shapes, what is not finite, and the rest within the tolerance."""
    assert list(results) == list(expected)
    for name, wanted in expected.items():
        found = results[name]
        assert found.dtype == wanted.dtype, (where, name)
        assert found.shape == wanted.shape, (where, name)
        if wanted.dtype.kind != "f":
            np.testing.assert_array_equal(found, wanted, err_msg=where)
            continue
        finite = np.abs(wanted[np.isfinite(wanted)])
        scale = max(float(finite.max()) if finite.size else 0.0, 1e-3)
        tolerance = TOLERANCES[wanted.dtype.str[1:]] * spread
        np.testing.assert_allclose(
            found, wanted, rtol=tolerance * 4, atol=tolerance * scale, err_msg=f"{where} {name}"
        )


class Calls:
    """What tests of engines need of this module."""

    names = frozenset(CALLS)
    graph_of = staticmethod(graph_of)
    assert_close = staticmethod(assert_close)

    @staticmethod
    @st.composite
    def of(draw, name, strange=True, plain=False):
        """A call of the operation `name`; see `Drawing`."""
        drawing = Drawing(draw, strange, plain)
        call = CALLS[name](drawing)
        if call.dtype == "scalar" and name != "cast":
            kind = drawing.one("scalar", "scalar", "integer", "logical")
            call = Call([_retyped(value, kind) for value in call.inputs], call.attribs, kind)
        return call

    @staticmethod
    def check(engine, name, call, *, wide=False, **options):
        """An engine computes a call as the reference does."""
        graph, feeds = graph_of(name, call, wide)
        if wide:
            feeds = {
                n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in feeds.items()
            }
        expected = Session(graph).run(feeds)
        results = Session(graph, engine, **options).run(feeds)
        assert_close(results, expected, call.spread, f"{call.attribs}")


@pytest.fixture(scope="session")
def calls():
    """Calls of every standard operation."""
    return Calls


def pytest_generate_tests(metafunc):
    if "standard_operation" in metafunc.fixturenames:
        metafunc.parametrize("standard_operation", CALLS)

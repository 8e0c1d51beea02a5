"""Random graphs: every engine computes what numpy computes, and two engines what one computes."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nnefkit as nk
from nnefkit.execution import Engine, selection
from nnefkit.execution.engine_list import find_engine

FORMS = ["relu({0})", "sigmoid({0})", "neg({0})", "copy({0})", "max({0}, 0.25)", "mul({0}, 0.5)"]
FORMS += ["transpose({0}, axes = [1, 0])", "reshape({0}, shape = [4, 4])", "softmax({0})"]
FORMS += ["pad({0}, padding = [(0, 0), (0, 0)])", "mean_reduce({0}, axes = [])"]
FORMS += ["add({0}, {1})", "sub({0}, {1})", "min({0}, {1})"]
FORMS += [
    "{n}a = matmul({0}, {1}); {n} = tanh({n}a);",
    "[{n}a, {n}b] = split({0}, axis = 1, ratios = [1, 3]); {n} = concat([{n}b, {n}a], axis = 1);",
    "[{n}a, {n}b] = split({0}, axis = 0, ratios = [2, 2]); {n} = concat([{n}a, {n}b], axis = 0);",
    "{n}a = gt({0}, {1}); {n} = select({n}a, {1}, {0});",
    "{n}a = mean_reduce({0}, axes = [1]); {n} = sub({1}, {n}a);",
    "[{n}a, {n}b, {n}c, {n}d] = unstack({0}, axis = 0);"
    " {n} = stack([{n}b, {n}a, {n}d, {n}c], axis = 1);",
]
"""Steps from tensors of shape [4, 4] to another one, ``{n}``, that is no less smooth."""
JUMPS = [
    "{n}a = argmax_reduce({0}, axes = [0]); {n}b = cast<scalar>({n}a); {n}c = gt({n}b, 1.5);"
    " {n} = select({n}c, {0}, {1});",
    "{n} = round({0});",
]
"""Steps that turn a small difference into a large one."""
LACKING = ["relu", "sigmoid", "neg", "copy", "softmax", "transpose", "add", "matmul", "split"]
LACKING += ["concat", "select", "gt", "mean_reduce", "argmax_reduce", "update", "stack", "max"]


@st.composite
def graphs(draw, forms=FORMS):
    """A graph of tensors of shape [4, 4], and the tensors that are requested."""
    names = ["x", "w", "s", "k"]
    lines = [
        "x = external<scalar>(shape = [4, 4]);",
        "w = variable<scalar>(shape = [4, 4], label = 'w');",
        "s = variable<scalar>(shape = [4, 4], label = 's');",
        "k = constant<scalar>(shape = [4, 4], value = [0.5]);",
    ]
    for number in range(draw(st.integers(1, 12))):
        name = f"t{number}"
        first, second = (draw(st.sampled_from(names)) for _ in range(2))
        form = draw(st.sampled_from(forms))
        line = form if form.endswith(";") else f"{{n}} = {form};"
        lines.append(line.format(first, second, n=name))
        names.append(name)
    if draw(st.booleans()):
        lines.append(f"kept = update(s, {draw(st.sampled_from(names))});")
        names.append("kept")
    wanted = draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    text = f"version 1.0; graph g(x) -> ({', '.join(wanted)}) {{ {' '.join(lines)} }}"
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    wide = np.float64 if draw(st.integers(0, 3)) == 0 else np.float32
    data = {name: rng.uniform(-1, 1, (4, 4)).astype(wide) for name in "ws"}
    return nk.parse(text).with_data(data), rng.uniform(-1, 1, (4, 4))


def same(found, expected, tolerance):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        if array.dtype != bool:  # of two near values, either may be the greater
            np.testing.assert_allclose(found[name], array, rtol=0, atol=tolerance)


def agree(graph, x, engine, tolerance, **options):
    """Outputs, traces and state of three runs."""
    reference = nk.Session(graph)
    traced = reference.trace(x)
    tolerance *= max(float(np.abs(array).max()) for array in traced.values())
    reference.reset()
    with nk.Session(graph, engine, **options) as session:
        for _ in range(2):
            same(session.run(x), reference.run(x), tolerance)
            for name, array in reference.variables.items():
                np.testing.assert_allclose(session.variables[name], array, rtol=0, atol=tolerance)
        session.reset()
        same(session.trace(x), traced, tolerance)
    return session


class Limited(Engine):
    """The numpy engine without some operations."""

    name, version = "limited", "1"

    def __init__(self, lacking):
        self.inner = find_engine("numpy")
        self.lacking = lacking

    @property
    def operations(self):
        return self.inner.operations - self.lacking

    def unsupported(self, graph):
        return [op for op in graph.operations if op.name in self.lacking]

    def prepare(self, graph, fetch, watched=()):
        assert not self.unsupported(graph)
        return self.inner.prepare(graph, fetch, watched)


@given(graphs([*FORMS, *JUMPS]), st.sets(st.sampled_from(LACKING)))
@settings(max_examples=60, deadline=None)
def test_any_graph_can_be_divided_between_two_engines(drawn, lacking):
    graph, x = drawn
    limited = Limited(lacking)
    with pytest.MonkeyPatch.context() as patched:
        found = {"limited": limited, "numpy": limited.inner}
        patched.setattr(selection, "find_engine", found.get)
        session = agree(graph, x, "limited", 0.0, fallback="numpy")
    assert session.engine == ("limited+numpy" if limited.unsupported(graph) else "limited")


@pytest.mark.parametrize("engine", ["onnxruntime", "torch", "tract", "auto"])
@given(drawn=graphs())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_engine_computes_whole_graphs_as_numpy_does(engine, drawn):
    graph, x = drawn
    agree(graph, x, engine, 1e-5, fallback="numpy")

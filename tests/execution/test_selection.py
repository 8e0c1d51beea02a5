"""The fastest engine is selected on request, and numpy runs what another engine cannot."""

import os
import subprocess
import sys

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.errors import ExecutionError, MissingPackageError, UnknownNameError
from nnefkit.execution import Engine, Session, run, selection, trace
from nnefkit.execution.engine import installed_version
from nnefkit.execution.engine_list import find_engine
from nnefkit.execution.engines.fallback import Fallback

TEXT = """
version 1.0;
extension KHR_enable_operator_expressions;

graph net(x) -> (y, z, k)
{
    x = external<scalar>(shape = [2, 3]);
    state = variable<scalar>(shape = [2, 3], label = 'state');
    weight = variable<scalar>(shape = [2, 3], label = 'weight');
    k = constant<scalar>(shape = [2], value = [1.0, 2.0]);
    a = relu(x);
    b = sinh(a);
    c = b + state;
    other = a * weight;
    d = tan(c) + k;
    kept = update(state, d * 0.5);
    y = d * other;
    z = copy(state);
}
"""


class Limited(Engine):
    """The numpy engine without some operations; it notes what it is asked to prepare."""

    name = "limited"
    version = "1"

    def __init__(self, *lacking):
        self.inner = find_engine("numpy")
        self.lacking = frozenset(lacking)
        self.prepared = []

    @property
    def operations(self):
        return self.inner.operations - self.lacking

    def unsupported(self, graph):
        return [op for op in graph.operations if op.name in self.lacking]

    def prepare(self, graph, fetch, watched=()):
        assert not self.unsupported(graph)
        self.prepared.append([op.name for op in graph.operations if op.input_names])
        return self.inner.prepare(graph, fetch, watched)


@pytest.fixture(params=[np.float32, np.float64])
def graph(request):
    rng = np.random.default_rng(0)
    data = {name: rng.random((2, 3)).astype(request.param) for name in ("state", "weight")}
    return nk.parse(TEXT).with_data(data)


X = np.linspace(-0.5, 0.5, 6).reshape(2, 3)


@pytest.mark.parametrize("lacking", [("sinh",), ("sinh", "tan"), ("relu", "add"), ("update",)])
def test_two_engines_compute_what_one_computes(graph, lacking, monkeypatch):
    limited = Limited(*lacking)
    monkeypatch.setattr(selection, "find_engine", {"limited": limited, "numpy": limited.inner}.get)
    session, reference = Session(graph, "limited", fallback="numpy"), Session(graph)
    assert session.engine == "limited+numpy"
    for _ in range(3):
        results, expected = session.run(X), reference.run(X)
        assert list(results) == list(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(results[name], array)
            assert results[name].dtype == array.dtype
        np.testing.assert_array_equal(session.variables["state"], reference.variables["state"])
    names = ["x", "state", "weight", "k", "b", "other"]
    expected = reference.run(X, outputs=names)
    for name, array in session.run(X, outputs=names).items():
        np.testing.assert_array_equal(array, expected[name])
    found, expected = session.trace(X), reference.trace(X)
    assert list(found) == list(expected)
    assert set(found.seconds) == set(expected.seconds)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_operations_that_do_not_depend_on_each_other_share_a_segment(monkeypatch):
    lines = ["version 1.0;", "graph net(x) -> (y0, y1, y2)", "{"]
    lines.append("x = external<scalar>(shape = [2]);")
    for i in range(3):
        lines += [f"a{i} = relu(x);", f"b{i} = sinh(a{i});", f"y{i} = exp(b{i});"]
    graph = nk.parse("\n".join([*lines, "}"]))
    limited = Limited("sinh")
    monkeypatch.setattr(selection, "find_engine", {"limited": limited, "numpy": limited.inner}.get)
    Session(graph, "limited", fallback="numpy").run(np.ones(2, np.float32))
    assert limited.prepared == [["relu"] * 3, ["exp"] * 3]


def test_an_engine_that_can_run_all_runs_alone(graph):
    assert Session(graph, "numpy", fallback="numpy").engine == "numpy"
    small = graph.with_outputs(["other"])
    assert Session(small, "onnxruntime", fallback="numpy").engine == "onnxruntime"


def test_a_trace_names_both_engines(graph):
    wide = graph.variables[0].data.dtype == np.float64
    traced = trace(graph, X, "onnxruntime", fallback="numpy")
    assert traced.engine == ("onnxruntime+numpy" if wide else "onnxruntime")
    for name, array in trace(graph, X).items():
        np.testing.assert_allclose(traced[name], array, rtol=1e-5, atol=1e-6)


def test_operations_that_neither_engine_can_run_are_refused_by_name(graph):
    both = Fallback(Limited("sinh", "tan"), Limited("tan", "exp"))
    assert [op.name for op in both.unsupported(graph)] == ["tan"]
    custom = "fragment bessel(x: tensor<scalar>) -> (y: tensor<scalar>);\n\ngraph net"
    text = TEXT.replace("version 1.0;", "version 1.0;\nextension KHR_enable_fragment_definitions;")
    text = text.replace("sinh(a)", "bessel(a)").replace("graph net", custom)
    data = {name: np.ones((2, 3), np.float32) for name in ("state", "weight")}
    graph = nk.parse(text).with_data(data)
    with pytest.raises(ExecutionError, match="'bessel'"):
        Session(graph, "onnxruntime", fallback="numpy")


def test_auto_takes_the_fastest_that_can_run_the_graph(graph, monkeypatch):
    small = graph.with_outputs(["other"])
    assert Session(small, "auto").engine == "onnxruntime"
    assert trace(small, X, "auto").engine == "onnxruntime"
    wide = graph.variables[0].data.dtype == np.float64
    assert Session(graph, "auto").engine == ("torch" if wide else "onnxruntime")
    assert Session(small, "auto", threads=1).engine == "onnxruntime"
    assert run(small, X).engine == "numpy"
    assert run(small, X, "auto").engine == Session(small, "auto").run(X).engine == "onnxruntime"
    expected = run(graph, X)["y"]
    np.testing.assert_allclose(run(graph, X, "auto")["y"], expected, rtol=1e-4)

    def only_numpy(name):
        if name != "numpy":
            raise MissingPackageError(f"no {name} here")
        return find_engine(name)

    monkeypatch.setattr(selection, "find_engine", only_numpy)
    assert Session(graph, "auto").engine == "numpy"


OPTIONS = {
    ("onnxruntime", "thread", 1): "has no option 'thread'.*Did you mean 'threads'",
    ("torch", "devices", "cpu"): "has no option 'devices'.*Did you mean 'device'",
    ("numpy", "fallbak", "numpy"): "has no option 'fallbak'.*Did you mean 'fallback'",
    ("numpy", "device", "cpu"): "'numpy' has no option 'device'.*It has: threads",
    ("numpy", "threads", 0): "'threads' must be from 1 to 1,024, not 0",
    ("auto", "devic", "cpu"): "no engine has an option 'devic'.*Did you mean 'device'",
    ("auto", "timeout", 3): "no engine has an option 'timeout'.*'torch' has device and threads",
    ("onnxruntime", "threads", 0): "from 1 to 1,024, not 0",
    ("onnxruntime", "threads", 10**7): "from 1 to 1,024, not 10000000",
    ("torch", "threads", "2"): "'threads' must be an integer or None, not '2'",
    ("torch", "threads", True): "'threads' must be an integer",
    ("torch", "device", None): "PyTorch has no device None here",
    ("torch", "device", "meta"): "PyTorch has no device 'meta' here",
    ("torch", "device", 3.5): "PyTorch has no device 3.5 here",
    ("tract", "timeout", "x"): "'timeout' must be a number of seconds or None",
    ("tract", "timeout", float("nan")): "'timeout' is nan",
    ("tract", "timeout", 1e9): "less than 1,000,000 seconds.*timeout=None",
    ("onnxruntime", "fallback", "auto"): "there is no engine 'auto'",
    ("onnxruntime", "fallback", 3): "there is no engine '3'",
    ("onnxruntimes", "threads", 1): "Did you mean 'onnxruntime'",
    (None, "threads", 1): "there is no engine 'None'.*'auto' takes the fastest",
    (("numpy",), "threads", 1): "there is no engine",
}


@pytest.mark.parametrize(("engine", "option", "value"), OPTIONS)
def test_wrong_options_are_refused_with_a_hint(engine, option, value):
    graph = nk.parse("version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = relu(x); }")
    with pytest.raises(nk.NnefError, match="(?s)" + OPTIONS[engine, option, value]):
        Session(graph, engine, **{option: value})


def test_the_fastest_engine_with_a_second_one_runs_all_but_custom_operations():
    nk.register_operation(BESSEL, shape=lambda x: x, kernel=np.i0)
    text = TEXT.replace("version 1.0;", f"version 1.0;\n{DEFINITIONS}")
    text = text.replace("graph net", f"{BESSEL}\n\ngraph net")
    data = {name: np.ones((2, 3), np.float32) for name in ("state", "weight")}
    try:
        custom = nk.parse(text.replace("sinh(a)", "bessel(a)")).with_data(data)
        expected = [Session(custom).run(X)[name] for name in "yzk"]
        for engine in ("auto", "onnxruntime", "torch", "tract"):
            session = Session(custom, engine, fallback="numpy")
            assert session.engine == f"{'onnxruntime' if engine == 'auto' else engine}+numpy"
            for name, array in zip("yzk", expected, strict=True):
                np.testing.assert_allclose(session.run(X, name)[name], array, rtol=1e-5)
                session.reset()
        assert Session(custom, "auto").engine == "numpy"
        assert Session(custom, "auto", fallback="numpy", device="cpu").engine == "torch+numpy"
        with pytest.raises(UnknownNameError, match="no engine that can run the graph has an opt"):
            Session(custom, "auto", device="cpu")
    finally:
        nk.unregister_operation("bessel")
    for engine in ("auto", "onnxruntime"):
        with pytest.raises(ExecutionError, match=r"'bessel'[\s\S]*nk.register_operation"):
            Session(custom, engine, fallback="numpy")


DEFINITIONS = "extension KHR_enable_fragment_definitions;"
BESSEL = "fragment bessel( x: tensor<scalar> ) -> ( y: tensor<scalar> );"


BROKEN = """
import numpy as np, nnefkit as nk
graph = nk.parse("version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = relu(x); }")
try:
    nk.run(graph, np.ones(2, np.float32), "%s")
except nk.NnefError as error:
    print(error)
print(nk.Session(graph, "auto").engine, nk.run(graph, np.ones(2, np.float32), "auto")["y"].sum())
"""


@pytest.mark.parametrize(
    ("engine", "package", "instead"),
    [
        ("onnxruntime", "onnxruntime", "torch"),
        ("onnxruntime", "onnx", "torch"),
        ("torch", "torch", "onnxruntime"),
        ("tract", "tract", "onnxruntime"),
    ],
)
def test_a_package_that_is_broken_is_named_and_another_engine_chosen(
    tmp_path, engine, package, instead
):
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise OSError('libgone.so: cannot open')")
    env = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-c", BROKEN % engine]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert "libgone.so: cannot open" in done.stdout
    if engine != "tract":  # which is not imported here, but in a separate process
        assert f"'{package}', which is installed but cannot be imported" in done.stdout
        assert "pip install --force-reinstall" in done.stdout
    assert done.stdout.endswith(f"{instead} 2.0\n")


def test_a_folder_with_the_name_of_a_package_is_not_the_package(tmp_path, monkeypatch):
    (tmp_path / "some_framework").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingPackageError, match=r'pip install "nnefkit\[some\]"'):
        installed_version("some", "some_framework", 'pip install "nnefkit[some]"')


def test_unknown_engines_and_options_are_refused(graph):
    with pytest.raises(UnknownNameError, match="there is no engine 'nump'"):
        Session(graph, "onnxruntime", fallback="nump")
    with pytest.raises(UnknownNameError, match="no engine has an option 'speed'"):
        Session(graph, "auto", speed=11)

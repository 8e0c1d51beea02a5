"""Other distributions add engines by the entry point group `nnefkit.engines`."""

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.execution import Engine
from nnefkit.execution.engine_list import BUILT_IN, GROUP, find_engine

EXAMPLE = Path(__file__).parent / "third_party_engine"
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

GRAPH = nk.parse(
    """
    version 1.0;
    graph g(x) -> (y, z)
    {
        x = external<scalar>(shape = [2, 3]);
        w = variable<scalar>(shape = [2], label = 'w');
        a = mul(x, w);
        b = relu(a);
        y = add(b, 1.0);
        z = sigmoid(y);
    }
    """
).with_data({"w": np.array([2, -3], np.float32)})
PLAIN = GRAPH.with_outputs(["y"])
X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put distributions on the path for one test: modules, and metadata as pip writes it."""
    modules = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def install(name, engines, **sources):
        for module, source in sources.items():
            (tmp_path / f"{module}.py").write_text(source)
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{engine} = {value}" for engine, value in engines.items()]
        (folder / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))

    yield install
    for module in set(sys.modules) - modules:
        del sys.modules[module]


@pytest.fixture
def plain(install):
    """The example, installed."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    source = (EXAMPLE / "nnefkit_plain.py").read_text()
    install(project["name"], project["entry-points"][GROUP], nnefkit_plain=source)


def test_the_example_is_about_40_lines_long():
    code = [line for line in (EXAMPLE / "nnefkit_plain.py").read_text().splitlines() if line]
    assert len(code) <= 45


def test_the_example_runs_traces_and_is_listed(plain):
    expected = nk.trace(PLAIN, X)
    outputs = nk.run(PLAIN, X, engine="plain")
    assert outputs.engine == "plain"
    np.testing.assert_array_equal(outputs["y"], expected["y"])
    traced = nk.trace(PLAIN, X, engine="plain")
    assert nk.compare(expected, traced).equal
    assert all(traced.seconds[name] >= 0 for name in ("a", "b", "y"))
    info = nk.engines()["plain"]
    assert (info.installed, info.version, info.problem) == (True, np.__version__, "")
    assert list(nk.engines()) == [*BUILT_IN, "plain"]
    assert nk.engines().to_frame().loc[["relu", "conv"], "plain"].tolist() == ["yes", "no"]
    assert "plain" in repr(nk.engines())


def test_the_example_computes_in_float64_where_a_variable_is(plain):
    wide = PLAIN.with_data({"w": np.array([1 / 3, 2 / 3])})
    found = nk.run(wide, X.astype(np.float64), "plain")["y"]
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, nk.run(wide, X.astype(np.float64))["y"])


def test_models_that_fail_on_the_example_are_refused_with_the_reason_or_fall_back(plain):
    with pytest.raises(nk.ExecutionError, match=r"'plain' cannot run 'sigmoid'.*'z'"):
        nk.run(GRAPH, X, "plain")
    with pytest.raises(
        nk.ExecutionError, match=r"The plain engine runs add, mul.*fallback='numpy'"
    ):
        nk.run(GRAPH, X, "plain")
    session = nk.Session(GRAPH, "plain", fallback="numpy")
    assert session.engine == "plain+numpy"
    assert nk.compare(nk.trace(GRAPH, X), session.trace(X)).equal
    with pytest.raises(nk.UnknownNameError, match=r"(?s)no option 'threads'.*It has none"):
        nk.Session(PLAIN, "plain", threads=2)


def test_auto_takes_engines_of_nnefkit_only(plain):
    assert nk.Session(PLAIN, "auto").engine != "plain"


def test_a_name_that_is_nearly_that_of_an_added_engine_is_suggested(plain):
    with pytest.raises(nk.UnknownNameError, match="Did you mean 'plain'"):
        nk.run(PLAIN, X, "plane")


BROKEN = {
    "raises": ("raise OSError('no such device')", "OSError: no such device"),
    "empty": ("", "AttributeError: module 'broken_engine' has no attribute 'Broken'"),
    "function": ("def Broken(): pass", "TypeError: .* not a subclass of nnefkit.execution.Engine"),
    "abstract": (
        "from nnefkit.execution import Engine\nclass Broken(Engine):\n    name = 'broken'",
        "TypeError: .*abstract",
    ),
    "other name": (
        "from nnefkit.execution import Engine\nclass Broken(Engine):\n    name = 'whole'\n"
        "    version = '1'\n    operations = frozenset()\n    def prepare(self, *_): pass",
        "ValueError: its name is 'whole'",
    ),
    "no version": (
        "from nnefkit.execution import Engine\nclass Broken(Engine):\n    name = 'broken'\n"
        "    operations = frozenset()\n    def prepare(self, *_): pass",
        "AttributeError: .*version",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_engine_is_reported_with_its_distribution_and_disturbs_no_other(
    plain, install, fault
):
    source, reason = BROKEN[fault]
    install("broken-engine", {"broken": "broken_engine:Broken"}, broken_engine=source)
    message = f"'broken' of the distribution 'broken-engine' 1.0 cannot be loaded: {reason}"
    with pytest.raises(nk.MissingPackageError, match=message):
        nk.run(PLAIN, X, "broken")
    found = nk.engines()
    assert found.installed == (*BUILT_IN, "plain")
    assert "'broken-engine' 1.0" in found["broken"].problem
    assert found.problems == (found["broken"].problem,)
    for shown in (repr(found), found._repr_html_()):
        assert "broken-engine" in shown
    assert "broken" in repr(found["broken"])
    assert nk.run(PLAIN, X, "plain")["y"].shape == (2, 3)


def test_an_engine_whose_package_is_missing_says_how_to_install_it(install):
    source = """
from nnefkit.execution import Engine
from nnefkit.execution.engine import installed_version
class Needy(Engine):
    name = "needy"
    operations = frozenset()
    def __init__(self):
        self.version = installed_version("needy", "no_such_package", "pip install needy[all]")
    def prepare(self, graph, fetch, watched=()):
        pass
"""
    install("needy", {"needy": "needy_engine:Needy"}, needy_engine=source)
    with pytest.raises(nk.MissingPackageError, match=r"(?s)no_such_package.*needy\[all\]"):
        nk.run(PLAIN, X, "needy")
    info = nk.engines()["needy"]
    assert (info.installed, info.hint, info.problem) == (False, "pip install needy[all]", "")


@pytest.mark.parametrize("name", ["numpy", "torch", "auto"])
def test_names_of_nnefkit_cannot_be_taken_over(install, name):
    install("greedy", {name: "greedy_engine:Engine"}, greedy_engine="raise SystemExit")
    assert nk.run(PLAIN, X).engine == "numpy"
    found = nk.engines()
    assert list(found) == list(BUILT_IN)
    assert found.problems == (
        f"the distribution 'greedy' 1.0 declares an engine '{name}', which is a name reserved by "
        "nnefkit; it is ignored",
    )
    assert "'greedy' 1.0" in repr(found)


def test_outdated_metadata_of_nnefkit_itself_does_not_matter(install):
    install("nnefkit", {"numpy": "nnefkit.moved:NumpyEngine", "removed": "nnefkit.removed:Engine"})
    assert nk.run(PLAIN, X).engine == "numpy"
    found = nk.engines()
    assert (list(found), found.problems) == (list(BUILT_IN), ())


def test_two_distributions_that_declare_one_name_are_both_named(install):
    for name in ("first", "second"):
        install(name, {"twin": f"{name}_engine:Engine"})
    with pytest.raises(nk.MissingPackageError, match=r"'first' 1\.0 and 'second' 1\.0"):
        nk.run(PLAIN, X, "twin")
    assert "several distributions" in nk.engines()["twin"].problem


def test_the_engines_of_nnefkit_are_declared_as_those_of_others_are():
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    assert project["entry-points"][GROUP] == BUILT_IN
    for name in BUILT_IN:
        assert isinstance(find_engine(name), Engine)


def test_an_engine_with_one_wrong_kernel_is_found_by_its_operation(install):
    source = (EXAMPLE / "nnefkit_plain.py").read_text().replace("x.clip(0)", "x.clip(-1)")
    source = source.replace('name = "plain"', 'name = "wrong"')
    install("nnefkit-wrong", {"wrong": "nnefkit_wrong:PlainEngine"}, nnefkit_wrong=source)
    found = nk.blame(PLAIN, X, suspect="wrong")
    assert [each.tensor for each in found.guilty] == ["b"]
    assert found["y"].verdict == "passes it on"
    assert found["a"].verdict == "clean"
    assert found.guilty[0].share == pytest.approx(1)

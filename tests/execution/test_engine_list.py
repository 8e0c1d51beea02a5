"""`nk.engines()` lists what is installed and what each engine can run: text, HTML and tables."""

import re

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.execution import engine_list
from nnefkit.execution.engine_list import BUILT_IN, find_engine

REMEDY = 'pip install "nnefkit[tract]"'


@pytest.fixture
def without_tract(monkeypatch):
    def find(name):
        if name == "tract":
            raise nk.MissingPackageError("no tract here", hint=REMEDY)
        return find_engine(name)

    monkeypatch.setattr(engine_list, "find_engine", find)


def test_every_engine_is_listed_with_its_version_and_options():
    found = nk.engines()
    assert list(found) == list(BUILT_IN)
    assert next(iter(found)) == "numpy"
    assert found["numpy"].version == np.__version__
    for shown in (repr(found), found._repr_html_()):
        for info in found.values():
            assert info.version
            for fact in (info.name, info.version, f"{len(info.operations)}", *info.options):
                assert fact in shown
    assert f"{len(BUILT_IN)} of {len(BUILT_IN)} installed" in repr(found)


def test_an_engine_that_is_not_installed_is_listed_with_how_to_install_it(without_tract):
    found = nk.engines()
    assert found.installed == tuple(name for name in BUILT_IN if name != "tract")
    info = found["tract"]
    assert (info.installed, info.operations, info.hint) == (False, frozenset(), REMEDY)
    for shown in (repr(found), repr(info)):
        assert "not installed" in shown
        assert REMEDY in shown
    for page in (found._repr_html_(), info._repr_html_()):
        assert REMEDY.replace('"', "&quot;") in page
    assert (found.to_frame()["tract"] == "no").all()


def test_each_lists_the_operations_that_it_runs_in_full_and_in_part():
    found = nk.engines()
    frame = found.to_frame()
    ours = frame[["numpy", "onnxruntime", "torch", "tract"]]
    assert ours.loc["conv"].tolist() == ["yes", "yes", "yes", "in part"]
    assert ours.loc["sinh"].tolist() == ["yes", "in part", "yes", "yes"]
    assert ours.loc["max_roi_pool"].tolist() == ["yes", "yes", "yes", "no"]
    assert (frame["numpy"] == "yes").all()
    page = found._repr_html_()
    row = next(row for row in re.findall(r"<tr.*?</tr>", page) if ">conv<" in row)
    assert re.findall(r">(yes|no|in part)<", row) == frame.loc["conv"].tolist()
    assert "conv" in repr(found["tract"]).split("in part: ")[1]
    assert "conv" in repr(found["torch"]).split("runs: ")[1]
    for info in found.values():
        assert info.partly <= info.operations


def one(name, wide):
    """A graph of one operation of a number, computed in float64 if it is `wide`."""
    text = f"""version 1.0;
    graph one(x) -> (y, w)
    {{
        x = external<scalar>(shape = [2]);
        w = variable<scalar>(shape = [2], label = 'w');
        y = {name}(x);
    }}"""
    return nk.parse(text).with_data({"w": np.ones(2, np.float64 if wide else np.float32)})


def test_operations_that_an_engine_runs_in_part_are_refused_in_part():
    """float64 is what the partly supported operations of ONNX Runtime lack."""
    engine = find_engine("onnxruntime")
    for name in engine.partly:
        for wide in (False, True):
            graph = one(name, wide)
            assert bool(engine.unsupported(graph)) is wide, name


def test_registered_operations_run_in_numpy_and_are_listed():
    nk.register_operation("fragment twist( x: tensor<scalar> ) -> ( y: tensor<scalar> );")
    try:
        assert "twist" not in nk.engines()["numpy"].operations
        nk.register_operation(
            "fragment twist( x: tensor<scalar> ) -> ( y: tensor<scalar> );", kernel=np.sin
        )
        found = nk.engines()
        assert "twist" in found["numpy"].operations
        runs = found.to_frame().loc["twist"]
        assert runs[runs == "yes"].index.tolist() == ["numpy"]
    finally:
        nk.unregister_operation("twist")


def test_an_unknown_engine_is_refused_with_the_nearest():
    with pytest.raises(nk.UnknownNameError, match="Did you mean 'torch'"):
        nk.engines()["troch"]

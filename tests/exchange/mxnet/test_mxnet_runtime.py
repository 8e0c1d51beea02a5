"""The comparison with MXNet, where a module of that name can be imported."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from mxnet_networks import node, symbol_of, variable

import nnefkit as nk
from nnefkit.exchange.mxnet import runtime

SYMBOL = symbol_of(variable("x"), node("tanh", "y", [0]), node("_mul_scalar", "z", [1], scalar="2"))


class Internals:
    """All outputs of the network, computed by a function of the input."""

    def __init__(self, factor):
        self.functions = {"x": np.asarray, "y_output": np.tanh}
        self.functions["z_output"] = lambda x: factor * np.tanh(x)

    def get_internals(self):
        return self

    def list_outputs(self):
        return [*self.functions]

    def __getitem__(self, name):
        return self.functions[name]


class Group:
    def __init__(self, functions):
        self.functions = functions
        self.arg_dict, self.aux_dict = {}, {}

    def list_inputs(self):
        return ["x"]

    def simple_bind(self, device, grad_req, type_dict, x):
        assert (device, grad_req, type_dict["x"]) == ("cpu", "null", np.float32)
        assert os.environ["MXNET_SUBGRAPH_BACKEND"] == "NONE"
        self.arg_dict["x"] = np.zeros(x, np.float32)
        return self

    def forward(self, is_train):
        assert not is_train
        results = [function(self.arg_dict["x"]) for function in self.functions]
        return [SimpleNamespace(asnumpy=lambda each=each: each) for each in results]


def install(monkeypatch, factor=2.0, fails=False):
    """Make a module importable that computes as MXNet would, or another factor."""

    def load_json(text):
        assert text.encode() == SYMBOL
        if fails:
            raise RuntimeError("first line\nno such operator")
        return Internals(factor)

    module = SimpleNamespace(
        cpu=lambda: "cpu", sym=SimpleNamespace(load_json=load_json, Group=Group)
    )
    monkeypatch.setattr(runtime.util, "find_spec", lambda name: name)
    monkeypatch.setattr(runtime, "import_module", lambda name: module)


def read():
    return nk.from_mxnet(SYMBOL, None, {"x": (2, 3)}, progress=False)


def test_a_network_is_compared_with_mxnet(monkeypatch):
    install(monkeypatch)
    facts = read().provenance
    assert facts["verified"]
    assert facts["largest_difference"] <= 1e-6
    assert "MXNET_SUBGRAPH_BACKEND" not in os.environ


def test_a_difference_to_mxnet_is_an_error(monkeypatch):
    install(monkeypatch, factor=2.01)
    with pytest.raises(nk.ExecutionError, match=r"'z_output', computed by 'mul', is the first"):
        read()


def test_networks_that_mxnet_does_not_run_are_read(monkeypatch):
    install(monkeypatch, fails=True)
    assert read().provenance["not_verified"] == "MXNet cannot run the network: no such operator"

    def not_importable(name):
        raise AttributeError("module 'numpy' has no attribute 'PZERO'")

    monkeypatch.setattr(runtime, "import_module", not_importable)
    assert "cannot be imported beside this version of NumPy" in read().provenance["not_verified"]

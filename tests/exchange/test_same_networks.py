"""One network, stored by six frameworks, becomes one graph, but for names."""

import numpy as np
import pytest

pytest.importorskip("google.protobuf")

from oracles import (
    caffe2_references,
    caffe_references,
    dumped_references,
    mxnet_references,
    torch7_references,
)
from oracles.dumped_references import digits

import nnefkit as nk

READERS = {
    "Caffe": lambda: caffe_references.graph("digits"),
    "Caffe2": lambda: caffe2_references.graph("digits"),
    "MXNet": lambda: mxnet_references.graph("digits"),
    "Torch7": lambda: torch7_references.graph("digits"),
    "Chainer": lambda: dumped_references.graph("chainer", "digits/digits.graph"),
    "Theano": lambda: dumped_references.graph("theano", "digits/digits.graph"),
}
# In Theano, a rectifier is written (x + |x|) / 2, and a bias is added by an operation of its own.
ALIKE = [name for name in READERS if name not in ("Caffe", "Theano")]


@pytest.mark.parametrize("name", ALIKE)
def test_graphs_differ_in_names_alone(name):
    difference = nk.diff(READERS["Caffe"](), READERS[name]())
    assert difference.ok
    assert not difference.equal
    assert difference.weights_equal == 6
    assert difference.summary.startswith("The graphs compute the same; only names differ")


def chances(name):
    images, labels = digits()
    graph = READERS[name]()
    # One after the other: a graph of Chainer is that of one example.
    with nk.Session(graph, "onnxruntime") as session:
        found = [session.run(image, progress=False)[graph.outputs[0]] for image in images]
    return np.concatenate(found), labels


@pytest.mark.parametrize("name", READERS)
def test_digits_are_read_alike_and_well(name):
    found, labels = chances(name)
    np.testing.assert_allclose(found, chances("Caffe")[0], rtol=0, atol=5e-7)
    assert (found.argmax(1) == labels).mean() >= 0.94

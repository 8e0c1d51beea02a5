"""Damaged ONNX files: truncated external data, unknown element types, names that are not UTF-8."""

import os
import random

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import nnefkit as nk

IMAGE = {"x": np.ones((1, 64), np.float32)}


def model(element=1):
    weight = numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
    inputs = [helper.make_tensor_value_info("x", element, [1, 64])]
    outputs = [helper.make_tensor_value_info("y", 1, [1, 64])]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["z"], name="first"),
        helper.make_node("Pad", ["z", "no"], ["y"], mode="constant"),
    ]
    zeros = numpy_helper.from_array(np.zeros(4, np.int64), "no")
    graph = helper.make_graph(nodes, "g", inputs, outputs, [weight, zeros])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def refused(source, words=None):
    for call in (lambda: nk.from_onnx(source), lambda: nk.trace_onnx(source, IMAGE)):
        with pytest.raises(nk.NnefError, match=words) as caught:
            call()
        assert caught.value.diagnostics[0].message


@pytest.fixture
def external(tmp_path):
    """A model whose weights are in a separate file."""
    path = tmp_path / "model" / "model.onnx"
    path.parent.mkdir()
    onnx.save_model(
        model(), path, save_as_external_data=True, location="w.bin", size_threshold=10_000
    )
    assert nk.from_onnx(path).provenance["verified"]
    return path


@pytest.mark.parametrize("length", [0, 100, 16383])
def test_truncated_external_data_is_refused(external, length):
    os.truncate(external.with_name("w.bin"), length)
    refused(external, "cannot be read")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("offset", "-5"),
        ("offset", "abc"),
        ("offset", "9" * 30),
        ("length", "-3"),
        ("length", "9" * 30),
        ("length", "x"),
        ("length", "3"),
        ("location", "../secret.bin"),
        ("location", "/etc/passwd"),
        ("location", ""),
        ("location", "."),
        ("location", "a\0b"),
        ("location", "missing.bin"),
    ],
)
def test_impossible_entries_of_external_data_are_refused(external, key, value):
    external.parent.with_name("secret.bin").write_bytes(bytes(1 << 15))
    proto = onnx.load(external, load_external_data=False)
    entries = proto.graph.initializer[0].external_data
    next(entry for entry in entries if entry.key == key).value = value
    external.write_bytes(proto.SerializeToString())
    refused(external)


def test_external_data_behind_a_link_is_refused(external):
    data = external.with_name("w.bin")
    data.rename(external.parent.with_name("w.bin"))
    data.symlink_to(external.parent.with_name("w.bin"))
    refused(external, "cannot be read")


@pytest.mark.parametrize("element", [99, 76, 1000])
def test_inputs_of_unknown_types_are_refused(element):
    refused(model(element), f"unknown element type {element}")


@pytest.mark.parametrize("element", [-1, 0, 8, 15, 22, 23, 24, 99])
def test_weights_of_other_types_are_refused(element):
    proto = model()
    proto.graph.initializer[0].data_type = element
    refused(proto)


@pytest.mark.parametrize(
    ("name", "damaged"),
    [(b"MatMul", b"Mat\xff\xfe\xfd"), (b"first", b"fir\xc3\x28"), (b"\x01z", b"\x01\xff")],
)
def test_names_that_are_not_utf8_are_refused(tmp_path, name, damaged):
    content = model().SerializeToString()
    assert name in content
    content = content.replace(name, damaged)
    (tmp_path / "m.onnx").write_bytes(content)
    refused(tmp_path / "m.onnx", "not UTF-8")
    refused(content, "not UTF-8")


def test_a_producer_that_is_not_utf8_does_not_matter():
    proto = model()
    proto.producer_name, proto.producer_version = "nobody", "1.2"
    content = proto.SerializeToString().replace(b"nobody", b"no\xff\xfe\xfdy")
    graph = nk.from_onnx(content)
    assert graph.provenance["producer"] == "no\ufffd\ufffd\ufffdy 1.2"


def test_attributes_that_are_not_utf8_are_refused(tmp_path):
    content = model().SerializeToString().replace(b"constant", b"\xffonstant")
    (tmp_path / "m.onnx").write_bytes(content)
    refused(tmp_path / "m.onnx")


def test_randomly_damaged_files_are_read_or_refused(tmp_path):
    whole = model().SerializeToString()
    drawn = random.Random(7)
    refusals = 0
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(drawn.choice([1, 2, 5])):
            near = drawn.random() < 0.5
            place = drawn.randrange(40) if near else -1 - drawn.randrange(160)
            content[place] = drawn.randrange(256)
        (tmp_path / "m.onnx").write_bytes(content)
        try:
            nk.from_onnx(tmp_path / "m.onnx", verify=False)
        except nk.NnefError:
            refusals += 1
    assert refusals > 50

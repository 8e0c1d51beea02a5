"""Graphs that text cannot express: saving refuses them, validation reports them."""

import dataclasses

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.graph import FrozenDict

TEXT = (
    "version 1.0; graph net(x) -> (y) { x = external(shape = [1, 2]); "
    "y = leaky_relu(x, alpha = 0.5); }"
)


def _with_alpha(value):
    graph = nk.parse(TEXT)
    changed = dataclasses.replace(graph.operations[1], attribs=FrozenDict(alpha=value))
    return dataclasses.replace(graph, operations=(graph.operations[0], changed))


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (-float("inf"), "-inf"),
        (np.float32("inf"), "inf"),
        ([0.5, float("inf")], "inf"),
        ([(0.5, [float("nan")])], "nan"),
        (2**63, "64 bits"),
        (None, "NoneType"),
        ("é", "é"),
        ("a\nb", "\\n"),
    ],
)
def test_an_argument_without_a_literal_is_refused_by_name(tmp_path, value, word):
    graph = _with_alpha(value)
    with pytest.raises(nk.NnefError) as raised:
        nk.save(graph, tmp_path / "model")
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.code == "not-expressible"
    assert "leaky_relu of 'y': argument 'alpha'" in diagnostic.message
    assert word in diagnostic.message
    assert diagnostic.hint
    assert not (tmp_path / "model").exists()
    assert nk.validate(graph).errors == (diagnostic,)
    assert "alpha" in str(graph)


@pytest.mark.parametrize("value", [0.5, np.float32(0.25), -1e-300])
def test_numbers_of_every_type_are_written(tmp_path, value):
    nk.save(_with_alpha(value), tmp_path / "model")
    assert nk.load(tmp_path / "model").operations[1].attribs["alpha"] == value


@pytest.mark.parametrize("name", ["1x", "a-b", "a b", "", "é", "for", "true", "graph"])
def test_a_name_that_is_not_an_identifier_is_refused(tmp_path, name):
    graph = dataclasses.replace(nk.parse(TEXT), name=name)
    with pytest.raises(nk.NnefError) as raised:
        nk.save(graph, tmp_path / "model")
    assert repr(name) in raised.value.diagnostics[0].message


def test_quantization_arguments_are_checked_as_well(tmp_path):
    graph = nk.parse(TEXT)
    info = FrozenDict({"op-name": "logarithmic_quantize", "max": float("inf"), "bits": 4})
    tensors = {**graph.tensors, "y": dataclasses.replace(graph.tensors["y"], quantization=info)}
    with pytest.raises(nk.NnefError, match="quantization of 'y': argument 'max' is inf"):
        nk.save(dataclasses.replace(graph, tensors=FrozenDict(tensors)), tmp_path / "model")


@pytest.mark.parametrize(("field", "names"), [("outputs", ("y", "y")), ("inputs", ("x", "x"))])
def test_a_name_that_is_listed_twice_is_refused(tmp_path, field, names):
    graph = dataclasses.replace(nk.parse(TEXT), **{field: names})
    with pytest.raises(nk.DocumentError, match=f"lists its {field[:-1]} '.' twice"):
        nk.save(graph, tmp_path / "model")

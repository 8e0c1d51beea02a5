"""Documents that tract and torch-to-nnef wrote, known by their extensions."""

from pathlib import Path

import numpy as np
import pytest

import nnefkit as nk

# Small networks with random weights: `cnn_nnef` written by tract 0.23.9, the others by
# torch-to-nnef 0.24.12. `io.npz` has what the package `tract` computes.
FILES = Path(__file__).parent / "tract_files"
HEAD = "version 1.0; extension tract_registry tract_core; extension tract_symbol N; "
X = "x = tract_core_external(shape = [1, 4, 6, 6], datum_type = 'f32'); "


def document(body, external=X, fragments=""):
    return f"{HEAD}{fragments} graph net( x ) -> ( y ) {{ {external}{body} }}"


def codes(text):
    return [d.code for d in nk.validate(text).errors]


@pytest.mark.parametrize("name", ["linear", "cnn_nnef"])
def test_a_document_runs_as_in_tract(name, tmp_path):
    graph = nk.load(FILES / name)
    with np.load(FILES / name / "io.npz") as arrays:
        inputs = {key: arrays[f"input_{key}"] for key in graph.inputs}
        wanted = {key: arrays[f"output_{key}"] for key in graph.outputs}
    for key, value in nk.run(graph, inputs).items():
        np.testing.assert_allclose(value, wanted[key], rtol=1e-5, atol=1e-6)
    assert nk.validate(FILES / name).errors == ()
    nk.save(graph, tmp_path / "model.nnef.tgz")
    assert str(nk.load(tmp_path / "model.nnef.tgz")) == str(graph)
    assert str(nk.parse(nk.to_text(graph))) == str(graph)
    tract = pytest.importorskip("tract")
    model = tract.nnef().load(tmp_path / "model.nnef.tgz").into_runnable()
    for key, value in zip(graph.outputs, model.run([*inputs.values()]), strict=True):
        np.testing.assert_array_equal(value.to_numpy(), wanted[key])


def test_operations_of_tract_are_shown_but_not_run():
    graph = nk.load(FILES / "embedding")
    assert graph.tensors["x"].dtype == "integer"
    assert graph.computations[0].name == "tract_core_gather"
    assert "tract_core_gather" in repr(graph)
    with pytest.raises(nk.NnefError, match="cannot run 'tract_core_gather'"):
        nk.run(graph, {"x": np.zeros((1, 3), np.int64)})


def test_fragments_that_operations_name_and_properties_are_retained():
    text = (FILES / "lstm" / "graph.nnef").read_text()
    graph = nk.parse(text)
    printed = str(graph)
    assert "fragment lstm_scan_loop(" in printed
    assert '("torch_to_nnef_version", "0.24.12"),' in printed
    assert str(nk.parse(printed)) == printed


def test_types_of_inputs_and_arrays_are_those_of_the_standard():
    for datum_type, dtype in (("f32", "scalar"), ("i64", "integer"), ("bool", "logical")):
        graph = nk.parse(document("y = copy(x);", X.replace("f32", datum_type)))
        assert (graph.tensors["x"].dtype, graph.tensors["x"].shape) == (dtype, (1, 4, 6, 6))
    graph = nk.parse(document("k = [[0.5, 1e20], [-1.0, 0.0]]; z = add(x, 1.0); y = copy(k);"))
    assert graph.tensors["y"].shape == (2, 2)
    assert graph.tensors["k"].data.tolist() == [[0.5, np.float32(1e20)], [-1.0, 0.0]]
    assert "    k = [[0.5, 1e20], [-1.0, 0.0]];\n" in str(graph)


FRAGMENT = "fragment f( a: tensor<scalar> ) -> ( b: tensor<scalar> ) { b = a * 2.0 + a; }"


def test_fragments_and_expressions_need_no_extension():
    graph = nk.parse(document("y = f(x) - 1.0;", fragments=FRAGMENT))
    assert [op.name for op in graph.computations] == ["mul", "add", "sub"]
    assert codes(document("y = f(x);", fragments=FRAGMENT).replace("tract_", "other_"))


REFUSED = {
    "deconv": "y = deconv(x, 1.0);",
    "unknown border": "y = conv(x, 1.0, border = 'ignore');",
    "depthwise": "w = [[[[1.0]]]]; y = conv(x, w, groups = 0);",
    "zeros win": "y = max_pool(x, size = [1, 1, 2, 2], padding = [(0,0), (0,0), (1,1), (1,1)]);",
    "window in the border": "y = max_pool(x, size = [1, 1, 1, 1], border = 'ignore', "
    "padding = [(0,0), (0,0), (1,0), (0,0)]);",
    "window over channels": "y = avg_pool(x, size = [1, 4, 1, 1], border = 'ignore');",
    "slice to the end": "y = slice(x, axes = [1], begin = [1], end = [0]);",
    "slice with a stride": "y = slice(x, axes = [1], begin = [0], end = [4], stride = [2]);",
    "softplus": "y = softplus(x);",
    "elu": "y = elu(x, alpha = 0.5);",
    "rounding": "y = round(x);",
    "local response": "y = local_response_normalization(x, size = [1, 3, 1, 1]);",
    "in a fragment": "y = g(x);",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_differs_in_tract_is_refused_by_name(name):
    fragment = "fragment g( a: tensor<scalar> ) -> ( b: tensor<scalar> ) { b = gelu(a); }"
    text = document(REFUSED[name], fragments=fragment)
    assert "tract-difference" in codes(text)
    for strict in (True, False):
        for expand in (True, False):
            with pytest.raises(nk.DocumentError, match="tract-difference"):
                nk.parse(text, strict=strict, expand=expand)
    assert "tract-difference" not in codes(text.replace("tract_", "other_"))


@pytest.mark.parametrize(
    "external",
    [
        X.replace("f32", "f16"),
        X.replace("'f32'", "1"),
        X.replace("[1, 4, 6, 6]", "[N, 4, 6, 6]"),
    ],
)
def test_inputs_that_cannot_be_read_are_refused(external):
    assert codes(document("y = relu(x);", external))[0] == "tract-difference"


@pytest.mark.parametrize(
    "body",
    [
        "y = [1, 2];",
        "y = [[1.0], [1.0, 2.0]];",
        "y = [];",
        "y = [x, 1.0];",
        "y = 1.0;",
        "z = tract_core_external(x); y = copy(x);",
        "y = other_operation(x);",
    ],
)
def test_what_is_not_sure_is_refused(body):
    with pytest.raises(nk.DocumentError):
        nk.parse(document(body))


def test_quantization_is_refused():
    text = document("y = relu(x);")
    with pytest.raises(nk.DocumentError, match="quantization of documents in tract's dialect"):
        nk.parse(text, '"y": linear_quantize(min = 0.0, max = 1.0, bits = 8);')


def test_lists_of_a_wrong_length_are_reported_once():
    body = "y = max_pool(x, size = [1, 1, 2, 2], dilation = [1], padding = [(0, 0)]);"
    assert set(codes(document(body))) == {"shape-mismatch"}

"""Documents that break the rules are opened with `strict=False`, and saved by the rules."""

from __future__ import annotations

import os
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest

import nnefkit as nk

GRAPH = "graph g(x) -> (y) { x = external(shape = [2]); y = gelu(x); }"
GELU = "fragment gelu(a: tensor<scalar>) -> (b: tensor<scalar>) { b = a * 3.0; }"
BOTH = "extension KHR_enable_fragment_definitions KHR_enable_operator_expressions;"


def _codes(report):
    return [d.code for d in report.errors], [d.code for d in report.warnings]


def test_missing_extensions_are_warnings():
    own = "fragment f(a: tensor<scalar>) -> (b: tensor<scalar>) { b = a * 3.0; }"
    text = f"version 1.0; {own} {GRAPH.replace('gelu', 'f')}"
    twice = ["extension-not-enabled"] * 2
    assert _codes(nk.validate(text)) == (twice, [])
    assert _codes(nk.validate(text, strict=False)) == ([], twice)
    with pytest.raises(nk.DocumentError):
        nk.parse(text)
    for expand in (True, False):
        graph = nk.parse(text, strict=False, expand=expand)
        saved = nk.parse(str(graph), expand=expand)
        assert nk.run(saved, [1.0, 2.0])["y"].tolist() == [3.0, 6.0]


@pytest.mark.parametrize("expand", [True, False, ["f"]])
def test_a_redefined_compound_operation_is_computed_as_the_document_defines_it(expand):
    own = "fragment f(a: tensor<scalar>) -> (b: tensor<scalar>) { b = gelu(a); }"
    for call in ("gelu", "f"):
        text = f"version 1.0; {BOTH} {GELU} {own} {GRAPH.replace('gelu', call)}"
        assert _codes(nk.validate(text)) == (["redefined-operation"], [])
        assert _codes(nk.validate(text, strict=False)) == ([], ["redefined-operation"])
        graph = nk.parse(text, strict=False, expand=expand)
        assert [op.name for op in graph.operations] == ["external", "mul"]
        again = nk.parse(str(graph))
        assert np.array_equal(nk.run(again, [1.0, 2.0])["y"], [3.0, 6.0])


def test_other_redefinitions_remain_errors():
    primitive = GELU.replace("gelu", "exp")
    bodiless = "fragment gelu(a: tensor<scalar>) -> (b: tensor<scalar>);"
    for fragments in (primitive, bodiless, GELU + GELU):
        text = f"version 1.0; {BOTH} {fragments} {GRAPH}"
        assert nk.validate(text, strict=False).errors[0].code == "redefined-operation"


LABELS = """version 1.0;
graph g(x) -> (y)
{
    x = external(shape = [1, 2]);
    a = variable(shape = [1, 2], label = 'block::first/w 1');
    b = variable(shape = [1, 2], label = 'BLOCK::First/w 1');
    c = variable(shape = [1, 2], label = 'block_first/w_1');
    d = variable(shape = [1, 2], label = 'block:first/w_1');
    y = x + a + 10.0 * b + 100.0 * c + 1000.0 * d;
}
""".replace("1.0;", f"1.0; {BOTH}", 1)


def test_characters_that_labels_cannot_have_are_replaced(tmp_path):
    assert _codes(nk.validate(LABELS)) == (["invalid-argument"] * 3, [])
    assert _codes(nk.validate(LABELS, strict=False)) == ([], ["invalid-argument"] * 3)
    (tmp_path / "model" / "block::first").mkdir(parents=True)
    (tmp_path / "model" / "block_first").mkdir()
    (tmp_path / "model" / "block:first").mkdir()
    for label, value in [
        ("block::first/w 1", 1),
        ("block_first/w_1", 2),
        ("block:first/w_1", 3),
    ]:
        path = tmp_path / "model" / f"{label}.dat"
        nk.io.storage.write_tensor(path, np.full((1, 2), value, np.float32))
    (tmp_path / "model" / "graph.nnef").write_text(LABELS)
    with pytest.raises(nk.DocumentError, match="not allowed"):
        nk.load(tmp_path / "model")
    graph = nk.load(tmp_path / "model", strict=False)
    labels = {v.name: v.label for v in graph.variables}
    assert labels["c"] == "block_first/w_1"
    assert labels["a"] == labels["b"]
    assert len({label.lower() for label in labels.values()}) == 3
    expected = [[3211.0, 3211.0]]
    assert nk.run(graph, [[0.0, 0.0]])["y"].tolist() == expected
    nk.save(graph, tmp_path / "saved")
    assert nk.run(nk.load(tmp_path / "saved"), [[0.0, 0.0]])["y"].tolist() == expected
    assert nk.validate(tmp_path / "saved").ok


@pytest.mark.skipif(os.name == "nt", reason="'b:' is a drive")
@pytest.mark.parametrize("ending", ["", ".tar", ".nnef.tgz", ".zip"])
@pytest.mark.parametrize("label", ["b::w", "b::w/x", "a/b::w", "./b::w", "B::"])
def test_labels_that_begin_with_one_letter_are_not_drives(tmp_path, label, ending):
    model = tmp_path / "model"
    text = (
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 2]); "
        f"w = variable(shape = [1, 2], label = '{label}'); y = add(x, w); }}"
    )
    data = model / f"{label}.dat"
    data.parent.mkdir(parents=True)
    nk.io.storage.write_tensor(data, np.full((1, 2), 3, np.float32))
    (model / "graph.nnef").write_text(text)
    path = model
    if ending:
        path = tmp_path / f"archive{ending}"
        _pack(model, path)
    with pytest.raises(nk.DocumentError, match="not allowed"):
        nk.load(path)
    graph = nk.load(path, strict=False)
    assert nk.run(graph, [[0.0, 0.0]])["y"].tolist() == [[3, 3]]
    assert ":" not in graph.variables[0].label
    # What is saved has a name for every system.
    nk.save(graph, tmp_path / "saved")
    assert not list((tmp_path / "saved").rglob("*:*"))
    assert nk.run(nk.load(tmp_path / "saved"), [[0.0, 0.0]])["y"].tolist() == [[3, 3]]


def _pack(model, path):
    """Pack a folder with the packages of Python."""
    files = [file for file in model.rglob("*") if file.is_file()]
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(model))
        return
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as archive:
        for file in files:
            archive.add(file, str(file.relative_to(model)))


@pytest.mark.parametrize("label", ["C:/x", "C:\\x", "./C:/x", ".\\c:x", "C:x", "c:"])
def test_drives_remain_errors_on_reading_and_writing(tmp_path, label):
    (tmp_path / "graph.nnef").write_text(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1]); "
        f"w = variable(shape = [1], label = '{label}'); y = add(x, w); }}"
    )
    with pytest.raises(nk.NnefError):
        nk.load(tmp_path, strict=False)


@pytest.mark.parametrize("label", ["b::w", "C:/x", "C:\\x", "./C:/x"])
def test_a_graph_with_such_a_label_is_not_saved(tmp_path, label):
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 1]); "
        "w = variable(shape = [1, 1], label = 'w'); y = add(x, w); }"
    ).with_data({"w": np.ones((1, 1), np.float32)})
    tensor = replace(graph.tensors["w"], label=label)
    variable = graph.operations[1]
    changed = replace(variable, attribs={**variable.attribs, "label": label})
    graph = replace(
        graph,
        tensors={**graph.tensors, "w": tensor},
        operations=(graph.operations[0], changed, graph.operations[2]),
    )
    with pytest.raises(nk.NnefError) as caught:
        nk.save(graph, tmp_path / "saved")
    assert label in str(caught.value)
    assert caught.value.diagnostics[0].hint
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize("label", ["../w::1", "", "/w:1"])
def test_labels_that_lead_elsewhere_remain_errors(tmp_path, label):
    (tmp_path / "graph.nnef").write_text(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1]); "
        f"w = variable(shape = [1], label = '{label}'); y = add(x, w); }}"
    )
    with pytest.raises(nk.NnefError):
        nk.load(tmp_path, strict=False)


CONVOLUTIONS = {
    "conv": ([1, 4, 5, 5], "y = conv(x, f, b);", [6, 4, 3, 3], 6),
    "grouped conv": ([1, 4, 5, 5], "y = conv(x, f, b, groups = 2);", [6, 2, 3, 3], 6),
    "deconv": ([1, 4, 5, 5], "y = deconv(x, f, b);", [4, 3, 3, 3], 3),
    "grouped deconv": ([1, 4, 5, 5], "y = deconv(x, f, b, groups = 2);", [4, 3, 3, 3], 6),
    "depthwise deconv": ([1, 4, 5, 5], "y = deconv(x, f, b, groups = 0);", [4, 1, 3, 3], 4),
}
SEPARABLE = """version 1.0;
graph g(x) -> (y, z)
{
    x = external(shape = [1, 4, 5, 5]);
    p = variable(shape = [4, 1, 3, 3], label = 'p');
    q = variable(shape = [6, 4, 1, 1], label = 'q');
    r = variable(shape = [4, 2, 1, 1], label = 'r');
    s = variable(shape = [2, 3, 3, 3], label = 's');
    b = variable(shape = SHAPE, label = 'b');
    y = separable_conv(x, p, q, b);
    z = separable_deconv(x, s, r, b);
}
"""


def test_biases_of_rank_1_of_separable_convolutions_are_repaired():
    text = SEPARABLE.replace("SHAPE", "[6]")
    assert _codes(nk.validate(text, strict=False)) == ([], ["shape-mismatch"] * 2)
    assert str(nk.parse(text, strict=False)) == str(nk.parse(SEPARABLE.replace("SHAPE", "[1, 6]")))


def _text(kind, extent, more=""):
    shape, call, weights, _ = CONVOLUTIONS[kind]
    return (
        f"version 1.0; graph g(x) -> (y) {{ x = external(shape = {shape}); "
        f"f = variable(shape = {weights}, label = 'f'); "
        f"b = variable(shape = {extent}, label = 'b'); {more} {call} }}"
    )


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_biases_of_rank_1_are_those_of_the_channels(kind, tmp_path):
    shape, _, weights, count = CONVOLUTIONS[kind]
    text = _text(kind, [count])
    assert _codes(nk.validate(text)) == (["shape-mismatch"], [])
    assert _codes(nk.validate(text, strict=False)) == ([], ["shape-mismatch"])
    generator = np.random.default_rng(1)
    f, b = generator.standard_normal(weights, "f"), generator.standard_normal(count, "f")
    x = generator.standard_normal(shape, "f")
    nk.io.storage.write_tensor(tmp_path / "f.dat", f)
    nk.io.storage.write_tensor(tmp_path / "b.dat", b)
    (tmp_path / "graph.nnef").write_text(text)
    graph = nk.load(tmp_path, strict=False)
    right = nk.parse(_text(kind, [1, count])).with_data({"f": f, "b": b[None]})
    assert np.array_equal(nk.run(graph, x)["y"], nk.run(right, x)["y"])
    nk.save(graph, tmp_path / "saved.zip")
    assert nk.load(tmp_path / "saved.zip").tensors["b"].shape == (1, count)


def test_other_biases_of_rank_1_remain_errors():
    # It has another number of channels, or is used in another way, too.
    for text in (_text("conv", [5]), _text("conv", [6], "z = sqrt(b);"), _text("conv", [6, 1])):
        assert _codes(nk.validate(text, strict=False)) == (["shape-mismatch"], [])

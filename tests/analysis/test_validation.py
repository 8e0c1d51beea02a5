"""`validate` reports all problems of a model, in the order of its text, and never raises."""

import dataclasses
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnefkit as nk
from nnefkit.errors import DocumentError, InputError
from nnefkit.graph import FrozenDict
from nnefkit.graph.input_shapes import reshaped

TEXT = """version 1.0;

graph net(input) -> (output)
{
    input = external<scalar>(shape = [1, 2]);
    filter = variable<scalar>(shape = [2, 2], label = 'filter');
    product = matmul(input, filter);
    output = relu(product);
}
"""
BROKEN = TEXT.replace("relu(product)", "reluu(product)")
DEPRECATED = TEXT.replace("relu(product)", "linear_quantize(product, 0.0, 1.0, bits = 8)")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "graph.nnef").write_text(TEXT)
    nk.write_tensor(tmp_path / "filter.dat", np.eye(2, dtype=np.float32))
    return tmp_path


def test_a_valid_model_has_a_short_report(folder):
    report = nk.validate(folder)
    assert report.ok
    assert report.diagnostics == ()
    assert str(report).endswith("valid: 0 errors, 0 warnings; checked 2 operations, 1 variable")
    assert report.graph.tensors["output"].shape == (1, 2)
    report.raise_for_errors()


@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_a_model_is_given_by_its_path(folder, kind):
    for path in (folder, folder / "graph.nnef"):
        assert nk.validate(kind(path)).ok


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("\n", " "), TEXT.replace("\n", "\r\n")])
def test_a_text_is_distinguished_from_a_path(text):
    assert nk.validate(text).ok


@pytest.mark.parametrize("text", ["", "  ", "\n", "graph {", "version 1.0;", "\0\n", "a\n" * 5000])
def test_a_blank_string_is_a_text(text):
    report = nk.validate(text)
    assert report.errors[0].file == "graph.nnef"


@pytest.mark.parametrize("path", ["missing", "missing.nnef", "graph x", "a" * 5000, "nul\0"])
def test_a_path_that_does_not_exist_gets_a_report_too(path):
    report = nk.validate(path)
    assert not report.ok
    assert report.graph is None
    assert report.errors[0].code == "storage"


def test_a_file_whose_name_looks_like_a_text_is_found(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "graph.nnef").rename(folder / "a;{b}.nnef")
    assert nk.validate("a;{b}.nnef").name == "a;{b}.nnef"


@pytest.mark.parametrize("source", [None, 3, b"version 1.0;", ["graph.nnef"]])
def test_anything_but_a_model_is_refused(source):
    with pytest.raises(InputError, match="cannot be validated"):
        nk.validate(source)


def test_severities_are_separated():
    report = nk.validate(DEPRECATED)
    assert report.ok
    assert [d.severity for d in report.warnings] == ["warning"] * len(report.warnings)
    assert "linear_quantize" in report.warnings[0].message
    assert report.warnings[0].line == 8
    both = nk.validate(DEPRECATED.replace("matmul", "mtamul"))
    assert [d.line for d in both.diagnostics] == sorted(d.line for d in both.diagnostics)
    assert both.errors
    assert "not valid" in str(both)


@pytest.mark.parametrize(
    ("values", "words"),
    [([np.nan, 1, 2, 3], "1 NaN among 4"), ([np.nan, np.inf, -np.inf, 3], "1 NaN and 2 infinite")],
)
def test_weights_that_are_not_finite_get_a_warning_at_their_line(folder, values, words):
    data = np.array(values, np.float32).reshape(2, 2)
    nk.write_tensor(folder / "filter.dat", data)
    report = nk.validate(folder)
    assert report.ok
    (warning,) = report.warnings
    assert (warning.code, warning.line) == ("non-finite-data", 6)
    assert words in warning.message
    assert nk.validate(nk.load(folder)).warnings == (warning,)


@pytest.mark.parametrize(
    ("label", "value", "warnings"),
    [("negative_infinity", -np.inf, 0), ("negative_infinity", np.nan, 1), ("scale", -np.inf, 1)],
)
def test_a_variable_may_stand_for_infinity_if_its_label_says_so(label, value, warnings):
    text = (
        "version 1.0; graph net(x) -> (y) { x = external<scalar>(shape = [2]); "
        f"c = variable<scalar>(shape = [1], label = '{label}'); y = max(x, c); }}"
    )
    graph = nk.parse(text).with_data({"c": np.array([value], np.float32)})
    report = nk.validate(graph)
    assert report.ok
    assert len(report.warnings) == warnings


def test_a_loaded_graph_is_reported_as_its_file_is(folder):
    (folder / "graph.nnef").write_text(DEPRECATED)
    assert nk.validate(nk.load(folder)).diagnostics == nk.validate(folder).diagnostics


def test_a_graph_that_was_changed_is_reported_by_its_own_text(folder):
    graph = nk.load(folder)
    assert nk.validate(graph.with_outputs(["product"])).ok
    relu = graph.producers["output"]
    wrong = dataclasses.replace(
        graph, operations=(*graph.operations[:-1], dataclasses.replace(relu, name="reluu"))
    )
    report = nk.validate(wrong)
    assert "Did you mean 'relu'" in report.errors[0].hint
    assert report.errors[0].excerpt in str(wrong)


def test_shapes_of_a_graph_are_checked_again():
    graph = nk.parse(TEXT)
    report = nk.validate(reshaped(graph, {"input": (1, 3)}))
    assert "matmul" in report.errors[0].message
    assert "matmul(input, filter" in report.errors[0].excerpt


def test_a_graph_built_by_hand_is_checked_whole():
    graph = dataclasses.replace(nk.parse(TEXT), source=None)
    assert nk.validate(graph).ok
    variable = graph.producers["filter"]
    bare = dataclasses.replace(variable, attribs=FrozenDict(shape=[2, 2], label=""))
    operations = tuple(bare if op is variable else op for op in graph.operations)
    report = nk.validate(dataclasses.replace(graph, operations=operations))
    assert "label" in report.errors[0].message


def test_unknown_operations_get_a_warning_where_they_are_allowed():
    text = TEXT.replace("relu(product)", "vendor_relu(product)")
    assert not nk.validate(text).ok
    report = nk.validate(text, strict=False)
    assert report.ok
    assert "vendor_relu" in report.warnings[0].message


def test_frame_has_a_row_for_each_diagnostic():
    frame = nk.validate(BROKEN).to_frame()
    assert list(frame["severity"]) == ["error"]
    assert frame["line"][0] == 8
    assert nk.validate(TEXT).to_frame().empty


def test_every_display_shows_every_diagnostic():
    report = nk.validate(BROKEN)
    (error,) = report.errors
    for shown in (str(report), repr(report), report._repr_html_()):
        for fact in ("reluu", error.code, error.section, "not valid"):
            assert fact in shown
    assert "not valid" not in nk.validate(TEXT)._repr_html_()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_report_finds_any_damage_to_a_text(data):
    cut = data.draw(st.integers(0, len(TEXT)))
    end = data.draw(st.integers(cut, min(len(TEXT), cut + 12)))
    text = TEXT[:cut] + data.draw(st.text("{}[]()<>;:,'\"=#aé0.-\n", max_size=4)) + TEXT[end:]
    report = nk.validate(text + "\n")
    for diagnostic in report.diagnostics:
        assert diagnostic.line is None or diagnostic.excerpt == text.split("\n")[
            diagnostic.line - 1
        ].rstrip("\r")
    if report.ok:
        nk.parse(text)
    else:
        with pytest.raises(DocumentError):
            nk.parse(text)

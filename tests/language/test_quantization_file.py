"""The quantization file (5.3)."""

from __future__ import annotations

import nnef
import pytest

from nnefkit import language

GRAPH = (
    "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 3]); "
    "w = variable(shape = [1, 3], label = 'net/w'); y = add(x, w); }"
)
FULL = (
    '"x": min_max_linear_quantize(min = -2.0, max = 2.5, bits = 8, signed = true,'
    " symmetric = false);\n"
)


def _parse(text: str, **options):
    return language.parse(GRAPH, quantization=text, **options)


def test_tensors_have_the_quantization_of_their_line():
    graph, diagnostics = _parse(FULL + "# comment\n'y': logarithmic_quantize(max=1.0, bits=4);")
    assert diagnostics == []
    assert graph is not None
    assert {n: t.quantization for n, t in graph.tensors.items()} == {
        "x": {
            "op-name": "min_max_linear_quantize",
            "min": -2.0,
            "max": 2.5,
            "bits": 8,
            "signed": True,
            "symmetric": False,
        },
        "w": None,
        "y": {"op-name": "logarithmic_quantize", "max": 1.0, "bits": 4},
    }


def test_the_khronos_parser_reads_the_same():
    graph, _ = _parse(FULL)
    theirs = nnef.parse_string(GRAPH, FULL)
    assert graph is not None
    assert dict(graph.tensors["x"].quantization) == theirs.tensors["x"].quantization


def test_values_can_differ_by_channel():
    line = '"x": zero_point_linear_quantize(zero_point = [[0, 1, 2]], scale = [[0.5, 0.25, 1.0]],'
    graph, diagnostics = _parse(line + " bits = 8, signed = true, symmetric = false);")
    assert diagnostics == []
    assert graph is not None
    assert graph.tensors["x"].quantization["zero_point"] == [[0, 1, 2]]


def test_quantization_survives_printing_and_parsing():
    text = FULL + '"w": logarithmic_quantize(max = [[1.0, 2.0, 4.0]], bits = 4);\n'
    graph, _ = _parse(text)
    assert graph is not None
    assert language.print_quantization(graph) == text.replace("\n ", "\n")


BROKEN = [
    ("unknown-tensor", '"z": logarithmic_quantize(max = 1.0, bits = 4);'),
    ("unknown-tensor", '"net/w": logarithmic_quantize(max = 1.0, bits = 4);'),
    ("duplicate-tensor", FULL + FULL),
    ("unknown-operation", '"x": linear_quantise(max = 1.0, bits = 4);'),
    ("unknown-operation", '"x": relu(x = 1.0);'),
    ("missing-argument", '"x": logarithmic_quantize(max = 1.0);'),
    ("unknown-argument", '"x": logarithmic_quantize(max = 1.0, bits = 4, sign = true);'),
    ("unknown-argument", '"x": logarithmic_quantize(x = 1.0, max = 1.0, bits = 4);'),
    ("duplicate-argument", '"x": logarithmic_quantize(max = 1.0, max = 1.0, bits = 4);'),
    ("not-constant", '"x": logarithmic_quantize(max = y, bits = 4);'),
    ("not-constant", '"x": logarithmic_quantize(max = 1.0 + 1.0, bits = 4);'),
    ("type-mismatch", '"x": logarithmic_quantize(max = 1, bits = 4);'),
    ("type-mismatch", '"x": logarithmic_quantize(max = 1.0, bits = 4.0);'),
    ("type-mismatch", '"x": logarithmic_quantize(max = 1.0, bits = [4]);'),
    ("type-mismatch", '"x": logarithmic_quantize(max = [1.0, 2], bits = 4);'),
    ("ragged-array", '"x": logarithmic_quantize(max = [[1.0], [1.0, 2.0]], bits = 4);'),
    ("syntax", "x: logarithmic_quantize(max = 1.0, bits = 4);"),
    ("syntax", '"x" logarithmic_quantize(max = 1.0, bits = 4);'),
    ("syntax", '"x": logarithmic_quantize(max = 1.0, bits = 4)'),
    ("syntax", '"x": logarithmic_quantize;'),
    ("syntax", '"x: logarithmic_quantize(max = 1.0, bits = 4);'),
]


@pytest.mark.parametrize(("code", "text"), BROKEN)
def test_each_violated_rule_is_one_error_in_the_file(code, text):
    _, diagnostics = _parse(text, quantization_name="model/graph.quant")
    assert [d.code for d in diagnostics] == [code]
    assert diagnostics[0].file == "model/graph.quant"
    assert diagnostics[0].hint
    assert diagnostics[0].section
    assert diagnostics[0].line == text.count("\n") if text.endswith("\n") else 1


def test_positional_arguments_are_reported():
    _, diagnostics = _parse('"x": logarithmic_quantize(1.0, bits = 4);')
    assert [d.code for d in diagnostics] == ["missing-argument", "positional-argument"]


def test_all_lines_are_checked():
    text = '"x": relu();\n"z" oops;\n"y": logarithmic_quantize(max = 1, bits = 4);\n"q": nope();'
    _, diagnostics = _parse(text)
    assert [d.line for d in diagnostics] == [1, 2, 3, 4]


def test_the_deprecated_name_is_a_warning():
    graph, diagnostics = _parse('"x": linear_quantize(min = 0.0, max = 1.0, bits = 8);')
    assert [(d.code, d.severity) for d in diagnostics] == [("deprecated-operation", "warning")]
    assert graph is not None
    assert graph.tensors["x"].quantization["op-name"] == "linear_quantize"


def test_vendor_operations_are_retained_unless_strict():
    graph, diagnostics = _parse('"x": magic(a = 1, b = [2.0]);', strict=False)
    assert [d.severity for d in diagnostics] == ["warning"]
    assert graph is not None
    assert graph.tensors["x"].quantization == {"op-name": "magic", "a": 1, "b": [2.0]}

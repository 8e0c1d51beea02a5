"""What others write against the rules is opened with `strict=False`, and saved by the rules."""

from __future__ import annotations

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

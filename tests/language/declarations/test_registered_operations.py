"""A parse takes the declarations of registered custom operations as an argument."""

from __future__ import annotations

import nnefkit as nk
from nnefkit import language
from nnefkit.language.declarations.custom_declarations import custom_operation

TEXT = "fragment gain( x: tensor<scalar>, factor: scalar = 1.0 ) -> ( y: tensor<scalar> );"
USES_GAIN = "version 1.0; graph net(x) -> (y) { x = external(shape = [1, 2]); y = gain(x); }"
OTHER_GAIN = (
    "version 1.0; extension KHR_enable_fragment_definitions;\n"
    "fragment gain( x: tensor<scalar> ) -> ( y: tensor<scalar> );\n"
    "graph net(x) -> (y) { x = external(shape = [1, 2]); y = gain(x); }"
)


def _customs():
    name, declaration = custom_operation(TEXT)
    return {name: declaration}


def test_an_undeclared_operation_is_taken_from_the_given_declarations():
    graph, diagnostics = language.parse(USES_GAIN, strict=False, customs=_customs())
    assert [d.code for d in diagnostics] == ["undeclared-operation"]
    assert graph.operations[1].attribs == {"factor": 1.0}
    assert graph.declarations == (TEXT,)


def test_a_strict_parse_shows_the_given_declaration():
    _, diagnostics = language.parse(USES_GAIN, customs=_customs())
    assert [d.code for d in diagnostics] == ["unknown-operation"]
    assert TEXT in diagnostics[0].hint


def test_a_document_must_agree_with_the_given_declarations():
    _, diagnostics = language.parse(OTHER_GAIN, customs=_customs())
    assert [d.code for d in diagnostics] == ["declaration-mismatch"]
    assert language.parse(OTHER_GAIN)[1] == []


def test_given_declarations_replace_the_registered_ones():
    nk.register_operation(TEXT)
    try:
        _, diagnostics = language.parse(USES_GAIN, strict=False, customs={})
    finally:
        nk.unregister_operation("gain")
    assert [d.code for d in diagnostics] == ["unknown-operation"]

"""The fragments that the front ends share."""

from importlib.resources import files

import nnef


def test_another_parser_reads_the_fragments():
    text = (files("nnefkit.exchange") / "fragments.nnef").read_text()
    graph = nnef.parse_string(
        "version 1.0;\n"
        "extension KHR_enable_fragment_definitions, KHR_enable_operator_expressions;\n"
        f"{text}\n"
        "graph G( x ) -> ( y ) { x = external<scalar>(shape = [2]); y = relu(x); }"
    )
    assert [op.name for op in graph.operations] == ["external", "relu"]

"""MACs of custom operations without a cost are unknown, and no sum hides it."""

import json

import pytest

import nnefkit as nk
from nnefkit.custom_operations import CustomOperations

HALVES = "fragment halves( x: tensor<scalar> ) -> ( y: tensor<scalar> );"
TEXT = """version 1.0;
extension KHR_enable_fragment_definitions;

fragment halves( x: tensor<scalar> ) -> ( y: tensor<scalar> );

fragment twice( x: tensor<scalar> ) -> ( y: tensor<scalar> )
{
    z = halves(x);
    y = add(z, z);
}

graph g( x ) -> ( y )
{
    x = external(shape = [1, 3, 8, 8]);
    w = variable(shape = [4, 3, 3, 3], label = 'w');
    c = conv(x, w);
    y = OPERATION(c);
}
"""
WITHOUT_COST = CustomOperations()
WITHOUT_COST.register(HALVES, shape=lambda x: x)
CONV = 4 * 3 * 3 * 3 * 8 * 8


@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize("operation", ["halves", "twice"])
def test_they_are_none_and_the_sum_is_a_lower_bound(operation: str, expand: bool) -> None:
    text = TEXT.replace("OPERATION", operation)
    graph = nk.parse(text, expand=expand, custom_operations=WITHOUT_COST)
    macs = {op.name: op.macs for op in graph.operations}
    assert macs["conv"] == CONV
    assert macs["halves" if expand else operation] is None
    assert "at least 6.91 k MACs" in repr(graph)
    assert "at least 6.91 k MACs" in graph._repr_html_()


def test_with_a_cost_the_sum_is_exact() -> None:
    registry = CustomOperations()
    registry.register(HALVES, shape=lambda x: x, macs=lambda inputs, outputs, attribs: 88)
    graph = nk.parse(TEXT.replace("OPERATION", "halves"), custom_operations=registry)
    assert graph.producers["y"].macs == 88
    assert "at least" not in repr(graph)
    assert "7 k MACs" in repr(graph)


def test_the_command_line_counts_them(tmp_path, capsys) -> None:
    from nnefkit.cli import main

    path = tmp_path / "model.nnef"
    without_variables = TEXT.replace("w = variable(shape = [4, 3, 3, 3], label = 'w');\n", "")
    calls = {"OPERATION": "halves", "conv(x, w)": "mul(x, 2.0)"}
    for old, new in calls.items():
        without_variables = without_variables.replace(old, new)
    path.write_text(without_variables)
    assert main(["info", str(path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["macs_unknown"] == 1

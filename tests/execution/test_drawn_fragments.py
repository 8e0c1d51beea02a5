"""A fragment computes what the operation in it computes: expanded, as a call, and lowered."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles.drawn_calls import CALLS
from oracles.one_call import KINDS, as_typed, calls_of, graph_of, shape_of

import nnefkit as nk
from nnefkit import language
from nnefkit.language import declarations
from nnefkit.operations import SHAPE_RULES

MANY = {"split", "unstack", "copy_n"}
"""Their result is an array."""


def written(value):
    """A value as it is written in documents."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(written, value))})"
    return repr(value)


def document(name, one):
    """A text in which a fragment in a fragment makes the call."""
    declared = declarations()[name]
    parameters = ", ".join(f"{p.name}: {p.type}" for p in declared.parameters)
    results = ", ".join(f"{r.name}: {r.type}" for r in declared.results)
    given = ", ".join(
        p.name if p.is_tensor else f"{p.name} = {p.name}" for p in declared.parameters
    )
    named = ", ".join(r.name for r in declared.results)
    count = len(result_shapes(name, one)) if name in MANY else 0
    # An array of results is bound to as many names.
    bound = f"[{', '.join(f'part{i}' for i in range(count))}]" if count else named
    kept = f"\n    {named} = {bound};" if count else ""
    generic = "<?>" if declared.generic else ""
    fragments = "".join(
        f"fragment {outer}{generic}( {parameters} ) -> ( {results} )\n"
        f"{{\n    {bound} = {inner}{generic}({given});{kept}\n}}\n"
        for outer, inner in [("inner", name), ("outer", "inner")]
    )
    lines, inputs = [], []

    def placed(value):
        if isinstance(value, list):
            return f"[{', '.join(map(placed, value))}]"
        if not isinstance(value, np.ndarray):
            return written(value)
        inputs.append(f"input{len(inputs)}")
        kind = KINDS[value.dtype.kind]
        lines.append(f"{inputs[-1]} = external<{kind}>(shape = {written([*value.shape])});")
        return inputs[-1]

    arguments = [placed(value) for value in as_typed(name, one.dtype, one.inputs)]
    arguments += [f"{key} = {written(value)}" for key, value in one.attribs.items()]
    if count:
        outputs = [f"result{i}" for i in range(count)]
        left = f"[{', '.join(outputs)}]"
    else:
        outputs = [r.name for r in declared.results]
        left = ", ".join(outputs)
    kind = f"<{one.dtype}>" if declared.generic else ""
    lines.append(f"{left} = outer{kind}({', '.join(arguments)});")
    body = "\n".join(f"    {line}" for line in lines)
    return (
        "version 1.0;\nextension KHR_enable_fragment_definitions KHR_enable_operator_expressions;\n"
        f"{fragments}graph net( {', '.join(inputs)} ) -> ( {', '.join(outputs)} )\n{{\n{body}\n}}\n"
    )


def result_shapes(name, one):
    return SHAPE_RULES[name](*map(shape_of, one.inputs), **one.attribs)


@pytest.mark.parametrize("name", sorted(CALLS.keys() - {"constant", "update"}))
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_fragment_computes_the_same_as_its_operation(name, data):
    one = data.draw(calls_of(name))
    graph, feeds = graph_of(name, one)
    expected = nk.run(graph, feeds, progress=False)
    text = document(name, one)
    kept, diagnostics = language.parse(text, expand=False)
    assert [d for d in diagnostics if d.severity == "error"] == []
    assert {op.name for op in kept.operations} <= {"external", "outer"}
    for other in (nk.parse(text), kept):
        found = nk.run(other, feeds, progress=False)
        assert list(found) == list(expected)
        for key, wanted in expected.items():
            assert found[key].dtype == wanted.dtype
            np.testing.assert_array_equal(found[key], wanted, err_msg=text)

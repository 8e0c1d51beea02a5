"""Shapes of whole graphs, and the rules that join several operations (4.1.3, 4.8, 3.3.2)."""

import numpy as np
import pytest

from nnefkit.errors import (
    DocumentError,
    InputError,
    NnefError,
    Source,
    Span,
    UnknownNameError,
)
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.operations.shape_inference import check_shapes, infer_shapes


def names(value):
    """Words become identifiers, in lists too; what is marked with ! stays a string."""
    if isinstance(value, str):
        return Identifier(value)
    return [names(item) for item in value] if isinstance(value, list) else value


def build(*calls, sourced=True, scope=()):
    """A graph of (results, operation, inputs, attributes); each assignment is a line of text."""
    operations, tensors, lines = [], {}, []
    for results, name, inputs, attribs in calls:
        start = sum(len(line) + 1 for line in lines)
        lines.append(f"{results} = {name}({inputs}, {attribs});")
        outputs = names(list(results) if isinstance(results, tuple) else [results])
        operations.append(
            Operation(
                name,
                FrozenDict({key: names(value) for key, value in inputs.items()}),
                FrozenDict({f"y{k}": output for k, output in enumerate(outputs)}),
                FrozenDict(attribs),
                scope=scope,
                span=Span(start, start + len(lines[-1])),
            )
        )
        for tensor in operations[-1].output_names:
            label = attribs.get("label")
            tensors[tensor] = Tensor(tensor, label=label)
    externals = tuple(op.output_names[0] for op in operations if op.name == "external")
    source = Source("\n".join(lines), "graph.nnef") if sourced else None
    last = operations[-1].output_names[-1:]
    return Graph("net", externals, last, tuple(operations), FrozenDict(tensors), source=source)


INPUT = ("x", "external", {}, {"shape": [2, 3, 4]})
RELU = ("y", "relu", {"x": "x"}, {})


def variable(name, label, shape=(2, 3)):
    return (name, "variable", {}, {"shape": [*shape], "label": label})


def messages(graph):
    return [d.message for d in check_shapes(graph)[1]]


def test_every_tensor_gets_its_shape_and_every_operation_its_macs():
    graph = build(
        INPUT,
        RELU,
        (["a", "b", "c"], "split", {"value": "y"}, {"axis": 1, "ratios": [1, 1, 1]}),
        ("z", "concat", {"values": ["c", "a"]}, {"axis": 1}),
        (("m", "v"), "moments", {"input": "z"}, {"axes": [0]}),
        ("w", "variable", {}, {"shape": [1, 5, 4], "label": "w"}),
        ("r", "linear", {"input": "z", "filter": "w", "bias": 0.0}, {}),
    )
    inferred = infer_shapes(graph)
    assert {name: tensor.shape for name, tensor in inferred.tensors.items()} == {
        "x": (2, 3, 4),
        "y": (2, 3, 4),
        "a": (2, 1, 4),
        "b": (2, 1, 4),
        "c": (2, 1, 4),
        "z": (2, 2, 4),
        "m": (1, 2, 4),
        "v": (1, 2, 4),
        "w": (1, 5, 4),
        "r": (2, 2, 5),
    }
    assert [op.macs for op in inferred.operations] == [0, 0, 0, 0, 0, 0, 2 * 2 * 5 * 4]
    assert all(tensor.shape is None for tensor in graph.tensors.values())


def test_other_input_shapes_are_carried_through():
    graph = infer_shapes(build(INPUT, RELU))
    assert infer_shapes(graph, x=[7, 1]).tensors["y"].shape == (7, 1)
    assert infer_shapes(graph, x=[7, 1]).operations[0].attribs["shape"] == [7, 1]
    assert graph.tensors["y"].shape == (2, 3, 4)
    with pytest.raises(UnknownNameError, match="no input 'z'"):
        infer_shapes(graph, z=[1])
    with pytest.raises(InputError, match="positive"):
        infer_shapes(graph, x=[0])


def test_a_constant_without_values_gets_them():
    graph = build(("c", "constant", {}, {"shape": [2, 2], "value": [1.0, 2.0, 3.0, 4.0]}))
    data = infer_shapes(graph).tensors["c"].data
    assert data.dtype == np.float32
    assert data.tolist() == [[1, 2], [3, 4]]
    assert not data.flags.writeable


def test_a_constant_that_no_array_can_hold_is_refused():
    shape = [2**40] * 3
    with pytest.raises(NnefError, match=r"'c' would have more than 2\^60 elements"):
        infer_shapes(build(("c", "constant", {}, {"shape": shape, "value": [1.0]})))


def test_each_problem_is_reported_at_its_place_and_none_that_follows_from_another():
    graph = build(
        INPUT,
        ("a", "softmax", {"x": "x"}, {"axes": [3]}),
        ("b", "relu", {"x": "a"}, {}),
        ("c", "add", {"x": "b", "y": "x"}, {}),
        ("d", "transpose", {"input": "x"}, {"axes": [1, 1, 5]}),
        ("e", "concat", {"values": ["x", "d"]}, {"axis": 9}),
        ("f", "slice", {"input": "x"}, {"axes": [8], "begin": [], "end": [1], "stride": []}),
        ("g", "relu", {"x": "x"}, {}),
    )
    checked, diagnostics = check_shapes(graph)
    assert [(d.line, d.section) for d in diagnostics] == [
        (2, "4.9.1"),
        (5, "4.5.2"),
        (7, "4.5.4"),
        (7, "4.5.4"),
    ]
    assert all(d.severity == "error" and d.file == "graph.nnef" for d in diagnostics)
    assert diagnostics[0].excerpt == "a = softmax({'x': 'x'}, {'axes': [3]});"
    known = {name for name, tensor in checked.tensors.items() if tensor.shape is not None}
    assert known == {"x", "g"}
    assert checked.operations[2].macs is None
    with pytest.raises(DocumentError) as raised:
        infer_shapes(graph)
    assert len(raised.value.diagnostics) == 4


def test_a_problem_is_placed_at_its_argument_if_that_can_be_found():
    graph = build(INPUT, ("y", "softmax", {"x": "x"}, {"axes": [3]}))

    def locate(source, span, argument, operation):
        assert operation == "softmax"
        start = source.text.index(argument, span.start)
        return Span(start, start + len(argument))

    (diagnostic,) = check_shapes(graph, locate)[1]
    assert diagnostic.column == diagnostic.excerpt.index("axes") + 1
    assert diagnostic.span.end - diagnostic.span.start == len("axes")
    assert "~" in str(diagnostic) or "^" in str(diagnostic)


def test_without_a_source_the_tensor_is_named():
    graph = build(INPUT, ("y", "softmax", {"x": "x"}, {"axes": [3]}), sourced=False)
    (message,) = messages(graph)
    assert message.startswith("softmax of 'y': ")


def test_the_fragments_that_an_operation_comes_from_are_named():
    graph = build(INPUT, ("y", "softmax", {"x": "x"}, {"axes": [3]}), scope=("block", "head"))
    (diagnostic,) = check_shapes(graph)[1]
    assert "block > head" in diagnostic.hint


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (["a", "b"], "returns 3 tensors, but 2 are named"),
        (["a", "b", "c", "d"], "returns 3 tensors, but 4 are named"),
        ("a", "returns an array of 3 tensors, but 'a' is one"),
    ],
)
def test_an_array_result_needs_as_many_names_as_it_has_tensors(results, message):
    graph = build(INPUT, (results, "unstack", {"value": "x"}, {"axis": 1}))
    (diagnostic,) = check_shapes(graph)[1]
    assert message in diagnostic.message
    assert diagnostic.section == "3.3.2"
    assert "[a, " in diagnostic.hint


def test_one_result_needs_one_name():
    (message,) = messages(build(INPUT, (["a", "b"], "relu", {"x": "x"}, {})))
    assert "do not match the 2 names" in message
    (message,) = messages(build(INPUT, ("m", "moments", {"input": "x"}, {"axes": [0]})))
    assert "do not match the 1 name on the left" in message


def test_an_operation_built_without_its_attributes_is_reported():
    (message,) = messages(build(INPUT, ("y", "softmax", {"x": "x"}, {})))
    assert "axes" in message
    (message,) = messages(build(INPUT, ("y", "relu", {"x": "x"}, {"alpha": 1})))
    assert "alpha" in message
    (message,) = messages(build(INPUT, ("y", "softmax", {"x": "x"}, {"axes": "13"})))
    assert "wrong type" in message


def test_shapes_after_a_custom_operation_are_unknown_but_not_an_error():
    graph = build(
        INPUT,
        ("a", "vendor_op", {"x": "x"}, {"power": 3}),
        ("b", "add", {"x": "a", "y": "x"}, {}),
        ("c", "concat", {"values": ["x", "b"]}, {"axis": 0}),
        ("d", "relu", {"x": "x"}, {}),
    )
    inferred = infer_shapes(graph)
    shapes = {name: tensor.shape for name, tensor in inferred.tensors.items()}
    assert shapes == {"x": (2, 3, 4), "a": None, "b": None, "c": None, "d": (2, 3, 4)}
    assert [op.macs for op in inferred.operations] == [0, None, None, None, 0]


def test_variables_of_one_label_agree_in_shape_without_regard_to_case():
    fine = build(variable("a", "W/x"), variable("b", "w/X"), variable("c", "other", [5]))
    assert messages(fine) == []
    graph = build(variable("a", "W/x"), variable("b", "w/X", [3, 2]))
    (diagnostic,) = check_shapes(graph)[1]
    assert "'a' and 'b' share the label 'w/X'" in diagnostic.message
    assert (diagnostic.line, diagnostic.section) == (2, "4.1.3")


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (("v", "x"), "variable 'v' is updated twice"),
        (("w", "x"), "which shares its data with 'v', is updated twice"),
        (("n", "x"), "'n' is not a variable"),
        (("x", "x"), "'x' is not a variable"),
        ((2.0, "x"), "'2.0' is not a variable"),
        (("u", "v"), None),
    ],
)
def test_a_variable_is_updated_once_and_nothing_else_is(second, message):
    graph = build(
        ("x", "external", {}, {"shape": [2, 3]}),
        variable("v", "state"),
        variable("w", "STATE"),
        variable("u", "other"),
        ("n", "update", {"variable": "v", "value": "x"}, {}),
        ("m", "update", dict(zip(("variable", "value"), second, strict=True)), {}),
    )
    diagnostics = [d for d in check_shapes(graph)[1] if d.code != "shape-mismatch"]
    assert [d.section for d in diagnostics] == ([] if message is None else ["4.8"])
    if message:
        assert message in diagnostics[0].message
        assert diagnostics[0].line == 6
    if message and "twice" in message:
        assert "line 5" in diagnostics[0].hint


@pytest.mark.parametrize(
    ("shape", "other", "warned"),
    [
        ([1, 3, 4, 5], [5], True),
        ([5], [1, 3, 4, 5], True),
        ([1, 1, 4, 5], [4, 5], True),
        ([1, 3, 4, 5], [7], False),
        ([1, 3, 4, 5], [1, 3], False),
        ([5, 3, 4, 5], [5], False),
        ([1, 3, 4, 5], [1, 1, 1, 5], False),
        ([1, 5], [5, 1], False),
        ([5], [], False),
    ],
)
def test_a_shape_that_was_probably_meant_to_end_with_the_other_is_a_warning(shape, other, warned):
    graph = build(
        ("x", "external", {}, {"shape": shape}),
        ("b", "external", {}, {"shape": other}),
        ("y", "add", {"x": "x", "y": "b"}, {}),
    )
    reported = [(d.severity, d.code, d.section) for d in check_shapes(graph)[1]]
    assert reported == [("warning", "suspicious-broadcast", "4.2.2")] * warned
    if warned:
        assert "[1, 1, " in check_shapes(graph)[1][0].hint


def test_the_deprecated_end_of_a_slice_is_a_warning():
    def sliced(end, stride):
        return build(
            ("x", "external", {}, {"shape": [4]}),
            (
                "y",
                "slice",
                {"input": "x"},
                {"axes": [0], "begin": [1], "end": [end], "stride": stride},
            ),
        )

    for stride in ([], [1]):
        checked, (warning,) = check_shapes(sliced(0, stride))
        assert (warning.severity, warning.code, warning.section) == (
            "warning",
            "deprecated-argument",
            "4.5.4",
        )
        assert "write 4" in warning.hint
        assert infer_shapes(sliced(0, stride)).tensors["y"].shape == (3,)
        assert checked.tensors["y"].shape == (3,)
    assert messages(sliced(4, [])) == []


def test_diagnostics_come_in_the_order_of_the_text():
    graph = build(
        variable("a", "w"),
        variable("b", "w", [3]),
        ("y", "softmax", {"x": "a"}, {"axes": [3]}),
        variable("c", ""),
    )
    assert [d.line for d in check_shapes(graph)[1]] == [2, 3, 4]

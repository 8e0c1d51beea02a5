"""Provisional fragments and documents, compared with their present form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nnefkit as nk

FOLDER = Path(__file__).parent / "documents"
NAMES = ["plain", "inception", "recurrent"]


# (section, fragments of 2017, body of 2017, present body, part of the note)
COMPOSITIONAL = [
    (
        "3.2.1",
        "fragment f( a: tensor, n: extent = 1, s: scalar = 0.5 ) -> ( b: tensor )\n"
        "{ b = leaky_relu(a, alpha = s * scalar(n)) }",
        "y = f(x, n = 3)",
        "y = leaky_relu(x, alpha = 1.5);",
        "'extent' is called 'integer'",
    ),
    (
        "3.2.1",
        "fragment f( a: tensor ) -> ( b: tensor, c: tensor[] )\n"
        "{ c = split(a, axis = 1, ratios = [1, 2])\n b = relu(a) }",
        "b, [c, d] = f(x)\ny = neg(d)",
        "[c, d] = split(x, axis = 1, ratios = [1, 2]);\nb = relu(x);\ny = neg(d);",
        "tensor types state their data type",
    ),
    (
        "3.2.3",
        "fragment f( a: tensor ) -> ( b: tensor )\n"
        "{ b = concat([leaky_relu(a, alpha = s) for s in [0.25, 0.5, 0.75] if s != 0.5],\n"
        "             axis = 1) }",
        "y = f(x)",
        "b1 = leaky_relu(x, alpha = 0.25);\nb2 = leaky_relu(x, alpha = 0.75);\n"
        "y = concat([b1, b2], axis = 1);",
        "[for name in array yield expression]",
    ),
    (
        "3.2.2",
        "fragment f( a: tensor ) -> ( b: tensor, c: tensor )\n{ b, c = relu(a), neg(a) }",
        "b, c = f(x)\ny = add(b, c)",
        "b = relu(x);\nc = neg(x);\ny = add(b, c);",
        "are written in parentheses",
    ),
    (
        "3.2.3",
        "fragment f( a: tensor, n: extent ) -> ( b: tensor )\n"
        "{ b = a if n == 0 else f(relu(a), n = n - 1) }",
        "y = f(x, n = 2)",
        "z = relu(x);\ny = relu(z);",
        "fragments need an extension",
    ),
    (
        "3.3.1",
        "fragment f( s: scalar, a: tensor ) -> ( b: tensor ) { b = leaky_relu(a, alpha = s) }",
        "y = f(s = 0.5, a = x)",
        "y = leaky_relu(x, alpha = 0.5);",
        "fragments need an extension",
    ),
    (
        "3.3.2",
        "fragment f( c: tensor, a: tensor ) -> ( b: tensor ) { b = select(c, a, 0.0) }\n"
        "fragment g( a: tensor ) -> ( c: tensor ) { c = a > 0.0 && !(a > 1.0) }",
        "y = f(g(x), x)",
        "p = gt(x, 0.0);\nq = gt(x, 1.0);\nr = not(q);\nc = and(p, r);\ny = select(c, x, 0.0);",
        "tensor types state their data type",
    ),
    (
        "3.3.2",
        "fragment f( p: (extent,tensor) ) -> ( b: tensor )\n"
        "{ n, a = p\n b = softmax(a, axes = [n]) }",
        "y = f(p = (2, x))",
        "y = softmax(x, axes = [2]);",
        "fragments need an extension",
    ),
    (
        "3.3.3",
        "fragment sum_of( items: scalar[] ) -> ( sum: scalar )\n"
        "{ sum = items[0] + sum_of(items = items[1:]) if length_of(items) > 0 else 0.0 }\n"
        "fragment f( a: tensor ) -> ( b: tensor )\n"
        "{ b = leaky_relu(a, alpha = sum_of(items = [0.5, 0.25])) }",
        "y = f(x)",
        "y = leaky_relu(x, alpha = 0.75);",
        "fragments need an extension",
    ),
    (
        "3.3.3",
        "fragment f( a: tensor ) -> ( b: tensor )\n"
        "{ b = reshape(a, shape = [shape_of(a)[0], extent(2.5) * 36]) }",
        "z = relu(x)\ny = f(z)",
        "z = relu(x);\ny = reshape(z, shape = [2, 72]);",
        "'extent' is called",
    ),
    (
        "3.3.3",
        "fragment f( a: tensor ) -> ( b: tensor )\n"
        "{ b = reshape(a, shape = [length_of(shape_of(mean_reduce(a, axes = [2, 3]))), -1]) }",
        "y = f(x)",
        "z = mean_reduce(x, axes = [2, 3]);\ny = reshape(x, shape = [2, -1]);",
        "fragments need an extension",
    ),
    (
        "4.1.3",
        "fragment f( a: tensor, name: string ) -> ( b: tensor )\n"
        "{ w = variable(shape = [1, shape_of(a)[1]], label = name + '/w')\n"
        "  v = update(w, w * 0.5)\n  b = a + w }",
        "z = relu(x)\ny = f(z, name = 'n')",
        "z = relu(x);\nw = variable(shape = [1, 3], label = 'n/w');\nv0 = mul(w, 0.5);\n"
        "v = update(w, v0);\ny = add(z, w);",
        "'variable' and 'update' belong to the graph itself",
    ),
    (
        "4",
        "fragment copy( a: tensor ) -> ( b: tensor ) { b = relu(a) }\n"
        "fragment pad( a: tensor ) -> ( b: tensor ) { b = neg(copy(a)) }",
        "copy = copy(x)\ny = pad(copy)",
        "copy = relu(x);\nz = relu(copy);\ny = neg(z);",
        "'pad' is a standard operation since 1.0",
    ),
    (
        "3.1",
        "fragment yield( integer: tensor ) -> ( extension: tensor ) { extension = relu(integer) }",
        "y = yield(x)",
        "y = relu(x);",
        "'yield' is a keyword",
    ),
]


def text(name: str, year: str) -> str:
    return (FOLDER / f"{name}_{year}.nnef").read_text("ascii")


def structure(graph: nk.Graph) -> list[tuple[object, ...]]:
    """Return the operations, with tensors numbered in the order of their definition."""
    numbers: dict[str, int] = {}

    def plain(value: object) -> object:
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        if isinstance(value, nk.graph.Identifier):
            return ("tensor", numbers.setdefault(value, len(numbers)))
        return (type(value).__name__, value)

    return [
        (
            operation.name,
            operation.dtype,
            [(name, plain(value)) for name, value in operation.inputs.items()],
            [(name, plain(value)) for name, value in operation.attribs.items()],
            [plain(value) for value in operation.outputs.values()],
            [graph.tensors[name].shape for name in operation.output_names],
        )
        for operation in graph.operations
    ]


def data(graph: nk.Graph) -> dict[str, np.ndarray]:
    """Return values for the variables that depend only on their labels."""
    found = {}
    for index, variable in enumerate(sorted(graph.variables, key=lambda v: str(v.label))):
        random = np.random.default_rng(index)
        values = random.normal(scale=0.4, size=variable.shape)
        found[variable.name] = values.astype(np.float32)
    return found


def inputs(graph: nk.Graph) -> dict[str, np.ndarray]:
    random = np.random.default_rng(99)
    return {
        name: random.normal(size=graph.tensors[name].shape).astype(np.float32)
        for name in graph.inputs
    }


@pytest.mark.parametrize(("section", "fragments", "old", "new", "message"), COMPOSITIONAL)
def test_provisional_fragments_expand_to_present_operations(
    section: str, fragments: str, old: str, new: str, message: str
) -> None:
    assert section
    head = "graph net( x ) -> ( y )\n{\nx = external(shape = [2, 3, 4, 6])"
    written = f"version 1.0\n{fragments}\n{head}\n{old}\n}}\n"
    graph, today = nk.parse(written), nk.parse(f"version 1.0;\n{head};\n{new}\n}}\n")
    assert structure(graph) == structure(today)
    found = nk.run(graph.with_data(data(graph)), inputs(graph))["y"]
    expected = nk.run(today.with_data(data(today)), inputs(today))["y"]
    np.testing.assert_array_equal(found, expected)
    assert any(message in note.message for note in nk.validate(written).notes)


@pytest.mark.parametrize("name", NAMES)
def test_provisional_documents_have_the_operations_of_their_present_form(name: str) -> None:
    old, today = nk.parse(text(name, "2017")), nk.parse(text(name, "today"))
    assert structure(old) == structure(today)
    assert (old.name, old.inputs, old.outputs) == (today.name, today.inputs, today.outputs)
    assert {v.label for v in old.variables} == {v.label for v in today.variables}


@pytest.mark.parametrize("name", NAMES)
def test_provisional_documents_compute_what_their_present_form_does(name: str) -> None:
    old, today = nk.parse(text(name, "2017")), nk.parse(text(name, "today"))
    found = nk.run(old.with_data(data(old)), inputs(old))
    expected = nk.run(today.with_data(data(today)), inputs(today))
    assert found.keys() == expected.keys()
    for tensor, values in found.items():
        np.testing.assert_array_equal(values, expected[tensor])
        assert np.isfinite(values).all()
        assert values.std() > 0


def test_variables_of_fragments_are_updated_from_run_to_run() -> None:
    graph = nk.parse(text("recurrent", "2017"))
    session = nk.Session(graph.with_data(data(graph)))
    first, second = (session.run(inputs(graph))["y"] for _ in range(2))
    assert not np.array_equal(first, second)
    (h,) = [v.name for v in graph.variables if v.label == "lstm/h"]
    np.testing.assert_array_equal(session.variables[h], second)


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_provisional_document_is_in_present_form(name: str, tmp_path: Path) -> None:
    graph = nk.parse(text(name, "2017"))
    nk.save(graph.with_data(data(graph)), tmp_path / "model")
    report = nk.validate(tmp_path / "model")
    assert not report.diagnostics
    assert structure(nk.load(tmp_path / "model")) == structure(graph)
    assert (tmp_path / "model" / "graph.nnef").read_text("ascii").startswith("version 1.0;")


@pytest.mark.parametrize("name", NAMES)
def test_the_report_of_a_provisional_document_has_only_notes(name: str) -> None:
    report = nk.validate(text(name, "2017"))
    assert report.ok
    assert not report.warnings
    assert report.notes[0].message.startswith("the document follows the provisional specification")
    assert {note.code for note in report.notes} == {"provisional"}
    messages = [note.message for note in report.notes]
    assert len(messages) == len(set(messages)), "each kind of change is reported once"


def test_operations_have_spans_in_the_provisional_text() -> None:
    old = text("inception", "2017")
    graph = nk.parse(old)
    operation = next(op for op in graph.operations if op.name == "gt")
    assert operation.span is not None
    assert old[operation.span.start : operation.span.end] == "output > 0.25"
    assert [call.partition(":")[0] for call in operation.scope] == ["repeated", "inception"]

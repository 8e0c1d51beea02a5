"""Scripts for the Khronos package do the same when they import `nnefkit.compat` in its place."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nnef as khronos
import numpy as np
import pytest

import nnefkit as nk
from nnefkit import compat

HEADER = "version 1.0;\n"
EXTENDED = (
    HEADER
    + "extension KHR_enable_fragment_definitions;\nextension KHR_enable_operator_expressions;"
)
NETWORK = """
graph net( x ) -> ( y, z )
{
    x = external(shape = [1, 4, 8, 8]);
    w = variable<scalar>(shape = [6, 4, 3, 3], label = 'conv/w');
    b = variable(shape = [1, 6], label = 'conv/b');
    c = conv(x, w, b, padding = [(1, 1), (1, 1)]);
    [p, q] = split(relu(c), axis = 1, ratios = [1, 2]);
    y = concat([p, q], axis = 1);
    k = constant(shape = [1], value = [2.5]);
    z = max_pool(mul(y, k), size = [1, 1, 2, 2], border = 'ignore', stride = [1, 1, 2, 2]);
}
"""
PLAIN = (HEADER + NETWORK).replace("relu(c)", "c").replace("mul(y, k)", "y")
NESTED = EXTENDED + NETWORK
FRAGMENTS = """
fragment norm( a: tensor<scalar>, scale: scalar = 2.0 ) -> ( b: tensor<scalar> )
{
    m = softmax(a) * scale;
    b = m + 1.0;
}
graph net( x ) -> ( y )
{
    x = external(shape = [2, 3]);
    y = norm(x, scale = 0.5) - norm(norm(x)) * 3.0;
}
"""
QUANTIZATION = (
    "'x': min_max_linear_quantize(min = 0.1, max = 1.0, bits = 8, signed = false,"
    " symmetric = false);\n"
    '"y": zero_point_linear_quantize(zero_point = 3, scale = [0.5], bits = 8, signed = true,'
    " symmetric = false);\n"
)
CUSTOM = (
    "fragment twice( x: tensor<scalar>, times: integer = 2 )"
    " -> ( y: tensor<scalar>, z: tensor<scalar> );\n"
)
CALL = "graph g( x ) -> ( y, z ) { x = external(shape = [2, 3]); (y, z) = twice(x, times = 4); }"

SCRIPTS = {
    "parse": "result = nnef.parse_string(PLAIN)",
    "parse a text with nested calls": "result = nnef.parse_string(NESTED)",
    "fragments remain calls": "result = nnef.parse_string(EXTENDED + FRAGMENTS)",
    "fragments are lowered": "result = nnef.parse_string(EXTENDED + FRAGMENTS, lowered=['norm'])",
    "standard operations are lowered": """
result = nnef.parse_string(EXTENDED + FRAGMENTS, lowered=['norm', 'softmax', 'no_operation'])
""",
    "quantization": """
graph = nnef.parse_string(PLAIN, QUANTIZATION)
lines = {name: tensor.quantization for name, tensor in graph.tensors.items()}
result = lines, {key: value.dtype for key, value in lines["y"].items() if hasattr(value, "dtype")}
""",
    "types of values": """
graph = nnef.parse_string(NESTED)
conv, split = graph.operations[3], graph.operations[5]
result = [
    type(graph.inputs[0]).__name__, type(conv.inputs["input"]).__name__, type(graph.tensors),
    type(conv.attribs), type(conv.attribs["padding"]), type(split.outputs["values"]),
    type(graph.operations), isinstance(conv.inputs["input"], nnef.Identifier), repr(graph),
    isinstance(graph, tuple), graph._fields, [*conv._asdict()], nnef.Tensor("t", "scalar"),
]
""",
    "text": """
graph = nnef.parse_string(NESTED)
result = nnef.format_graph(
    graph.name, graph.inputs, graph.outputs, graph.operations, graph.tensors
)
""",
    "text with shapes": """
graph = nnef.parse_string(NESTED)
nnef.infer_shapes(graph)
result = nnef.format_graph(
    graph.name, graph.inputs, graph.outputs, graph.operations, graph.tensors, annotate_shapes=True
)
""",
    "text of parts": """
x = nnef.Identifier("x")
result = [
    nnef.format_version((1, 0)), nnef.format_extensions(["A", "B"]),
    nnef.format_argument([x, "x", True, 1, 0.5, 1e-05, (1, [2.0])]), nnef.format_result([x, (x,)]),
    nnef.format_invocation("f", {"a": 1}, [], [x], "scalar"), nnef.format_invocation("f", {}, [x]),
    nnef.format_shapes([x, x], {"x": nnef.Tensor("x", "scalar", [1, 2])}),
]
""",
    "wrong types in a text": """
result = []
for value in (None, {"a": 1}, [object()]):
    try:
        nnef.format_argument(value)
    except TypeError:
        result.append("refused")
try:
    nnef.format_result(["x"])
except TypeError:
    result.append("refused")
""",
    "shapes in place": """
result = nnef.parse_string(NESTED)
assert nnef.infer_shapes(result) is None
""",
    "shapes with a bias of rank 1": """
result = nnef.parse_string(PLAIN.replace("shape = [1, 6]", "shape = [6]"))
nnef.infer_shapes(result)
""",
    "shapes of other inputs": """
result = nnef.parse_string(NESTED)
nnef.infer_shapes(result, external_shapes={"x": [2, 4, 16, 10]})
""",
    "shapes of custom operations": """
result = nnef.parse_string(EXTENDED + CUSTOM + CALL)
nnef.infer_shapes(result, custom_shapes={
    "twice": lambda x, times: ([n * times for n in x], x),
    "relu": lambda x: [1],
})
""",
    "custom operations from a library": """
declarations = "fragment external<? = scalar>( shape: integer[] ) -> ( output: tensor<?> );"
result = nnef.parse_string("version 1.0;" + CALL, stdlib=declarations + CUSTOM)
""",
    "errors are caught": """
result = []
for text in ("", "graph", "version 1.0; graph g( x ) -> ( x ) { x = extrenal(shape = [1]); }"):
    try:
        nnef.parse_string(text)
    except nnef.Error as error:
        result.append(isinstance(str(error), str))
try:
    graph = nnef.parse_string(PLAIN.replace("[6, 4, 3, 3]", "[6, 5, 3, 3]"))
    nnef.infer_shapes(graph)
except nnef.Error:
    result.append("channels")
try:
    raise nnef.Error("own")
except nnef.Error as error:
    result.append("own" in str(error))
""",
    "a graph built by hand": """
x, y = nnef.Identifier("x"), nnef.Identifier("y")
external = nnef.Operation(
    name="external", attribs={"shape": [1, 3]}, inputs={}, outputs={"output": x}, dtype="scalar"
)
softmax = nnef.Operation("softmax", attribs={"axes": [1]}, inputs={"x": x}, outputs={"y": y})
result = nnef.Graph("net", {}, [external], [x], [y])
result.operations.append(softmax)
for name in (x, y):
    result.tensors[name] = nnef.Tensor(name=name, dtype="scalar", quantization={})
nnef.infer_shapes(result)
""",
    "custom operations that nothing declares": """
x, y, z = map(nnef.Identifier, "xyz")
result = nnef.Graph("net", {}, [
    nnef.Operation("external", {"shape": [1, 3]}, {}, {"output": x}, dtype="scalar"),
    nnef.Operation("mystery", {"k": 2, "names": ["a"]}, {"p": x, "q": [x, x]}, {"r": y, "s": [z]}),
], [x], [y])
for name in (x, y, z):
    result.tensors[name] = nnef.Tensor(name, "scalar")
nnef.infer_shapes(result, custom_shapes={
    "mystery": lambda p, q, k, names: (p + [k], [q[1]] * len(names)),
})
""",
    "copies": """
import copy, pickle
graph = nnef.parse_string(PLAIN)
copied = copy.deepcopy(graph)
copied.tensors.clear()
result = [graph, copied, copy.copy(graph), graph._asdict(), hash(graph.operations[0].name) != 0]
""",
    "a graph changed in place": """
graph = nnef.parse_string(PLAIN)
name, tensors, operations, inputs, outputs = graph
del operations[-1], tensors["z"]
outputs.remove("z")
graph.operations[3].attribs["groups"] = 2
graph.tensors["w"].quantization["op-name"] = "none"
result = graph._replace(name="part")
""",
    "tensor files": """
result = []
for array in (
    np.float32([[1, 2]]), np.float64([1]), np.float16([1, 2]), np.int8([-1]), np.uint16([7]),
    np.int64([-5]), np.array([True, False, True]), np.float32(3.5).reshape(()),
):
    with open(folder + "/t.dat", "wb") as file:
        nnef.write_tensor(file, array)
    with open(folder + "/t.dat", "rb") as file:
        content = file.read()
    with open(folder + "/t.dat") as file:
        read = nnef.read_tensor(file)
    result += [content, read, read.dtype, read.flags.writeable]
with open(folder + "/q.dat", "wb") as file:
    nnef.write_tensor(file, np.int8([1, 2]), quantized=True)
with open(folder + "/q.dat", "rb") as file:
    result += nnef.read_tensor(file, return_quantization=True)
""",
    "wrong tensor files": """
result = []
place = folder + "/w.dat"
with open(place, "wb") as file:
    file.write(b"not a tensor" * 20)
with open(place, "rb") as read, open(folder + "/v.dat", "wb") as written:
    for attempt in (
        "nnef.read_tensor(read)",
        "nnef.read_tensor(place)",
        "nnef.write_tensor(place, np.float32([1]))",
        "nnef.write_tensor(written, np.float32([1]), quantized=True)",
    ):
        try:
            eval(attempt)
        except ValueError:
            result.append(attempt)
""",
    "save and load": """
graph = nnef.parse_string(NESTED)
data = {"w": np.arange(216, dtype=np.float32).reshape(6, 4, 3, 3), "b": np.ones((1, 6), np.float32)}
for name in data:
    tensor = graph.tensors[name]
    graph.tensors[name] = nnef.Tensor(name, tensor.dtype, list(data[name].shape), data[name], {})
nnef.infer_shapes(graph)
nnef.save_graph(graph, folder + "/model", annotate_shapes=True)
files = {}
for place, _, names in os.walk(folder + "/model"):
    for name in names:
        with open(os.path.join(place, name), "rb") as file:
            files[os.path.relpath(os.path.join(place, name), folder)] = file.read()
loaded = nnef.load_graph(folder + "/model")
try:
    nnef.save_graph(graph, folder + "/model")
except RuntimeError:
    files["again"] = "refused"
result = [files, loaded, nnef.load_graph(folder + "/model", load_variables=False),
          nnef.load_graph(folder + "/model/graph.nnef"),
          nnef.parse_file(folder + "/model/graph.nnef", lowered=["relu"])]
""",
    "quantized data": """
text = (HEADER + "graph g( x ) -> ( y ) { x = external(shape = [2]);"
        " w = variable(shape = [2], label = 'w'); y = add(x, w); }")
line = '"w": min_max_linear_quantize(min = 0.0, max = 1.0, bits = 8, signed = false,'
line += " symmetric = false);"
graph = nnef.parse_string(text, line)
graph.tensors["w"] = nnef.Tensor("w", "scalar", [2], np.uint8([3, 255]), {"op-name": "q"})
os.makedirs(folder + "/q")
for name, content in (("graph.nnef", text), ("graph.quant", line)):
    with open(folder + "/q/" + name, "w") as file:
        file.write(content)
with open(folder + "/q/w.dat", "wb") as file:
    nnef.write_tensor(file, np.uint8([3, 255]), quantized=True)
result = nnef.load_graph(folder + "/q")
""",
    "run": """
graph = nnef.parse_string(NESTED.replace("border = 'ignore', ", "border = 'constant', "))
rng = np.random.default_rng(0)
for operation in graph.operations:
    if operation.name == "variable":
        (name,) = operation.outputs.values()
        shape = operation.attribs["shape"]
        array = rng.normal(size=shape).astype(np.float32)
        graph.tensors[name] = nnef.Tensor(name, "scalar", shape, array, {})
nnef.save_graph(graph, folder + "/run")
x = rng.normal(size=(1, 4, 8, 8)).astype(np.float32)
with nnef.Session(folder + "/run", lowered=[]) as session:
    result = [*session(x)]
    for wrong in ((), (x, x), (x[0],)):
        try:
            session(*wrong)
        except ValueError:
            result.append("refused")
""",
}


def outcome(script: str, nnef: ModuleType, folder: Path) -> Any:
    folder.mkdir()
    names = {**globals(), "nnef": nnef, "folder": str(folder), "os": os}
    exec(script, names)
    return names["result"]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and np.allclose(one, other, rtol=1e-5, atol=1e-6)
        )
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return np.float32(one) == np.float32(other)  # The Khronos parser rounds to 32 bits.
    return bool(one == other)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_does_the_same(name: str, tmp_path: Path) -> None:
    expected = outcome(SCRIPTS[name], khronos, tmp_path / "khronos")
    assert expected is not None
    got = outcome(SCRIPTS[name], compat, tmp_path / "compat")
    assert same(expected, got), f"\n{expected}\n{got}"


def test_names_parameters_and_defaults_are_those_of_the_khronos_package() -> None:
    names = {name for name in vars(khronos) if not name.startswith("_")}
    names -= {"os", "binary", "parser", "printer", "shapes"}
    assert names == set(compat.__all__)
    for name in names - {"Error", "Identifier", "StandardOperations"}:
        expected = inspect.signature(getattr(khronos, name)).parameters.values()
        got = inspect.signature(getattr(compat, name)).parameters.values()
        assert [(p.name, p.default) for p in got] == [(p.name, p.default) for p in expected], name
    assert compat.StandardOperations == khronos.StandardOperations - {
        *("max_unpool", "avg_unpool", "softabs")  # which are not in the specification
    }
    assert issubclass(compat.Identifier, str)
    assert issubclass(compat.Error, Exception)


CONVERTER = """
import importlib, sys
sys.modules["nnef"] = importlib.import_module(sys.argv[1])
from nnef_tools.io.nnef.reader import Reader
from nnef_tools.io.nnef.writer import Writer
graph = Reader(decomposed=["softmax"])(sys.argv[2])
Writer()(graph, sys.argv[3])
"""


@pytest.mark.slow
def test_the_khronos_tools_read_and_write_with_it(tmp_path: Path) -> None:
    draft = compat.parse_string(EXTENDED + FRAGMENTS, lowered=["norm"])
    compat.save_graph(draft, tmp_path / "model")
    for module in ("nnef", "nnefkit.compat"):
        command = [sys.executable, "-c", CONVERTER, module, tmp_path / "model", tmp_path / module]
        subprocess.run(command, check=True)
    one, other = ((tmp_path / name / "graph.nnef").read_text() for name in ("nnef", module))
    assert one == other
    assert "max_reduce" in one


# -- beyond the Khronos package -------------------------------------------------------------------


def test_a_draft_becomes_a_graph_and_back() -> None:
    draft = compat.parse_string(EXTENDED + FRAGMENTS)
    graph = draft.to_nnefkit()
    assert isinstance(graph, nk.Graph)
    assert graph.tensors["y"].shape == (2, 3)
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    lowered = compat.parse_string(EXTENDED + FRAGMENTS, lowered=["norm"]).to_nnefkit()
    original = nk.parse(EXTENDED + FRAGMENTS)
    for other in (graph, lowered):
        np.testing.assert_array_equal(nk.run(other, x)["y"], nk.run(original, x)["y"])
    again = compat.Graph.from_nnefkit(graph)
    assert again.operations == draft.operations
    assert again.tensors["y"].shape == [2, 3]
    assert again._replace(name="other").to_nnefkit().name == "other"


def test_what_the_khronos_package_loses_is_saved(tmp_path: Path) -> None:
    draft = compat.parse_string(EXTENDED + CUSTOM + FRAGMENTS, QUANTIZATION)
    compat.save_graph(draft, tmp_path / "model")
    graph = nk.load(tmp_path / "model")
    assert graph.tensors["x"].quantization["min"] == 0.1
    assert compat.load_graph(tmp_path / "model").operations == draft.operations


def test_codes_become_the_numbers_that_they_represent(tmp_path: Path) -> None:
    text = (
        HEADER + "graph g( x ) -> ( y ) { x = external(shape = [2]);"
        " w = variable(shape = [2], label = 'w'); y = add(x, w); }"
    )
    line = (
        '"w": min_max_linear_quantize(min = 0.0, max = 2.0, bits = 8, signed = false,'
        " symmetric = false);"
    )
    draft = compat.parse_string(text, line)
    draft.tensors["w"] = draft.tensors["w"]._replace(data=np.uint8([0, 255]))
    np.testing.assert_array_equal(draft.to_nnefkit().tensors["w"].data, np.float32([0, 2]))
    compat.save_graph(draft, tmp_path / "model")
    np.testing.assert_array_equal(nk.load(tmp_path / "model").tensors["w"].data, [0, 2])
    assert compat.load_graph(tmp_path / "model").tensors["w"].data.dtype == np.uint8
    nk.save(draft.to_nnefkit(), tmp_path / "again.nnef.tgz")
    np.testing.assert_array_equal(
        compat.load_graph(tmp_path / "again.nnef.tgz").tensors["w"].data, np.uint8([0, 255])
    )


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("compat.parse_string(PLAIN.replace('conv(x', 'cnov(x'))", "no operation 'cnov'"),
        (
            "compat.parse_string(PLAIN, stdlib='fragment relu( a: scalar ) -> ( b: scalar );')",
            "oth",
        ),
        ("compat.parse_string(PLAIN, lowered=3)", "lowered"),
        ("compat.infer_shapes(compat.parse_string(EXTENDED + CUSTOM + CALL))", "custom_shapes"),
        ("compat.infer_shapes(compat.parse_string(PLAIN), {'x': [1]})", "rank"),
        ("compat.load_graph('/no/such/model')", "no"),
        ("compat.parse_file('/no/such/graph.nnef')", "no"),
        ("compat.format_argument(float('inf'))", "inf"),
        ("compat.infer_shapes(nk.parse(PLAIN))", "from_nnefkit"),
        ("compat.Graph('g', {}, [3], [], []).to_nnefkit()", "an Operation, not of type int"),
        ("compat.Graph('g', {'x': 3}, [], [], []).to_nnefkit()", "a Tensor, not of type int"),
        ("compat.Graph('g', {}, [], [3], []).to_nnefkit()", "a name, not of type int"),
        ("compat.infer_shapes(compat.parse_string(PLAIN)._replace(tensors={}))", "no tensor"),
        ("compat.write_tensor('w.dat', np.float32([1]))", "open file"),
        ("compat.Session('/no/such/model')", "no"),
    ],
)
def test_what_cannot_be_done_is_refused(script: str, message: str) -> None:
    with pytest.raises(compat.Error, match=message):
        eval(script)


def test_a_label_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    draft = compat.parse_string(PLAIN)
    draft.operations[1].attribs["label"] = "../../w"
    draft.tensors["w"] = draft.tensors["w"]._replace(data=np.ones((6, 4, 3, 3), np.float32))
    with pytest.raises(compat.Error, match="leads out"):
        compat.save_graph(draft, tmp_path / "model")
    assert [*tmp_path.iterdir()] == []

"""Graphs that were converted for one shape, run on others: right, or refused with the place.

The judges are PyTorch and ONNX Runtime, run on the other shape.
"""

import copy
import io
import pickle

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from extents_modules import IMAGE, ROWS, Of, others
from onnx import TensorProto, helper
from sampled import sampled
from torch import nn

import nnefkit as nk

by_name = {row.name: row for row in ROWS}
LAST, CONV = by_name["last"].module, by_name["conv"].module
TWICE = Of(lambda x: x * 2)


def asked(graph, shape, x):
    """Return the outputs for another shape, or the error that refuses it."""
    (name,) = graph.inputs
    try:
        return [*nk.run(nk.infer_shapes(graph, **{name: shape}), {name: x}).values()]
    except nk.NnefError as error:
        return error


def agree(outputs, expected):
    assert not isinstance(outputs, nk.NnefError), outputs
    return len(outputs) == len(expected) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-4)
        for a, b in zip(outputs, expected, strict=True)
    )


def accepted(module, x):
    """Return whether PyTorch accepts an input."""
    try:
        module(x)
    except RuntimeError:
        return False
    return True


@pytest.mark.filterwarnings("ignore:input's size at dim=1")
@pytest.mark.parametrize("row", sampled(ROWS, 4), ids=lambda row: row.name)
def test_other_extents_are_right_or_refused(row):
    torch.manual_seed(1)
    graph = nk.from_torch(row.module, torch.randn(row.shape))
    for axes, shape in others(row.shape):
        x = torch.randn(shape)
        outputs = asked(graph, shape, x.numpy())
        if isinstance(outputs, nk.NnefError):
            is_general = row.general == "all" or {*map(str, axes)} <= {*row.general}
            assert not is_general or not accepted(row.module, x), outputs
            continue
        with torch.no_grad():
            assert agree(outputs, [row.module(x).numpy()]), shape


@pytest.mark.parametrize(
    "name",
    [
        *("last", "all but the last", "all but the first", "last three", "middle from the end"),
        *("first three", "every second", "every second from one", "select", "narrow", "flip"),
        *("roll", "circular padding", "conv circular", "global max", "mean", "softmax", "conv"),
    ],
)
def test_text_that_holds_for_any_extent_is_accepted_for_any(name):
    row = by_name[name]
    graph = nk.from_torch(row.module, torch.randn(row.shape))
    axis = len(row.shape) - 1 if "circular" in name or "global" in name else 1 + ("conv" in name)
    shape = (5, *row.shape[1:axis], 11, *row.shape[axis + 1 :])
    x = torch.randn(shape)
    with torch.no_grad():
        assert agree(asked(graph, shape, x.numpy()), [row.module(x).numpy()])


ONNX_ROWS = [
    *("last", "all but the last", "last three", "every second", "half", "flip", "roll"),
    *("constant padding", "padded to a multiple", "std", "mean of all", "division by an extent"),
    *("scaling by an extent", "argmax", "cumsum", "softmax", "topk", "view", "merge"),
    *("split heads", "expand to extent", "repeat", "chunk", "cat", "arange", "positions"),
    *("lstm", "layer norm", "conv", "deconv", "max pool ceil", "average pool ceil"),
    *("global average", "global max", "resize to a size", "resize by a factor", "windows"),
    *(
        "pool of the whole",
        "spatial sum by area",
        "group norm",
        "pixel shuffle",
        "circular padding",
    ),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ONNX_ROWS)
def test_other_extents_of_onnx_models_are_right_or_refused(name):
    row = by_name[name]
    file = io.BytesIO()
    axes = {"x": {axis: f"d{axis}" for axis in range(len(row.shape))}}
    options = {"input_names": ["x"], "dynamic_axes": axes, "dynamo": False}
    try:
        torch.onnx.export(row.module, (torch.randn(row.shape),), file, **options)
    except Exception as error:  # noqa: BLE001 - the exporter cannot leave these axes open
        pytest.skip(f"PyTorch cannot export it: {type(error).__name__}")
    model = file.getvalue()
    graph = nk.from_onnx(model, {"x": row.shape})
    session = onnxruntime.InferenceSession(model)
    for _, shape in others(row.shape):
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        outputs = asked(graph, shape, x)
        if not isinstance(outputs, nk.NnefError):
            assert agree(outputs, session.run(None, {"x": x})), shape


# -- refusals --------------------------------------------------------------------------------------


def test_a_refusal_names_the_place_and_the_remedy():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = Of(lambda x: x / x.shape[1])

        def forward(self, x):
            return self.head(x.relu())

    graph = nk.from_torch(Net(), torch.randn(2, 6))
    with pytest.raises(
        nk.InputError,
        match=r"converted for x = \[2, 6\], and is not valid for x = "
        r"\[2, 7\]: 'head'.* 'div'",
    ) as error:
        nk.infer_shapes(graph, x=(2, 7))
    assert "an example of these shapes" in error.value.diagnostics[0].hint
    with pytest.raises(nk.InputError):
        graph.with_input_shapes(x=(2, 7))


def test_shapes_that_the_module_refuses_are_refused():
    graph = nk.from_torch(nn.Linear(4, 2), torch.randn(1, 4))
    assert nk.infer_shapes(graph, input=(9, 4)).tensors["linear"].shape == (9, 2)
    with pytest.raises(nk.InputError, match=r"torch\.export cannot export Linear"):
        nk.infer_shapes(graph, input=(1, 5))
    with pytest.raises(nk.InputError):
        nk.infer_shapes(graph, input=(1, 1, 4, 4, 4))


def test_a_module_that_has_changed_is_detected():
    module = Of(lambda x: x / 6)
    graph = nk.from_torch(module, torch.randn(2, 6))
    module.function = lambda x: x / 7
    with pytest.raises(nk.InputError, match="the source has changed since it was converted"):
        nk.infer_shapes(graph, x=(3, 6))


def test_trained_weights_do_not_count_as_a_change():
    module = nn.Linear(4, 2)
    graph = nk.from_torch(module, torch.randn(1, 4))
    with torch.no_grad():
        module.weight.mul_(2)
    assert nk.infer_shapes(graph, input=(9, 4)).tensors["linear"].shape == (9, 2)


def test_a_constant_that_depends_on_the_extents_is_found():
    table = torch.arange(4.0)
    graph = nk.from_torch(Of(lambda x: x + table / x.shape[0]), torch.randn(2, 4))
    with pytest.raises(nk.InputError, match="depends on the shapes"):
        nk.infer_shapes(graph, x=(3, 4))


def test_programs_with_fixed_shapes_are_refused(tmp_path):
    program = torch.export.export(TWICE, (torch.randn(2, 6),))
    graph = nk.from_torch(program)
    with pytest.raises(nk.InputError, match="the program was exported with fixed shapes"):
        nk.infer_shapes(graph, x=(3, 6))
    batch = torch.export.Dim("batch")
    program = torch.export.export(TWICE, (torch.randn(2, 6),), dynamic_shapes=({0: batch},))
    path = tmp_path / "twice.pt2"
    torch.export.save(program, path)
    for source in (program, path):
        graph = nk.from_torch(source, torch.randn(2, 6))
        assert nk.infer_shapes(graph, x=(3, 6)).inputs == ("x",)
        with pytest.raises(nk.InputError):
            nk.infer_shapes(graph, x=(2, 7))


def onnx_model(*shape):
    node = helper.make_node("Relu", ["x"], ["y"])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    model = helper.make_model(helper.make_graph([node], "net", [x], [y]))
    model.ir_version = 8
    return model


def test_extents_that_an_onnx_model_fixes_are_refused(tmp_path):
    model = onnx_model("batch", 3)
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    for source in (model, model.SerializeToString(), path):
        graph = nk.from_onnx(source, {"x": (2, 3)})
        assert nk.infer_shapes(graph, x=(5, 3)).tensors["y"].shape == (5, 3)
        with pytest.raises(nk.InputError, match="the model fixes axis 1 of 'x' at 3"):
            nk.infer_shapes(graph, x=(2, 4))


def test_modules_of_a_graph_check_their_inputs():
    module = nk.to_torch(nk.from_torch(by_name["std"].module, torch.randn(2, 6, 4)))
    x = torch.randn(5, 6, 4)
    assert torch.allclose(module(x), x.std((1, 2)), atol=1e-5)
    with pytest.raises(nk.InputError, match="is not valid for"):
        module(torch.randn(2, 7, 4))


# -- what becomes of a graph -----------------------------------------------------------------------


def test_changed_graphs_are_still_checked(tmp_path):
    graph = nk.from_torch(LAST, torch.randn(2, 6, 4))
    weighted = nk.from_torch(nn.Linear(6, 3), torch.randn(2, 6))
    changed = weighted.with_data({"weight": np.ones((3, 6))})
    assert nk.infer_shapes(changed, input=(7, 6)).tensors["linear"].shape == (7, 3)
    for one in (graph.with_outputs(graph.outputs), copy.deepcopy(graph), nk.lower(graph)):
        assert nk.infer_shapes(one, x=(7, 6, 4)).inputs == ("x",)
    inner = graph.producers[graph.outputs[0]].input_names
    part = graph.between(inner, graph.outputs)
    with pytest.raises(nk.InputError, match="not an input of the graph that was converted"):
        part.with_input_shapes(**{inner[0]: (3, 1, 4)})
    part.with_input_shapes(**{inner[0]: part.tensors[inner[0]].shape})


def returned(graph, how, folder):
    if how == "saved":
        nk.save(graph, folder / "model")
        return nk.load(folder / "model")
    if how == "pickled":
        return pickle.loads(pickle.dumps(graph))
    return nk.parse(str(graph) if how == "parsed" else nk.to_text(graph, shapes=True))


HOW = ["saved", "pickled", "parsed", "written"]


@pytest.mark.parametrize("how", HOW)
def test_a_graph_without_its_source_is_refused(how, tmp_path):
    graph = returned(nk.from_torch(TWICE, torch.randn(2, 6)), how, tmp_path)
    assert nk.infer_shapes(graph, x=(2, 6)).inputs == ("x",)
    with pytest.raises(nk.InputError, match="which results depend on axis 0 of 'x'") as error:
        nk.infer_shapes(graph, x=(3, 6))
    assert "dynamic_shapes" in error.value.diagnostics[0].hint
    again = nk.parse(str(graph))
    with pytest.raises(nk.InputError):
        again.with_input_shapes(x=(2, 7))


@pytest.mark.parametrize("how", HOW)
def test_declared_axes_are_recorded(how, tmp_path):
    torch.manual_seed(0)
    module = nn.Sequential(CONV, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    shapes = {"input": {0: "batch", 2: (4, 64), -1: torch.export.Dim("width", max=100)}}
    graph = nk.from_torch(module, torch.randn(IMAGE), dynamic_shapes=shapes)
    if how != "pickled":
        graph = nk.infer_shapes(graph, input=(3, 4, 9, 7))
    graph = returned(graph, how, tmp_path)
    x = torch.randn(5, 4, 64, 11)
    if how in ("saved", "pickled"):
        assert agree(asked(graph, x.shape, x.numpy()), [module(x).detach().numpy()])
    else:
        assert nk.infer_shapes(graph, input=x.shape).tensors[graph.outputs[0]].shape == (5, 3)
    for shape in ((1025, 4, 8, 6), (2, 4, 65, 6), (2, 4, 3, 6), (2, 4, 8, 101)):
        with pytest.raises(nk.InputError, match="is not recorded"):
            nk.infer_shapes(graph, input=shape)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_reshape_leaves_the_declared_axis_open(batch):
    torch.manual_seed(0)
    module = by_name["attention"].module
    shapes = {"x": {0: (1, 9)}}
    graph = nk.from_torch(module, torch.randn(batch, 6, 4), dynamic_shapes=shapes)
    graph = nk.parse(str(graph)).with_data({v.name: v.data for v in graph.variables})
    for extent in (1, 2, 5, 9):
        x = torch.randn(extent, 6, 4)
        assert agree(asked(graph, x.shape, x.numpy()), [module(x).detach().numpy()])


def _divided_again(x):
    return (x.reshape(x.shape[0] * x.shape[1], 4) * 2).view(x.shape[0], x.shape[1], 4)


@pytest.mark.parametrize("shape", [(3, 2, 4), (1, 1, 4)])
@pytest.mark.parametrize("axis", [0, 1])
def test_one_of_two_extents_that_a_reshape_divides_may_change(shape, axis):
    graph = nk.from_torch(
        Of(_divided_again), torch.randn(shape), dynamic_shapes={"x": {axis: (1, 12)}}
    )
    for extent in (1, 2, 5, 12):
        other = (*shape[:axis], extent, *shape[axis + 1 :])
        x = torch.randn(other)
        assert agree(asked(graph, other, x.numpy()), [2 * x.numpy()])


def test_two_extents_that_a_reshape_divides_are_refused():
    with pytest.raises(nk.InputError, match=r"which 'dynamic_shapes' declares: 'view'.*'reshape'"):
        nk.from_torch(Of(_divided_again), torch.randn(3, 2, 4), dynamic_shapes={"x": [0, 1]})


def test_a_refusal_names_the_axes_to_declare():
    graph = nk.from_torch(Of(_divided_again), torch.randn(3, 2, 4))
    with pytest.raises(nk.InputError, match="not valid for") as error:
        nk.infer_shapes(graph, x=(3, 7, 4))
    assert "dynamic_shapes={'x': [1]}" in error.value.diagnostics[0].hint
    # It is what the hint says, and no hint where it would not help.
    declared = nk.from_torch(Of(_divided_again), torch.randn(3, 2, 4), dynamic_shapes={"x": [1]})
    assert nk.infer_shapes(declared, x=(3, 7, 4)).inputs == ("x",)
    with pytest.raises(nk.InputError, match="not valid for") as error:
        nk.infer_shapes(graph, x=(5, 7, 4))
    assert "dynamic_shapes" not in error.value.diagnostics[0].hint
    fixed = nk.from_torch(Of(lambda x: x / x.shape[1]), torch.randn(2, 6))
    with pytest.raises(nk.InputError, match="not valid for") as error:
        nk.infer_shapes(fixed, x=(2, 7))
    assert "dynamic_shapes" not in error.value.diagnostics[0].hint


def test_axes_of_one_name_change_together():
    class Sum(nn.Module):
        def forward(self, a, b):
            return a + b

    inputs = torch.randn(2, 3), torch.randn(2, 3)
    shapes = {"a": {0: "batch"}, "b": {0: "batch"}}
    graph = nk.parse(str(nk.from_torch(Sum(), inputs, dynamic_shapes=shapes)))
    assert nk.infer_shapes(graph, a=(5, 3), b=(5, 3)).inputs == ("a", "b")
    with pytest.raises(nk.InputError):
        nk.infer_shapes(graph, a=(5, 3))


def test_declared_axes_of_an_onnx_model():
    model = onnx_model("batch", 3)
    graph = nk.from_onnx(model, {"x": (2, 3)}, dynamic_shapes={"x": [0]})
    assert nk.infer_shapes(nk.parse(str(graph)), x=(9, 3)).tensors["y"].shape == (9, 3)
    with pytest.raises(nk.InputError, match="fixes axis 1"):
        nk.from_onnx(model, {"x": (2, 3)}, dynamic_shapes={"x": [1]})


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"x": [1]}, r"not valid for x = \[2, 7\], which 'dynamic_shapes' declares: .*'div'"),
        ({"y": [1]}, "names 'y', which is not an input"),
        ({"x": [2]}, "has no axis 2; its rank is 2"),
        ({"x": {True: "a"}}, "has no axis True"),
        ({"x": "batch"}, "declares 'batch'"),
        ({"x": {0: (0, 4)}}, r"\(0, 4\) is not a range"),
        ({"x": {0: "a", 1: "a"}}, "has extent 6, but 'a' is 2 elsewhere"),
        ([0], "dynamic_shapes"),
    ],
)
def test_wrong_declarations(shapes, message):
    module = Of(lambda x: x / x.shape[1])
    with pytest.raises(nk.NnefError, match=message):
        nk.from_torch(module, torch.randn(2, 6), dynamic_shapes=shapes)


def test_a_text_whose_shapes_were_edited_is_not_read():
    text = str(nk.from_torch(LAST, torch.randn(2, 6, 4)))
    with pytest.raises(nk.DocumentError, match="converted for another shape of 'x'"):
        nk.parse(text.replace("shape = [2, 6, 4]", "shape = [2, 7, 4]"))


@pytest.mark.parametrize(
    "record", ["", " x", " x = [a]", " x = [" + "9" * 5000, " x = [1 in 3..2]"]
)
def test_a_record_that_cannot_be_read_is_an_error(record):
    text = "version 1.0;\n# converted for:" + record
    text += "\ngraph g( x ) -> ( y ) { x = external(shape = [1]); y = exp(x); }"
    with pytest.raises(nk.DocumentError, match="converted for another shape of 'x'"):
        nk.parse(text)

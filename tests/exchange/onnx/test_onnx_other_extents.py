"""ONNX models that were converted for one shape, run on others: right, or refused with the place.

The judge is ONNX Runtime, run on the other shape.
"""

from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from sampled import sampled

import nnefkit as nk

LAST, FIRST = 2**63 - 1, -(2**63)
ROWS_SHAPE, IMAGE = (2, 6, 4), (2, 4, 8, 6)


class Row(NamedTuple):
    name: str
    nodes: list
    constants: dict
    shape: tuple[int, ...]
    general: str
    """The axes for whose extents, wherever ONNX Runtime accepts them, the graph is valid."""
    opset: int


ROWS: list[Row] = []


def row(name, operator, general, *inputs, shape=ROWS_SHAPE, opset=18, outputs=1, **attributes):
    """Add a model of one node, which reads x and constants; None is a missing input."""
    names = ["x"] + [f"c{number}" if c is not None else "" for number, c in enumerate(inputs)]
    constants = {f"c{n}": np.asarray(c) for n, c in enumerate(inputs) if c is not None}
    results = [f"y{number}" for number in range(outputs)]
    node = helper.make_node(operator, names, results, **attributes)
    ROWS.append(Row(name, [node], constants, shape, general, opset))


def sliced(name, general, starts, ends, axes=(1,), steps=None):
    """Add a `Slice`, with its bounds as inputs, and in opset 9 as attributes if it can be."""
    row(name, "Slice", general, starts, ends, [*axes], steps)
    if steps is None:
        bounds = {"starts": starts, "ends": ends, "axes": [*axes]}
        row(f"{name}, attributes", "Slice", general, opset=9, **bounds)


def model_row(name, general, *nodes, shape=ROWS_SHAPE, **constants):
    """Add a model of several nodes, written as ``(operator, inputs, output, attributes)``."""
    made = [helper.make_node(op, i.split(), [o], **dict(*a)) for op, i, o, *a in nodes]
    arrays = {key: np.asarray(value) for key, value in constants.items()}
    ROWS.append(Row(name, made, arrays, shape, general, 18))


sliced("last", "012", [-1], [LAST])
sliced("all but the last", "012", [0], [-1])
sliced("all but the first", "012", [1], [LAST])
sliced("middle from the end", "012", [-4], [-1])
sliced("from the end to a place", "02", [-5], [4])
sliced("from a place to the end", "012", [1], [-1])
sliced("more than all", "02", [-9], [6])
sliced("first three", "012", [0], [3])
sliced("two axes", "012", [-2, 1], [2**31 - 1, -1], (1, 2))
sliced("negative axis", "012", [-2], [-1], (-2,))
sliced("every second", "012", [1], [LAST], steps=[2])
sliced("every second from the end", "012", [-5], [-1], steps=[2])
sliced("flip", "012", [-1], [FIRST], steps=[-1])
sliced("flip from past the end", "012", [LAST], [-(2**31)], steps=[-1])
sliced("flip two", "12", [-1, LAST], [FIRST, FIRST], (1, 2), [-1, -1])
sliced("back by two", "012", [-2], [FIRST], steps=[-2])
sliced("back to a place", "012", [-1], [1], steps=[-1])
sliced("back from a place", "012", [3], [FIRST], steps=[-1])
sliced("back to the first but one", "012", [-1], [0], steps=[-1])
sliced("back to the end but four", "012", [-1], [-5], steps=[-1])
sliced("back to before the first", "012", [-1], [-7], steps=[-1])
sliced("forth and back", "012", [1, -1], [LAST, FIRST], (1, 2), [1, -1])
sliced("forth to 0 from the end", "012", [-3, -1], [-1, 0], (1, 2), [1, -1])

row("gather the last", "Gather", "012", -1, axis=1)
row("gather the last but one, with its axis", "Gather", "012", [-2], axis=1)
row("gather the first", "Gather", "012", 0, axis=1)
row("gather from the end", "Gather", "02", [-1, -3], axis=1)
row("gather elements", "GatherElements", "", np.full((2, 6, 4), -1), axis=1)

row("reshape 0 -1", "Reshape", "012", [0, -1])
row("reshape -1", "Reshape", "012", [-1])
row("reshape 0 0 -1 2", "Reshape", "012", [0, 0, -1, 2])
row("reshape 0 -1 3 4", "Reshape", "01", [0, -1, 3, 4])
row("reshape -1 4", "Reshape", "01", [-1, 4])
row("reshape -1 6 2", "Reshape", "02", [-1, 6, 2])
row("reshape -1 0 2", "Reshape", "012", [-1, 0, 2])
row("reshape 3 0 -1", "Reshape", "", [3, 0, -1], shape=(2, 2, 6))
row("reshape -1 of a batch of one", "Reshape", "01", [-1, 4], shape=(1, 6, 4))
row("reshape to a batch of one", "Reshape", "0", [-1, 6, 4], shape=(6, 4))
row("reshape fixed", "Reshape", "", [2, 24])
row("reshape allowzero", "Reshape", "12", [2, -1], allowzero=1)
row("flatten", "Flatten", "012", axis=1)
row("flatten 0", "Flatten", "012", axis=0)
row("flatten 2", "Flatten", "01", axis=2)
row("flatten all", "Flatten", "012", axis=3)
row("flatten -1", "Flatten", "012", axis=-1)
row("squeeze", "Squeeze", "02", [1], shape=(2, 1, 4))

row("split", "Split", "02", [2, 4], axis=1, outputs=2)
row("split in halves", "Split", "02", None, axis=1, outputs=2, num_outputs=2)
row("split in unequal parts", "Split", "02", None, axis=1, outputs=4, num_outputs=4,
    shape=(2, 7, 4))  # fmt: skip
row("pad", "Pad", "012", [0, 1, 0, 0, 0, 2])
row("pad by less than nothing", "Pad", "012", [0, -1, 0, 0, -2, 1])
row("pad by the edge", "Pad", "012", [0, 1, 0, 0, 2, 0], mode="edge")
row("pad by reflection", "Pad", "012", [0, 1, 0, 0, 2, 0], mode="reflect")
row("pad around", "Pad", "012", [0, 1, 0, 0, 2, 0], mode="wrap", opset=19)
row("pad with infinity", "Pad", "1", [0, 1, 0, 0, 0, 0], np.float32(np.inf))
row("expand", "Expand", "02", [1, 5, 1], shape=(2, 1, 4))
row("expand to its own extent", "Expand", "", [2, 6, 4])
row("tile", "Tile", "012", [1, 2, 3])
row("reverse sequence", "ReverseSequence", "2", [3, 6], batch_axis=0, time_axis=1)
row("cumulative sum", "CumSum", "02", 1)
row("trilu", "Trilu", "0", upper=0)
row("top two", "TopK", "02", [2], axis=1, outputs=2)
row("arg max", "ArgMax", "012", axis=1)
row("mean of all", "ReduceMean", "012")
row("log sum exp", "ReduceLogSumExp", "012", [1])
row("softmax of old", "Softmax", "012", axis=2, opset=11)
row("mean variance", "MeanVarianceNormalization", "012", axes=[1, 2])

image = {"shape": IMAGE}
row("global average", "GlobalAveragePool", "0123", **image)
row("global max", "GlobalMaxPool", "0123", **image)
row("global norm", "GlobalLpPool", "0123", p=2, **image)
windows = {"kernel_shape": [3, 3], "strides": [2, 2], **image}
row("max pool", "MaxPool", "0123", pads=[1, 1, 1, 1], **windows)
row("max pool ceil", "MaxPool", "01", ceil_mode=1, **windows)
row("max pool upper", "MaxPool", "01", auto_pad="SAME_UPPER", **windows)
row("average pool ceil", "AveragePool", "01", ceil_mode=1, pads=[1, 0, 1, 0], **windows)
row("average pool padded", "AveragePool", "01", ceil_mode=1, count_include_pad=1, **windows)
row("average pool lower", "AveragePool", "01", auto_pad="SAME_LOWER", **windows)
row("conv upper", "Conv", "0", np.ones((3, 4, 3, 3), np.float32), auto_pad="SAME_UPPER", **windows)
deconv = {"pads": [1, 1, 1, 1], **windows}
row("deconv", "ConvTranspose", "023", np.ones((4, 3, 3, 3), np.float32), **deconv)
row("deconv to a shape", "ConvTranspose", "0", np.ones((4, 3, 3, 3), np.float32), **windows,
    output_shape=[16, 12])  # fmt: skip
ones = np.ones(4, np.float32)
row("instance norm", "InstanceNormalization", "023", ones, ones, **image)
row("group norm", "GroupNormalization", "023", ones, ones, num_groups=2, opset=21, **image)
row("depth to space", "DepthToSpace", "0123", blocksize=2, **image)
row("depth to space, columns first", "DepthToSpace", "0123", blocksize=2, mode="CRD", **image)
row("space to depth", "SpaceToDepth", "0123", blocksize=2, **image)
scales = [np.float32([1, 1, scale, scale]) for scale in (2, 0.5, 1.5)]
asymmetric = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor", **image}
row("resize by 2", "Resize", "0123", None, scales[0], **asymmetric)
row("resize by a half", "Resize", "01", None, scales[1], **asymmetric)
row("resize by 1.5", "Resize", "01", None, scales[2], **asymmetric)
row("linear by 2", "Resize", "0123", None, scales[0], mode="linear", **image)
row("linear by a half", "Resize", "01", None, scales[1], mode="linear", **image)
row("cubic by 2", "Resize", "01", None, scales[0], mode="cubic", **image)
row("resize to a size", "Resize", "", None, None, [2, 4, 16, 12], **asymmetric)
row("linear, aligned", "Resize", "01", None, scales[0], mode="linear", **image,
    coordinate_transformation_mode="align_corners")  # fmt: skip
row("upsample", "Upsample", "0123", scales[0], opset=9, mode="nearest", **image)

BATCH = [("Shape", "x", "s"), ("Gather", "s zero", "n")]
model_row("view(n, -1)", "012", *BATCH, ("Unsqueeze", "n axis", "m"),
          ("Concat", "m rest", "shape", {"axis": 0}), ("Reshape", "x shape", "y0"),
          zero=0, axis=[0], rest=[-1])  # fmt: skip
model_row("range", "12", *BATCH, ("Range", "zero n one", "r"), ("Cast", "r", "f", {"to": 1}),
          ("Mul", "f number", "g"), ("Reshape", "g column", "h"), ("Add", "x h", "y0"),
          zero=0, one=1, number=np.float32(1), column=[-1, 1, 1])  # fmt: skip
model_row("division by an extent", "12", *BATCH, ("Cast", "n", "f", {"to": 1}),
          ("Div", "x f", "y0"), zero=0)  # fmt: skip
model_row("half of a batch", "12", *BATCH, ("Div", "n two", "h"), ("Unsqueeze", "h axis", "end"),
          ("Slice", "x axis end axis", "y0"), zero=0, two=2, axis=[0])  # fmt: skip
model_row("size", "", ("Size", "x", "n"), ("Cast", "n", "f", {"to": 1}), ("Div", "x f", "y0"))
model_row("ones", "", ("Shape", "x", "s"), ("ConstantOfShape", "s", "o"), ("Add", "x o", "y0"))


def others(shape):
    """Return changed axes and other shapes."""
    for axis, extent in enumerate(shape):
        for new in (extent + 1, 2 * extent):
            yield str(axis), (*shape[:axis], new, *shape[axis + 1 :])
    yield "".join(map(str, range(len(shape)))), tuple(extent + 2 for extent in shape)
    yield "0", (1, *shape[1:])


def model_of(row):
    free = [f"d{axis}" for axis in range(len(row.shape))]
    names = list(row.nodes[-1].output)
    graph = helper.make_graph(
        row.nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, free)],
        [onnx.ValueInfoProto(name=name) for name in names],
        [numpy_helper.from_array(array, name) for name, array in row.constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", row.opset)])
    model.ir_version = 8
    return onnx.shape_inference.infer_shapes(model)


def asked(graph, x):
    """Return the outputs for another shape, or the error that refuses it."""
    try:
        return [*nk.run(nk.infer_shapes(graph, x=x.shape), {"x": x}).values()]
    except nk.NnefError as error:
        return error


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", sampled(ROWS, 3), ids=lambda row: row.name)
def test_other_extents_are_right_or_refused(row):
    model = model_of(row)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    graph = nk.from_onnx(model, {"x": row.shape})
    for axes, shape in [("", row.shape), *others(row.shape)]:
        x = np.random.default_rng(len(axes)).standard_normal(shape).astype(np.float32)
        try:
            expected = session.run(None, {"x": x})
        except Exception:  # noqa: BLE001 - ONNX Runtime refuses the shape
            expected = None
        results = asked(graph, x)
        if isinstance(results, nk.NnefError):
            assert expected is None or not {*axes} <= {*row.general}, results
            continue
        assert expected is not None, shape
        for result, right in zip(results, expected, strict=True):
            assert result.shape == right.shape, shape
            np.testing.assert_allclose(result, right, rtol=1e-4, atol=1e-5)

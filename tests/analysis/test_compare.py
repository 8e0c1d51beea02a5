"""`compare` finds where two runs diverge, what introduces the difference and what inherits it."""

import dataclasses
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.figure import Figure as MatplotlibFigure

import nnefkit as nk
from nnefkit.analysis import compare
from nnefkit.analysis.tolerance import Tolerance
from nnefkit.errors import InputError, NnefError, StorageError, UnknownNameError
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor

I = Identifier  # noqa: E741


def operation(name, result, *inputs, **attribs):
    formals = dict(zip(["x", "y", "z"], inputs, strict=False))
    return Operation(name, FrozenDict(formals), FrozenDict(r=I(result)), FrozenDict(attribs))


def network(weights=(2.0, 3.0), stride=1):
    """input -> conv1 (w1) -> relu1 -> conv2 (w2t = transpose(w2)) -> sum(conv2, relu1) -> out."""
    ops = (
        operation("external", "input", shape=[2]),
        operation("variable", "w1", shape=[2], label="w1"),
        operation("variable", "w2", shape=[2], label="w2"),
        operation("conv", "conv1", I("input"), I("w1"), stride=stride),
        operation("relu", "relu1", I("conv1")),
        operation("transpose", "w2t", I("w2")),
        operation("conv", "conv2", I("relu1"), I("w2t")),
        operation("add", "sum", I("conv2"), I("relu1")),
        operation("abs", "side", I("input")),
    )
    data = {name: np.full(2, w, np.float32) for name, w in zip(("w1", "w2"), weights, strict=True)}
    tensors = {
        name: Tensor(name, shape=(2,), data=data.get(name), label=name if name in data else None)
        for op in ops
        for name in op.output_names
    }
    return Graph("net", ("input",), ("sum", "side"), ops, FrozenDict(tensors))


class Run(dict):
    """A run as `compare` sees it: tensors by name, and the graph."""

    def __init__(self, graph, engine="numpy", **changes):
        x = np.array([1.0, -2.0], np.float32)
        w1, w2 = (graph.tensors[name].data for name in ("w1", "w2"))
        relu = np.maximum(w1 * x, 0)
        super().__init__(
            input=x, conv1=w1 * x, relu1=relu, conv2=w2 * relu, sum=w2 * relu + relu, side=abs(x)
        )
        self.graph, self.engine = graph, engine
        self.update({name: np.asarray(v, np.float32) for name, v in changes.items()})


def verdicts(comparison):
    return {row.name: row.verdict for row in comparison}


def test_the_same_run_is_equal():
    found = compare(Run(network()), Run(network()))
    assert set(verdicts(found).values()) == {"equal"}
    assert found.ok
    assert found.equal
    assert found.first_divergence is None
    assert found.summary == "The runs are equal. All 6 tensors are equal in every element."


def test_changed_weights_are_identified_as_the_cause_and_traced():
    found = compare(Run(network()), Run(network(weights=(2, 5))))
    assert verdicts(found) == {
        "input": "equal",
        "conv1": "equal",
        "relu1": "equal",
        "conv2": "introduces",
        "sum": "inherits",
        "side": "equal",
    }
    first = found.first_divergence
    assert (first.name, first.operation, first.number) == ("conv2", "conv", 6)
    assert first.causes == ("w2",)
    assert found.summary == (
        "The runs diverge at conv2 (conv): largest difference 4, SNR 3.52 dB. At [0] it is 6.0 in "
        "a and 10.0 in b. Its weight w2 differs; its input does not. 1 tensor inherits the "
        "difference; the output sum is off by 4."
    )
    assert not found.ok


def test_a_changed_attribute_is_named():
    b = Run(network(stride=2), conv1=[1, 1], relu1=[1, 1], conv2=[1, 1], sum=[2, 2])
    first = compare(Run(network()), b).first_divergence
    assert first.name == "conv1"
    assert first.altered == "its `stride` is 1 in the first graph and 2 in the second"
    assert "Its stride is 1 in the first graph" in compare(Run(network()), b).summary


def test_the_engine_is_the_cause_where_inputs_and_weights_agree():
    found = compare(Run(network()), Run(network(), conv2=[9, 0], sum=[11, 0]))
    assert "Its input agrees and its weights are equal, so it is computed" in found.summary
    only_one = compare(Run(network()), dict(Run(network(), conv2=[9, 0], sum=[11, 0])))
    assert "Its input agrees, so its weights differ or it is computed" in only_one.summary


def test_different_inputs_are_reported():
    found = compare(Run(network()), Run(network(), input=[1, 1], side=[1, 1]))
    assert found.first_divergence.name == "input"
    assert "the runs had different inputs" in found.summary


def test_tensors_that_were_not_recorded_pass_the_difference_on():
    a, b = Run(network()), Run(network(weights=(5, 3)))
    for run in (a, b):
        del run["relu1"], run["conv2"]
    assert verdicts(compare(a, b))["sum"] == "inherits"
    for run in (a, b):
        del run["conv1"]
    assert verdicts(compare(a, b))["sum"] == "introduces"


def test_a_difference_that_hides_within_the_tolerance_is_still_the_same_one():
    b = Run(network(), conv1=[3, -2], relu1=[2.00001, 0], conv2=[7, 0])
    found = verdicts(compare(Run(network()), b))
    assert (found["conv1"], found["relu1"], found["conv2"]) == ("introduces", "within", "inherits")
    b = Run(network(), conv1=[2, -5], conv2=[7, 0])
    # relu removes the difference: a later one is a new one.
    found = verdicts(compare(Run(network()), b))
    assert (found["conv1"], found["relu1"], found["conv2"]) == ("introduces", "equal", "introduces")


def test_weights_that_were_recorded_differ_without_introducing():
    a, b = (Run(network(weights=(2, w)), w2=[w, w], w2t=[w, w]) for w in (3, 5))
    found = compare(a, b)
    assert found["w2"].verdict == found["w2t"].verdict == "differs"
    assert "8 tensors" not in found.summary
    unused = compare(Run(network(), w2=[3, 3]), Run(network(), w2=[4, 4]))
    assert unused.equal
    assert unused.summary == "The runs are equal. All 6 tensors are equal in every element."
    assert compare(a, dict(Run(network()))).missing == ((), ())
    assert found.first_divergence.name == "conv2"
    assert [row.name for row in found] == [
        "input",
        "w2",
        "conv1",
        "relu1",
        "w2t",
        "conv2",
        "sum",
        "side",
    ]
    assert found.first_divergence.causes == ("w2",)


def test_recorded_weights_are_the_cause_where_only_one_graph_is_known():
    a = Run(network(), w2t=[3, 3])
    b = dict(Run(network(weights=(2, 5)), w2t=[5, 5]))
    assert compare(a, b).first_divergence.causes == ("w2t",)
    assert "Its weight w2t differs; its input does not." in compare(a, b).summary


def test_rows_describe_themselves():
    found = compare(Run(network()), Run(network(weights=(2, 5))))
    assert repr(found["conv2"]) == (
        "<conv2 (conv): introduces a difference; largest difference 4, SNR 3.52 dB>"
    )
    assert repr(found.worst(2)).count("\n") == 1
    assert "conv2" in found.worst(2)._repr_html_()
    assert repr(compare({"x": [1]}, {"x": [1]}).differing) == "<no tensors>"
    assert found.differing[:0] == ()


def test_displays_show_the_summary():
    found = compare(Run(network()), Run(network(weights=(2, 5))), labels=("float", "8 bit"))
    for shown in (repr(found), found._repr_html_()):
        for fact in (
            "The runs diverge at",
            "conv2",
            "SNR 3.52 dB",
            "introduces",
            "inherits",
            "8 bit",
        ):
            assert fact in shown


def test_rows_are_in_the_order_of_the_graph():
    a = Run(network())
    shuffled = {name: a[name] for name in reversed(a)}
    assert [row.name for row in compare(shuffled, a)] == list(a)
    assert [row.name for row in compare(shuffled, dict(a))] == list(shuffled)


def test_a_graph_on_the_second_side_alone_is_enough():
    plain = {"first/" + name: values for name, values in Run(network()).items()}
    b = Run(network(weights=(2, 5)))
    found = compare(plain, b, names={"first/" + name: name for name in b})
    assert verdicts(found)["first/conv2"] == "introduces"
    assert verdicts(found)["first/sum"] == "inherits"


def test_without_a_graph_the_runs_diverge_at_the_first_in_order():
    found = compare({"a": [1.0], "b": [1.0], "c": [2.0]}, {"a": [1.0], "b": [4.0], "c": [3.0]})
    assert verdicts(found) == {"a": "equal", "b": "differs", "c": "differs"}
    assert found.first_divergence.name == "b"
    assert "2 of 3 tensors are out of tolerance; the largest " in found.summary


def test_names_that_differ_are_mapped():
    found = compare({"x": [1.0], "y": [2.0]}, {"y": [1.0], "z": [5.0]}, names={"x": "y"})
    assert [(row.name, row.other, row.verdict) for row in found] == [("x", "y", "equal")]
    assert found.missing == (("y",), ("z",))
    assert "Not compared: 1 tensor only in a (y), 1 tensor only in b (z)." in found.summary


@pytest.mark.parametrize("names", [{"q": "x"}, {"x": "q"}])
def test_a_mapping_of_unknown_names_is_refused(names):
    with pytest.raises(UnknownNameError, match="'q'"):
        compare({"x": [1.0]}, {"x": [1.0]}, names=names)


def test_nothing_in_common_is_refused():
    with pytest.raises(InputError, match="no tensor in common") as error:
        compare({"x": [1.0]}, {"y": [1.0]})
    assert "names={...}" in str(error.value)


NHWC = np.arange(2 * 5 * 3 * 4, dtype=np.float32).reshape(2, 5, 3, 4)


@pytest.mark.parametrize(
    ("axes", "permutation"),
    [
        ({"x": (0, 3, 1, 2)}, (0, 3, 1, 2)),
        ({"x": [0, 3, 1, 2]}, (0, 3, 1, 2)),
        ("auto", (0, 3, 1, 2)),
    ],
)
def test_other_layouts_are_permuted_and_reported(axes, permutation):
    found = compare({"x": NHWC.transpose(0, 3, 1, 2)}, {"x": NHWC}, axes=axes)
    assert found.equal
    assert found["x"].axes == permutation
    assert found["x"].shapes == ((2, 4, 5, 3), (2, 5, 3, 4))
    assert "The axes of x in b were permuted by [0, 3, 1, 2]." in found.summary


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.int8, hnp.array_shapes(min_dims=2, max_dims=4, max_side=4)), st.randoms())
def test_any_order_of_up_to_four_axes_is_found(x, random):
    order = random.sample(range(x.ndim), x.ndim)
    y = x.transpose(order)
    assert compare({"x": y}, {"x": x}, axes="auto").equal
    assert compare({"x": x}, {"x": y}, axes="auto").equal


def test_an_equal_shape_is_permuted_only_to_agree():
    square = np.arange(27.0).reshape(1, 3, 3, 3)
    moved = np.moveaxis(square, 1, 3)
    assert compare({"x": square}, {"x": moved}, axes="auto")["x"].axes == (0, 3, 1, 2)
    other = compare({"x": square}, {"x": -moved}, axes="auto")["x"]
    assert (other.axes, other.verdict) == (None, "differs")


def test_channels_first_and_last_are_tried_before_other_orders():
    x = np.ones((1, 4, 4, 2))
    assert compare({"x": x.transpose(0, 3, 2, 1)}, {"x": x}, axes="auto")["x"].axes == (0, 3, 1, 2)


@pytest.mark.parametrize(
    "axes", [{"x": (0, 1)}, {"x": (0, 0, 1, 2)}, {"y": (0,)}, "nhwc", {"x": (1, 2, 3, 4)}]
)
def test_axes_that_are_not_a_permutation_are_refused(axes):
    with pytest.raises(NnefError):
        compare({"x": NHWC}, {"x": NHWC}, axes=axes)


def test_shapes_that_do_not_match_are_a_difference():
    found = compare({"x": NHWC.transpose(0, 3, 1, 2)}, {"x": NHWC})
    row = found.first_divergence
    assert row.metrics is None
    assert (
        row.note
        == 'shapes 2×4×5×3 and 2×5×3×4; axes="auto" looks for the order of axes that matches'
    )
    assert "the shapes 2×4×5×3 and 2×5×3×4 do not match" in found.summary
    assert compare({"x": [1.0, 2]}, {"x": [1.0]}, axes="auto")["x"].metrics is None


def test_other_dtypes_are_compared_by_the_wider_tolerance_and_reported():
    x = np.linspace(0, 1, 50)
    found = compare({"x": x}, {"x": x.astype(np.float16)})
    assert found.ok
    assert found["x"].note == "float64 and float16"


def test_non_finite_elements_are_reported():
    a = {"x": np.array([1, np.nan, np.inf]), "y": np.array([1.0, 2])}
    b = {"x": np.array([1, np.nan, np.nan]), "y": np.array([1.0, 2])}
    found = compare(a, b)
    assert found["x"].note == "1 NaN against 2, 1 Inf against 0"
    assert "1 NaN against 2, 1 Inf against 0 in 1 element" in found.summary
    assert compare(a, a).equal


def test_tolerance_decides():
    a, b = {"x": np.float32([1, 100])}, {"x": np.float32([1.05, 100])}
    assert not compare(a, b).ok
    assert compare(a, b, tolerance=1e-3).ok
    assert not compare(a, b, tolerance=Tolerance(absolute=1e-3)).ok
    assert compare(a, b, tolerance={"float32": Tolerance(absolute=0.1)}).ok
    assert not compare(a, a | {"x": np.float32([1, 100.00001])}, tolerance=0).equal
    ints = {"x": np.array([5, 250])}, {"x": np.array([5, 251])}
    assert not compare(*ints).ok
    assert compare(*ints, tolerance={"integer": Tolerance(absolute=1)}).ok


def test_worst_are_worst_relative_to_their_size():
    a = {"big": [1e6, 0], "small": [1e-3, 0], "same": [1.0], "shape": [1.0], "nan": [1.0]}
    b = {
        "big": [1e6, 1],
        "small": [1e-3, 5e-4],
        "same": [1.0],
        "shape": [1.0, 2],
        "nan": [math.nan],
    }
    assert [row.name for row in compare(a, b).worst(3)] == ["shape", "nan", "small"]
    assert [row.name for row in compare(a, b).worst()][-2:] == ["big", "same"]


def test_frame_holds_every_metric():
    found = compare(Run(network()), Run(network(weights=(2, 5))))
    frame = found.to_frame()
    assert list(frame.index) == [row.name for row in found]
    assert frame.loc["conv2", "max_abs"] == found["conv2"].metrics.max_abs == 4
    assert frame.loc["conv2", "verdict"] == "introduces"
    assert frame.loc["input", "snr_db"] == math.inf
    assert frame.loc["conv2", "outside"] == 0.5
    measured = {field.name for field in dataclasses.fields(found["conv2"].metrics)}
    assert {"rmse", "cosine", "ulp", "mismatched"} <= measured & set(frame.columns)


def test_the_nearest_name_is_suggested_for_an_unknown_one():
    with pytest.raises(UnknownNameError, match="Did you mean 'conv2'"):
        compare(Run(network()), Run(network()))["covn2"]


def test_engines_are_the_labels_where_they_differ():
    a, b = Run(network(), "numpy"), Run(network(), "torch")
    assert compare(a, b).labels == ("numpy", "torch")
    assert compare(a, a).labels == ("a", "b")
    assert compare(a, b, labels=("float", "8 bit")).labels == ("float", "8 bit")


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), hnp.arrays(np.float32, 3), min_size=1))
def test_every_run_equals_itself(tensors):
    assert compare(tensors, {name: x.copy() for name, x in tensors.items()}).equal


def test_recorded_files_are_compared(tmp_path):
    a = Run(network())
    np.savez(tmp_path / "run.npz", **a)
    folder = tmp_path / "run"
    (folder / "block").mkdir(parents=True)
    np.save(folder / "conv1.npy", a["conv1"])
    np.save(folder / "block" / "sum.npy", a["sum"])
    assert compare(a, tmp_path / "run.npz").equal
    assert compare(str(tmp_path / "run.npz"), a).equal
    found = compare(a, folder, names={"sum": "block/sum"})
    assert [row.name for row in found] == ["conv1", "sum"]
    assert found.equal
    assert compare(a, folder / "conv1.npy").equal
    assert compare(tmp_path / "run.npz", folder).labels == ("run.npz", "run")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("absent.npz", None),
        ("empty.npz", b""),
        ("garbage.npz", bytes(range(256))),
        ("cut.npz", b"PK\x03\x04" + bytes(20)),
        ("garbage.npy", b"\x93NUMPY garbage"),
        ("empty.npy", b""),
    ],
)
def test_a_file_that_is_not_a_recording_is_refused_by_name(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(StorageError) as error:
        compare(tmp_path / name, {"garbage": [1], "empty": [1]})
    assert name in str(error.value)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(StorageError, match=r"no \.npy, \.dat, \.pb or \.tensorproto"):
        compare(tmp_path, {})


def test_pickled_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(StorageError):
        compare(tmp_path / "x.npy", {"x": [1]})


@pytest.mark.parametrize("bad", [3, None, [1, 2], np.ones(3), network()])
def test_anything_but_a_run_is_refused(bad):
    with pytest.raises(InputError, match="cannot be compared"):
        compare(bad, {})


@pytest.mark.parametrize("bad", [[[1], [1, 2]], ["a"], None])
def test_arrays_that_are_not_numeric_are_refused(bad):
    with pytest.raises(InputError, match="'x'"):
        compare({"x": bad}, {"x": [1]})


def test_anything_but_numbers_is_refused_by_name():
    with pytest.raises(InputError, match="'names'"):
        compare({"names": ["a"]}, {"names": ["a"]})


def test_one_tensor_shows_all_its_metrics():
    a = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    b = a.copy()
    b[1, 2] += 0.5
    b[2, 3] = np.nan
    page = compare({"x": a}, {"x": b})["x"]._repr_html_()
    for words in ("differs", "max |a−b|", "0.5", "at [1, 2]", "RMSE", "ULP", "2 of 12", "0 / 1"):
        assert words in page, words
    assert "RMSE" not in compare({"x": a}, {"x": b[0]})["x"]._repr_html_()


@pytest.mark.parametrize("relative", [0.0, 1e-3, 0.5])
@pytest.mark.parametrize("absolute", [0.0, 1e-2, 3.0])
def test_rtol_and_atol_are_a_tolerance(relative, absolute):
    a = {"x": np.array([100.0, 1.0, 0.0]), "n": np.array([7, 8])}
    b = {"x": np.array([101.0, 0.995, 0.005]), "n": np.array([7, 9])}
    expected = nk.compare(a, b, tolerance=nk.Tolerance(relative, absolute))
    both = nk.compare(a, b, rtol=relative, atol=absolute)
    pd.testing.assert_frame_equal(both.to_frame(), expected.to_frame())
    for name in a:
        scale = max(np.abs(a[name]))
        within = np.abs(a[name] - b[name]) <= max(absolute, relative * scale)
        assert both[name].ok == bool(within.all())
    only = nk.compare(a, b, rtol=relative)
    assert only["x"].tolerance == nk.Tolerance(relative)
    assert nk.compare(a, b, atol=absolute)["x"].tolerance == nk.Tolerance(absolute=absolute)


def test_wrong_parts_of_a_tolerance_are_refused():
    a = {"x": np.ones(3)}
    for wrong in (-1.0, "much", np.nan):
        for part in ("rtol", "atol"):
            with pytest.raises(InputError, match="must be a number of at least 0"):
                nk.compare(a, a, **{part: wrong})
    with pytest.raises(InputError, match=r"tolerance=nnefkit.Tolerance\(relative=0.1"):
        nk.compare(a, a, tolerance=1e-3, rtol=0.1)


def test_a_comparison_draws_itself_and_is_summed_up_with_or_without_a_call():
    a = {"x": np.ones(3), "y": np.ones(3)}
    comparison = nk.compare(a, {"x": np.ones(3), "y": np.zeros(3)})
    assert comparison.plot(title="mine").get_title(loc="left") == "mine"
    ax = MatplotlibFigure().subplots()
    assert comparison.plot(ax) is ax
    assert comparison.summary() == comparison.summary
    assert isinstance(comparison.summary, str)
    assert type(comparison.summary()) is str
    with pytest.raises(AttributeError, match=r"Use comparison\.differing"):
        comparison.failures  # noqa: B018
    with pytest.raises(AttributeError, match=r"Use comparison\['y'\]"):
        comparison.y  # noqa: B018
    assert pickle.loads(pickle.dumps(comparison)).summary == comparison.summary

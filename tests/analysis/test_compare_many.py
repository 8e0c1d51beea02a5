"""Comparisons over many inputs."""

import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import nnefkit as nk

TEXT = """
version 1.0;
graph net(x) -> (y)
{
    x = external<scalar>(shape = [2, 5]);
    a = mul(x, 3.0);
    b = clamp(a, -6.0, 6.0);
    y = exp(b);
}
"""
INPUTS = [np.full((2, 5), v, np.float32) for v in (0.5, -1.0, 2.5, 1.5, 4.0, 2.5)]


@pytest.fixture(scope="module")
def graph():
    return nk.parse(TEXT)


@pytest.fixture(scope="module")
def other():
    # It differs where an input is above 2 only.
    return nk.parse(TEXT.replace("6.0)", "6.5)"))


@pytest.fixture(scope="module")
def single(graph, other):
    return [nk.compare(nk.trace(graph, x), nk.trace(other, x)) for x in INPUTS]


@pytest.fixture
def recorded(graph, other, tmp_path):
    """Paths of saved runs of both graphs, an .npz file and a folder for each input."""
    firsts, seconds = [], []
    for i, x in enumerate(INPUTS):
        firsts.append(tmp_path / f"first{i}.npz")
        np.savez(firsts[-1], **nk.trace(graph, x))
        seconds.append(tmp_path / f"second{i}")
        seconds[-1].mkdir()
        for name, array in nk.trace(other, x).items():
            nk.write_tensor(seconds[-1] / f"{name}.dat", array)
    return firsts, seconds


def test_each_tensor_has_its_worst_input_and_the_number_of_wrong_ones(graph, other, single):
    found = nk.compare_many(graph, INPUTS, suspect=other)
    assert (found.ok, found.equal, found.inputs) == (False, False, 6)
    for name in ("x", "a", "b", "y"):
        row = found[name]
        assert row.inputs == 6
        assert row.outside == sum(not each[name].ok for each in single)
        assert row.equal == sum(each[name].verdict == "equal" for each in single)
        assert row.introduces == sum(each[name].verdict == "introduces" for each in single)
        sizes = [each[name].metrics.max_rel for each in single]
        assert row.worst_input == int(np.argmax(sizes))
        assert row.worst.metrics == single[row.worst_input][name].metrics
        np.testing.assert_allclose(row.mean, np.mean(sizes), rtol=1e-12)
        np.testing.assert_allclose(row.deviation, np.std(sizes), rtol=1e-12, atol=1e-15)
    assert (found["b"].outside, found["b"].worst_input, found["b"].first_outside) == (3, 2, 2)
    assert found.first_divergence is found["b"]
    assert list(found.to_frame()["outside"]) == [0, 0, 3, 3]


def test_the_summary_names_the_first_tensor_and_the_worst_input(graph, other, single):
    found = nk.compare_many(graph, INPUTS, suspect=other)
    assert found.summary.startswith(
        "The runs diverge at b (clamp, line 7) for 3 of 6 inputs, first for input 2. "
        "It is worst for input 2: largest difference 0.5"
    )
    assert "At [0, 0] it is 6.0 in numpy and 6.5 in suspect." in found.summary
    assert "Its b is 6.0 in the first graph and 6.5 in the second." in found.summary
    assert "2 of 4 tensors are out of tolerance, worst y for input 2" in found.summary
    assert found.worst_input == 2
    assert (
        found.worst.summary.replace(" suspect", " b")
        .replace(" numpy", " a")
        .startswith(single[2].summary[:60])
    )
    for text in (repr(found), found._repr_html_()):
        assert "3 of 6 inputs" in text
        assert "input 2" in text


def results(found):
    """All that must not depend on who computed it."""
    return found.tensors, found.worst.rows, found.worst_input, found.missing, found.summary


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_give_the_same_result(graph, other, workers):
    alone = nk.compare_many(graph, INPUTS, suspect=other)
    with ThreadPoolExecutor(workers) as executor:
        spread = nk.compare_many(graph, iter(INPUTS), suspect=other, executor=executor)
    assert results(spread) == results(alone)


@pytest.mark.slow
def test_processes_give_the_same_result(graph, other, recorded):
    alone = nk.compare_many(graph, INPUTS, suspect=other)
    files = nk.compare_many(graph, reference=recorded[0], suspect=recorded[1])
    for workers in (1, 2):
        with ProcessPoolExecutor(workers) as executor:
            found = nk.compare_many(graph, INPUTS, suspect=other, executor=executor)
            assert results(found) == results(alone)
            found = nk.compare_many(
                graph, reference=recorded[0], suspect=recorded[1], executor=executor
            )
            assert results(found) == results(files)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_workers_of_dask_give_the_same_result(graph, other):
    distributed = pytest.importorskip("distributed", reason="the package distributed is missing")
    alone = nk.compare_many(graph, INPUTS, suspect=other)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = nk.compare_many(graph, INPUTS, suspect=other, executor=client)
    assert results(found) == results(alone)


def test_recorded_runs_are_compared_pair_by_pair(graph, recorded, single):
    found = nk.compare_many(reference=recorded[0], suspect=iter(recorded[1]))
    assert (found.inputs, found.worst_input, found["b"].outside) == (6, 2, 3)
    assert found["y"].worst.metrics == single[2]["y"].metrics
    assert found["b"].worst.verdict == "differs"
    ordered = nk.compare_many(graph, reference=recorded[0], suspect=recorded[1])
    assert [each.name for each in ordered.tensors] == ["x", "a", "b", "y"]
    assert ordered["b"].introduces == 3
    assert ordered["y"].introduces == 0
    assert "diverge at b (clamp, line 7)" in ordered.summary


def test_an_engine_is_compared_with_runs_recorded_elsewhere(graph, recorded):
    found = nk.compare_many(graph, INPUTS, suspect=recorded[1])
    assert (found["b"].outside, found.worst_input) == (3, 2)
    assert nk.compare_many(graph, INPUTS, reference=recorded[0], suspect="torch").ok


def test_saved_traces_bring_their_graph(graph, other, tmp_path):
    paths = []
    for side, each in enumerate((graph, other)):
        paths.append([tmp_path / f"{side}{i}.npz" for i in range(2)])
        for path, x in zip(paths[-1], INPUTS[1:3], strict=True):
            nk.trace(each, x).save(path)
    found = nk.compare_many(reference=paths[0], suspect=paths[1])
    assert "diverge at b (clamp" in found.summary
    assert found.first_divergence.worst.altered
    assert [each.name for each in found.tensors] == ["x", "a", "b", "y"]


def test_other_names_and_layouts_are_paired_as_in_a_single_comparison(graph):
    runs = [nk.trace(graph, x) for x in INPUTS]
    turned = [{"p": run["a"].T, "q": run["y"].T} for run in runs]
    found = nk.compare_many(reference=runs, suspect=turned, names={"a": "p", "y": "q"}, axes="auto")
    assert found.ok
    assert found["a"].worst.axes == (1, 0)
    assert found.missing.first_only == ("x", "b")
    draw = np.random.default_rng(0)
    runs = [nk.trace(graph, draw.normal(size=(2, 5)).astype(np.float32)) for _ in range(3)]
    found = nk.compare_many(
        reference=runs, suspect=[{"q": run["y"] + 1e-6} for run in runs], by_values=True
    )
    assert found["y"].worst.other == "q"


def test_engines_that_agree_are_said_to_agree(graph):
    found = nk.compare_many(graph, INPUTS, suspect="torch")
    assert found.ok
    assert found.summary.startswith("The runs ")
    assert "for 6 inputs. All 4 tensors are " in found.summary


def test_quantization_info_of_a_suspect_is_applied():
    text = "version 1.0; graph net(x) -> (y) { x = external(shape = [2, 5]); y = mul(x, 1.3); }"
    graph = nk.parse(text)
    rounded = nk.parse(text, '"y": linear_quantize(min = -2.0, max = 6.0, bits = 4);\n')
    assert nk.compare_many(graph, INPUTS, suspect=rounded).equal
    found = nk.compare_many(graph, INPUTS, suspect=rounded, quantized=True)
    assert not found["y"].ok


def test_an_interrupt_keeps_what_was_done(graph, other):
    def interrupted(count):
        yield from INPUTS[:count]
        raise KeyboardInterrupt

    found = nk.compare_many(graph, interrupted(2), suspect=other)
    assert (found.inputs, found.interrupted, found.ok) == (2, True, True)
    found = nk.compare_many(graph, interrupted(4), suspect=other)
    assert (found.inputs, found.interrupted, found.ok) == (4, True, False)
    assert "for 1 of 4 inputs" in found.summary
    for text in (found.summary, repr(found), found._repr_html_()):
        assert "Interrupted after 4 inputs" in text
    with pytest.raises(KeyboardInterrupt):
        nk.compare_many(graph, interrupted(0), suspect=other)


def test_tensors_of_one_side_alone_are_not_passed_over_in_silence(graph):
    other = nk.parse(TEXT.replace("b =", "c =").replace("exp(b)", "exp(c)"))
    found = nk.compare_many(graph, INPUTS, suspect=other)
    assert found.missing == (("b",), ("c",))
    assert found.summary.startswith("What was compared is equal for 6 inputs.")
    assert "Not compared: 1 tensor only in numpy (b), 1 tensor only in suspect (c)." in (
        found.summary
    )


def test_tensors_that_some_runs_lack_are_reported(graph, other):
    runs = [dict(nk.trace(other, x)) for x in INPUTS]
    del runs[1]["b"], runs[4]["a"]
    found = nk.compare_many(graph, INPUTS, suspect=runs)
    assert (found["a"].inputs, found["b"].inputs, found["y"].inputs) == (5, 5, 6)
    assert found.missing == (("b", "a"), ())
    assert "For some inputs, not compared: b and a only in numpy." in found.summary


def test_a_tensor_that_was_not_compared_is_a_suspect(graph, other):
    runs = [{"x": x, "y": nk.run(other, x)["y"]} for x in INPUTS]
    found = nk.compare_many(graph, INPUTS, suspect=runs)
    assert found.summary.startswith("The runs diverge at or before y")
    assert found.worst.suspects == ("a", "b", "y")


def test_nan_of_one_side_is_the_worst(graph):
    other = nk.parse(TEXT.replace("exp(b)", "log(b)"))
    found = nk.compare_many(graph, INPUTS, suspect=other)
    assert found["y"].worst_input == 1
    assert "It is worst for input 1: 0 NaN against 10 in 10 elements" in found.summary


def test_shapes_that_do_not_match_are_a_difference(graph):
    runs = [dict(nk.trace(graph, x)) for x in INPUTS]
    runs[3]["y"] = runs[3]["y"][:1]
    found = nk.compare_many(graph, INPUTS, suspect=runs)
    assert (found["y"].outside, found["y"].worst_input, found["y"].measured) == (1, 3, 5)
    assert "the shapes 2×5 and 1×5 do not match" in found.summary
    assert "2×5" in repr(found)
    assert np.isnan(found.to_frame().loc["y", "max_rel"])


def test_references_of_zeros_have_no_mean():
    runs = [{"t": np.zeros(3)}, {"t": np.ones(3)}, {"t": np.zeros(3)}, {"t": np.zeros(3)}]
    others = [{"t": np.full(3, v)} for v in (0.5, 1.25, 0.0, 0.25)]
    found = nk.compare_many(reference=runs, suspect=others)
    assert (found["t"].outside, found["t"].worst_input) == (3, 0)
    assert found["t"].mean == np.inf
    assert np.isnan(found["t"].deviation)


@pytest.mark.parametrize(
    "inputs", [[], np.ones((3, 2, 5)), {"x": INPUTS[0]}, None, 3], ids=lambda each: str(type(each))
)
def test_what_is_not_several_inputs_is_refused(graph, inputs):
    with pytest.raises(nk.InputError):
        nk.compare_many(graph, inputs, suspect="torch")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"suspect": {"y": 1}}, "a list of recorded runs, not a dict"),
        ({"suspect": np.ones(3)}, "a list of recorded runs, not a ndarray"),
        ({"suspect": 3}, "a list of recorded runs, not a int"),
        ({"suspect": [{"y": 1}]}, "6 for inputs, 1 for suspect"),
        ({"suspect": iter([{"y": 1}])}, "suspect ends after 1"),
        ({"suspect": "torch", "labels": "ab"}, "labels must be two strings"),
        ({"suspect": "torch", "rtol": -1}, "the relative tolerance must be"),
        ({"suspect": "torch", "rtol": 1e-3, "tolerance": 1e-3}, "a tolerance, and rtol or atol"),
        ({"suspect": "torch", "executor": 3}, "cannot spread work"),
        ({"suspect": [{"other": 1}] * 6}, "input 0: the two runs have no tensor in common"),
        ({"suspect": ["/no/such/file"] * 6}, "input 0: there is no such file"),
    ],
)
def test_wrong_arguments(graph, arguments, message):
    with pytest.raises(nk.NnefError, match=message):
        nk.compare_many(graph, INPUTS, **arguments)


@pytest.mark.parametrize(
    "parts", [{"rtol": 0.01}, {"atol": 0.25}, {"rtol": 1e-3, "atol": 0.25}, {"atol": 0.5}]
)
def test_rtol_and_atol_are_a_tolerance_as_in_a_single_comparison(graph, parts):
    runs = [dict(nk.trace(graph, x)) for x in INPUTS]
    others = [
        run | {"b": run["b"] + v} for run, v in zip(runs, (0, 0.3, 0.2, 0, 0.1, 0), strict=True)
    ]
    found = nk.compare_many(reference=runs, suspect=others, **parts)
    single = [nk.compare(run, other, **parts) for run, other in zip(runs, others, strict=True)]
    whole = nk.Tolerance(parts.get("rtol", 0.0), parts.get("atol", 0.0))
    assert found["b"].worst.tolerance == whole
    assert found["b"].outside == sum(not each["b"].ok for each in single)
    far = [
        np.abs(other["b"] - run["b"]).max()
        > max(whole.absolute, whole.relative * abs(run["b"]).max())
        for run, other in zip(runs, others, strict=True)
    ]
    assert found["b"].outside == sum(far)
    assert found.tensors == nk.compare_many(reference=runs, suspect=others, tolerance=whole).tensors


def test_what_comes_back_from_workers_has_no_values(graph, other, recorded):
    # RecordedFiles cannot be pickled, and whole runs are large.
    for found in (
        nk.compare_many(graph, INPUTS, suspect=other),
        nk.compare_many(graph, reference=recorded[0], suspect=recorded[1]),
    ):
        assert found.worst.runs is None
        assert len(pickle.dumps(found.worst)) < 20_000


def test_an_engine_needs_a_graph():
    with pytest.raises(nk.InputError, match="needs a graph"):
        nk.compare_many(None, INPUTS, suspect="torch")


def test_compare_points_to_the_comparison_of_several_runs(graph):
    with pytest.raises(nk.InputError, match="compare_many"):
        nk.compare([nk.trace(graph, x) for x in INPUTS], [])

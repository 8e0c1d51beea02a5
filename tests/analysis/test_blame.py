"""`blame` names the operations that introduce an error, and only those."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

import nnefkit as nk

# A residual network with a branch: stem, blocks of two convolutions, a pooled head.
BLOCKS = 4


def text(**changes):
    lines = [
        "x = external(shape = [1, 4, 8, 8]);",
        "ws = variable(shape = [8, 4, 3, 3], label = 'ws');",
        "bs = variable(shape = [1, 8], label = 'bs');",
        "s = conv(x, ws, bs, padding = [(1, 1), (1, 1)], border = 'constant');",
        "r0 = relu(s);",
    ]
    for i in range(BLOCKS):
        lines += [
            f"w{i}a = variable(shape = [8, 8, 3, 3], label = 'w{i}a');",
            f"w{i}t = transpose(w{i}a, axes = [0, 1, 3, 2]);",
            f"b{i} = variable(shape = [1, 8], label = 'b{i}');",
            f"c{i} = conv(r{i}, w{i}t, b{i}, padding = [(1, 1), (1, 1)], border = 'constant');",
            f"n{i} = local_response_normalization(c{i}, size = [1, 3, 1, 1], alpha = 1.0,"
            f" beta = 0.5, bias = 0.01);",
            f"a{i} = add(n{i}, r{i});",
            f"r{i + 1} = leaky_relu(a{i}, alpha = 0.1);",
        ]
    lines += [
        f"p = max_pool(r{BLOCKS}, size = [1, 1, 2, 2], stride = [1, 1, 2, 2],"
        " padding = [], border = 'ignore');",
        f"m = mean_reduce(r{BLOCKS}, axes = [2, 3]);",
        "f = squeeze(m, axes = [2, 3]);",
        "wf = variable(shape = [5, 8], label = 'wf');",
        "l = linear(f, wf);",
        "y = softmax(l);",
    ]
    for name, (old, new) in changes.items():
        lines = [
            line.replace(old, new) if line.startswith(f"{name} = ") else line for line in lines
        ]
    body = "\n    ".join(lines)
    return f"version 1.0;\ngraph net( x ) -> ( y, p )\n{{\n    {body}\n}}\n"


@pytest.fixture(scope="module")
def graph():
    graph = nk.parse(text())
    random = np.random.default_rng(5)
    return graph.with_data(
        {
            v.name: random.normal(size=v.shape).astype(np.float32) / math.sqrt(v.shape[-1] * 6)
            for v in graph.variables
        }
    )


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(6).normal(size=(1, 4, 8, 8)).astype(np.float32)


def with_text(graph, **changes):
    other = nk.parse(text(**changes))
    return other.with_data({v.name: v.data for v in graph.variables})


def with_weight(graph, name, change):
    return graph.with_data({name: np.ascontiguousarray(change(graph.tensor(name).data))})


def rounded(bits):
    def change(data):
        step = np.abs(data).max() / (2 ** (bits - 1) - 1)
        return np.round(data / step) * step

    return change


def swapped(data):
    return data[[1, 0, *range(2, len(data))]]


def without_one(data):
    data = data.copy()
    data[0, 3] = 0
    return data


FAULTS = {
    "a wrong attribute": (lambda g: with_text(g, r3=("0.1", "0.3")), ["r3"]),
    "a weight transposed": (
        lambda g: with_weight(g, "w1a", lambda w: w.transpose(1, 0, 2, 3)),
        ["c1"],
    ),
    "channels swapped": (lambda g: with_weight(g, "ws", swapped), ["s"]),
    "one bias zeroed": (lambda g: with_weight(g, "b2", without_one), ["c2"]),
    "rounding to 8 bits": (lambda g: with_weight(g, "w2a", rounded(8)), ["c2"]),
    "rounding to 4 bits": (lambda g: with_weight(g, "w0a", rounded(4)), ["c0"]),
    "another border": (lambda g: with_text(g, c3=("'constant'", "'replicate'")), ["c3"]),
    "an epsilon ten times as large": (lambda g: with_text(g, n1=("0.01", "0.1")), ["n1"]),
    "a fault in a branch": (lambda g: with_text(g, p=("max_pool", "avg_pool")), ["p"]),
    "the last operation": (lambda g: with_weight(g, "wf", rounded(3)), ["l"]),
    "two at once": (
        lambda g: with_weight(with_text(g, r4=("0.1", "0.2")), "ws", rounded(5)),
        ["r4", "s"],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_by_name(graph, x, name):
    change, guilty = FAULTS[name]
    found = nk.blame(graph, x, suspect=change(graph))
    assert not found.ok
    assert sorted(each.tensor for each in found.guilty) == guilty
    assert found.operations[0].tensor in guilty
    assert "guilty." in found.summary
    assert all(each.own.ok for each in found.operations[len(guilty) :])
    outputs = [each.tensor for each in found.operations if each.output]
    assert {*outputs} == {"y", "p"}


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "torch"])
def test_a_clean_pair_blames_nobody(graph, x, engine):
    found = nk.blame(graph, x, suspect=engine)
    assert found.ok
    assert found.guilty == ()
    assert found.summary.startswith("No operation is guilty.")
    assert not found.unchecked
    assert len(found.operations) == 2 + 4 * BLOCKS + 5
    assert min(each.own_snr for each in found.operations) > 80


def test_those_that_only_inherit_are_not_guilty(graph, x):
    found = nk.blame(graph, x, suspect=with_weight(graph, "w1a", rounded(4)))
    assert found["n1"].verdict == found["y"].verdict == "passes it on"
    assert found["c0"].verdict == "clean"
    assert found["n1"].own_snr == math.inf
    assert found["n1"].inherited_snr < 60
    assert found["c1"].inherited_snr == math.inf
    assert "its weight w1a differs (SNR" in found.summary
    assert found["c1"].operation == "conv"


def test_the_share_of_one_fault_is_all_and_shares_of_two_are_told_apart(graph, x):
    one = nk.blame(graph, x, suspect=with_weight(graph, "w1a", rounded(6)))
    assert one.guilty[0].share == pytest.approx(1, abs=1e-3)
    large = with_weight(graph, "ws", rounded(5))
    both = nk.blame(graph, x, suspect=with_weight(large, "w3a", rounded(8)))
    assert [each.tensor for each in both.guilty] == ["s", "c3"]
    assert both.guilty[0].share > 0.8
    assert both.guilty[1].share < 0.2


def test_a_fault_behind_an_operation_on_parameters_is_that_of_its_reader(graph, x):
    found = nk.blame(graph, x, suspect=with_weight(graph, "w3a", rounded(4)))
    assert [each.tensor for each in found.guilty] == ["c3"]
    assert "w3a" in found.guilty[0].cause
    assert all(each.tensor != "w3t" for each in found.operations)


def test_a_recorded_reference_of_some_tensors_is_enough(graph, x):
    kept = ["r0", "r1", "r2", "y", "p"]
    reference = nk.trace(graph, x, keep=kept)
    suspect = with_weight(graph, "w1a", rounded(4))
    found = nk.blame(graph, x, reference=reference, suspect=suspect)
    assert [each.tensor for each in found.guilty] == ["r2"]
    assert found["r2"].operations == ("c1", "n1", "a1", "r2")
    assert found["r2"].cause.startswith("in `c1`, its weight `w1a` differs")
    assert (
        "The fault is in the operation of r2 or before it: c1, n1 and a1 are not in the reference."
        in found.summary
    )
    whole = nk.blame(graph, x, suspect=suspect)
    assert "or before it" not in whole.summary
    assert whole["c1"].cause.startswith("its weight `w1a` differs")
    plain = nk.blame(graph, x, reference=dict(reference), suspect=suspect)
    assert [each.tensor for each in plain.guilty] == ["r2"]
    assert plain.guilty[0].cause == ""
    last = nk.blame(graph, x, reference=nk.run(graph, x), suspect=suspect)
    assert {each.tensor for each in last.guilty} == {"y", "p"}


def test_a_saved_trace_is_a_reference(graph, x, tmp_path):
    nk.trace(graph, x).save(tmp_path / "reference.npz")
    suspect = with_weight(graph, "b0", without_one)
    found = nk.blame(graph, x, reference=tmp_path / "reference.npz", suspect=suspect)
    assert [each.tensor for each in found.guilty] == ["c0"]
    assert "its weight b0 differs" in found.summary


def test_several_inputs_give_the_worst_and_the_spread(graph):
    random = np.random.default_rng(9)
    inputs = [random.normal(size=(1, 4, 8, 8)).astype(np.float32) * s for s in (1, 1, 30)]
    suspect = with_weight(graph, "b2", without_one)
    found = nk.blame(graph, inputs, suspect=suspect)
    assert [each.tensor for each in found.guilty] == ["c2"]
    guilty = found.guilty[0]
    assert len(guilty.by_input) == 3
    assert guilty.by_input[2] > max(guilty.by_input[:2]) + 10
    assert guilty.worst_input in (0, 1)
    assert min(guilty.by_input) < guilty.own_snr < max(guilty.by_input)


def drawn(scales=(1, 1, 30)):
    random = np.random.default_rng(9)
    return [random.normal(size=(1, 4, 8, 8)).astype(np.float32) * s for s in scales]


def recorded(graph, inputs, folder, kind):
    """Runs of a graph, one for each input, as a caller may have them."""
    runs = [nk.trace(graph, each) for each in inputs]
    if kind == "traces":
        return runs
    if kind == "mappings":
        return [dict(run) for run in runs]
    paths = []
    for i, run in enumerate(runs):
        paths.append(folder / (f"run{i}" if kind == "folders" else f"run{i}.npz"))
        if kind == "saved traces":
            run.save(paths[-1])
        elif kind == "files":
            np.savez(paths[-1], **run)
        else:
            paths[-1].mkdir()
            for name, values in run.items():
                np.save(paths[-1] / f"{name}.npy", values)
    return paths


@pytest.mark.parametrize("kind", ["traces", "mappings", "saved traces", "files", "folders"])
def test_several_recorded_runs_are_a_reference_as_a_live_one(graph, tmp_path, kind):
    inputs = drawn()
    suspect = with_weight(graph, "b2", without_one)
    live = nk.blame(graph, inputs, suspect=suspect)
    runs = recorded(graph, inputs, tmp_path, kind)
    for given in (runs, tuple(runs), iter(runs)):
        found = nk.blame(graph, inputs, reference=given, suspect=suspect)
        left_out = ["cause"]
        assert (
            found.to_frame().drop(columns=left_out).equals(live.to_frame().drop(columns=left_out))
        )
        assert [each.by_input for each in found.operations] == [
            each.by_input for each in live.operations
        ]
        assert bool(found.guilty[0].cause) is ("trace" in kind)
    found = nk.blame(graph, iter(inputs), reference=runs, suspect=suspect)
    assert found["c2"].worst_input == live["c2"].worst_input
    assert found.summary.startswith("c2 is guilty.")


def test_the_spread_over_inputs_is_said(graph):
    found = nk.blame(graph, drawn(), suspect=with_weight(graph, "b2", without_one))
    guilty = found.guilty[0]
    low, high, all_ = (
        f"{v:.3g} dB" for v in (min(guilty.by_input), max(guilty.by_input), guilty.own_snr)
    )
    assert (
        f"Of 3 inputs, c2 is worst for input {guilty.worst_input}: its own error has {low} there, "
        f"{high} for the best one, and {all_} over all."
    ) in found.summary
    assert "Of 3 inputs" in found._repr_html_()
    single = nk.blame(graph, drawn()[:1], suspect=with_weight(graph, "b2", without_one))
    assert "inputs, c2" not in single.summary


def test_an_input_with_nan_is_the_worst():
    text = (
        "version 1.0; graph g( x ) -> ( y ) { x = external(shape = [3]); t = add(x, 1.0);"
        " y = sqrt(t); }"
    )
    lost = nk.parse(text.replace("y = sqrt(t)", "u = sub(t, 0.01); y = sqrt(u)"))
    near = [np.float32([1, 2, 3]), np.float32([-0.995, 1e4, 1e4]), np.float32([4, 5, 6])]
    found = nk.blame(nk.parse(text), near, suspect=lost)
    assert found["y"].worst_input == 1
    assert found["y"].own.mismatched == 1
    assert found["y"].by_input[1] == -math.inf
    assert found.to_frame().loc["y", "worst_input"] == 1


def test_runs_of_other_graphs_name_no_cause(graph):
    inputs = drawn()
    suspect = with_weight(graph, "b2", without_one)
    runs = [nk.trace(each, x) for each, x in zip((graph, graph, suspect), inputs, strict=True)]
    found = nk.blame(graph, inputs, reference=runs, suspect=suspect)
    assert [each.tensor for each in found.guilty] == ["c2"]
    assert found["c2"].by_input[2] == math.inf
    assert found["c2"].cause == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: runs[:2], "there are 3 for inputs, 2 for reference"),
        (lambda runs: iter(runs[:2]), "reference ends after 2, the others go on"),
        (lambda runs: [*runs, *runs], "there are 3 for inputs, 6 for reference"),
        (lambda runs: [runs[0], runs[2], runs[1]], "input 1: .* with another input: 'x' has other"),
        (lambda runs: [*runs[:2], "/no/such.npz"], "input 2: there is no such file"),
        (lambda runs: [*runs[:2], 3], "input 2: a int cannot be compared"),
        (lambda runs: [*runs[:2], {"c1": runs[2]["c1"]}], "input 2: the reference lacks 'a0'"),
        (
            lambda runs: [{"y": runs[0]["y"]}, *runs[1:]],
            "input 1: the reference has 'a0', which it",
        ),
        (lambda runs: 3, "must be an engine, a graph, or a list of recorded runs"),
    ],
)
def test_recorded_runs_that_do_not_belong_to_the_inputs_are_refused(graph, change, message):
    inputs = drawn()
    runs = [nk.trace(graph, each) for each in inputs]
    with pytest.raises(nk.NnefError, match=message):
        nk.blame(graph, inputs, reference=change(runs), suspect="numpy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x + 0.25, r"'x' has other values \(largest difference 0\.25\)"),
        (lambda x: x * np.nan, r"'x' has other values \(NaN or Inf that do not match: 256\)"),
        (
            lambda x: x[..., :5],
            r"'x' has shape \[1, 4, 8, 5\], not \[1, 4, 8, 8\](.|\n)*axes=.auto",
        ),
    ],
)
def test_a_run_that_was_recorded_with_another_input_is_refused(graph, x, change, message):
    run = dict(nk.trace(graph, x)) | {"x": change(x)}
    with pytest.raises(nk.InputError, match=f"recorded with another input: {message}"):
        nk.blame(graph, x, reference=run, suspect="numpy")


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_an_input_that_was_recorded_with_another_precision_is_the_same(graph, x, dtype):
    run = {name: each.astype(dtype) for name, each in nk.trace(graph, x).items()}
    found = nk.blame(graph, x, reference=run, suspect=with_weight(graph, "ws", swapped))
    assert [each.tensor for each in found.guilty] == ["s"]


def test_a_sentence_without_shares_begins_without_a_space(graph, x):
    run = nk.trace(graph, x)
    reference = {"in": run["x"], "other": run["s"]}
    suspect = with_weight(graph, "ws", swapped)
    found = nk.blame(
        graph, x, reference=reference, suspect=suspect, names={"in": "x", "other": "s"}
    )
    assert found.guilty[0].share is None
    assert "  " not in found.summary
    assert not any(line.startswith("s is guilty.  ") for line in repr(found).splitlines())


@pytest.mark.parametrize("budget", [1, 20_000])
def test_the_budget_changes_nothing_but_the_parts(graph, x, budget):
    suspect = with_weight(graph, "w1a", rounded(4))
    whole, parts = (nk.blame(graph, x, suspect=suspect, budget=b) for b in (1 << 30, budget))
    assert parts.to_frame().equals(whole.to_frame())


def test_quantized_tensors_are_examined(x):
    graph = nk.parse(
        text(),
        quantization='"r1": linear_quantize(min = -2.0, max = 2.0, bits = 5);\n',
    )
    random = np.random.default_rng(5)
    graph = graph.with_data(
        {v.name: (random.normal(size=v.shape) / 5).astype(np.float32) for v in graph.variables}
    )
    found = nk.blame(graph, x, suspect=graph, quantized=True)
    assert [each.tensor for each in found.guilty] == ["r1"]


def test_the_table_has_the_guiltiest_first(graph, x):
    found = nk.blame(graph, x, suspect=with_weight(graph, "w1a", rounded(4)))
    frame = found.to_frame()
    assert frame.index[0] == "c1"
    assert frame.loc["c1", "verdict"] == "guilty"
    assert len(frame) == len(found.operations)
    for shown in (repr(found), found._repr_html_()):
        assert "c1" in shown
        assert "guilty" in shown
        assert "passes it on" in shown


def test_the_guilty_operation_is_saved_as_a_bug_report(graph, x, tmp_path):
    found = nk.blame(graph, x, suspect=with_weight(graph, "w1a", rounded(4)))
    found.minimal(tmp_path / "report")
    names = sorted(p.name for p in (tmp_path / "report").iterdir())
    assert names == [
        *("README.md", "expected.npz", "inputs.npz", "model", "result.npz", "show_fault.py"),
    ]
    part = nk.load(tmp_path / "report" / "model")
    assert part.inputs == ("r1",)
    assert sorted(op.name for op in part.operations) == [
        *("conv", "external", "transpose", "variable", "variable"),
    ]
    with np.load(tmp_path / "report" / "inputs.npz") as inputs:
        result = nk.run(part, dict(inputs))
    with np.load(tmp_path / "report" / "result.npz") as recorded:
        np.testing.assert_array_equal(result["c1"], recorded["c1"])
    command = [sys.executable, str(tmp_path / "report" / "show_fault.py")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "The runs diverge at c1" in shown
    readme = (tmp_path / "report" / "README.md").read_text()
    assert "# `conv` computes another `c1`" in readme
    with pytest.raises(nk.StorageError, match="not empty"):
        found.minimal(tmp_path / "report")
    with pytest.raises(nk.InputError, match="'n1' is not guilty"):
        found.minimal(tmp_path / "other", "n1")
    with pytest.raises(nk.InputError, match="no operation is guilty"):
        nk.blame(graph, x, suspect=graph).minimal(tmp_path / "other")


def test_the_bug_report_of_several_operations_does_not_blame_the_last_one(graph, x, tmp_path):
    suspect = with_weight(graph, "w1a", rounded(4))
    reference = nk.trace(graph, x, keep=["r1", "r2"])
    found = nk.blame(graph, x, reference=reference, suspect=suspect)
    assert found["r2"].before == ("c1", "n1", "a1")
    assert nk.blame(graph, x, suspect=suspect)["c1"].before == ()
    found.minimal(tmp_path / "report")
    readme = (tmp_path / "report" / "README.md").read_text()
    assert "# `leaky_relu` or an operation before it computes another `r2`" in readme
    assert "the 4 operations up to `r2` as an NNEF model; the reference lacks " in readme
    assert "| their result in the suspect" in readme
    part = nk.load(tmp_path / "report" / "model")
    assert {"c1", "n1", "a1", "r2"} <= {name for op in part.operations for name in op.output_names}


def test_nan_of_the_suspect_is_its_own(graph, x):
    found = nk.blame(graph, x, suspect=with_weight(graph, "b1", lambda b: b + np.nan))
    assert [each.tensor for each in found.guilty] == ["c1"]
    assert found.guilty[0].own.mismatched > 0


@pytest.mark.parametrize("name", FAULTS)
def test_a_recorded_suspect_is_examined(graph, x, name):
    plant, guilty = FAULTS[name]
    run = dict(nk.trace(plant(graph), x))
    found = nk.blame(graph, x, suspect=run)
    assert sorted(each.tensor for each in found.guilty) == sorted(guilty)
    other_way = nk.blame(graph, x, reference=run, suspect="numpy")
    assert [each.tensor for each in other_way.guilty] == [each.tensor for each in found.guilty]
    assert found.labels == ("numpy", "recorded run")
    assert "suspect's inputs" in repr(found)
    assert " alone accounts for " in found.summary
    shares = sorted(each.share for each in found.guilty)
    if len(guilty) == 1 and name != "a fault in a branch":
        # Nothing else goes wrong: its error put into the run of the reference gives all of it.
        assert shares == pytest.approx([1.0], abs=1e-6)


def test_the_error_of_a_recorded_suspect_is_measured_against_what_is_right(graph, x):
    run = dict(nk.trace(graph, x))
    run["c1"] = run["c1"] * np.float32(1.5)
    found = nk.blame(graph, x, suspect=run)
    # What the suspect has instead is wrong by half of the right values: 20 log10(2) dB.
    assert found["c1"].own_snr == pytest.approx(6.0206, abs=1e-3)
    other_way = nk.blame(graph, x, reference=run, suspect="numpy")
    assert other_way["c1"].own_snr == pytest.approx(20 * math.log10(3), abs=1e-3)
    first, second = found["c1"].own.element[1:]
    assert float(second) == pytest.approx(1.5 * float(first), rel=1e-5)


def test_the_weights_of_a_saved_trace_of_the_suspect_are_its_cause(graph, x, tmp_path):
    suspect = with_weight(with_text(graph, r3=("0.1", "0.3")), "ws", swapped)
    nk.trace(suspect, x).save(tmp_path / "device.trace")
    found = nk.blame(graph, x, suspect=tmp_path / "device.trace")
    assert {each.tensor: each.cause for each in found.guilty} == {
        "s": "its weight `ws` differs",
        "r3": "its `alpha` is 0.1 in the first graph and 0.3 in the second",
    }
    assert found.labels == ("numpy", "device.trace")


def test_recorded_suspects_of_several_inputs_are_examined(graph):
    inputs = drawn()
    suspect = with_weight(graph, "w1a", rounded(4))
    found = nk.blame(graph, inputs, suspect=[nk.trace(suspect, each) for each in inputs])
    assert [each.tensor for each in found.guilty] == ["c1"]
    assert len(found.guilty[0].by_input) == len(inputs)
    with pytest.raises(nk.InputError, match="input 0: the suspect was recorded with another"):
        nk.blame(graph, inputs[::-1], suspect=[nk.trace(suspect, each) for each in inputs])


@pytest.mark.parametrize("is_suspect", [True, False])
def test_one_fault_before_two_recorded_tensors_is_not_taken_for_two(graph, x, is_suspect):
    # r2 = leaky_relu(n1 + r1): r1, which was not recorded, is computed for c1 and for r2.
    run = nk.trace(with_weight(graph, "w0a", rounded(4)), x, keep=["s", "c1", "r2"])
    given = {"suspect": run} if is_suspect else {"reference": run, "suspect": "numpy"}
    found = nk.blame(graph, x, **given)
    assert {each.tensor for each in found.guilty} == {"c1", "r2"}
    words = "One fault may explain c1 and r2, in what they have in common: r0, c0, n0 and 2 more."
    assert words in found.summary.replace("r2 and c1", "c1 and r2")
    assert "or before it" not in found.summary


def test_faults_with_nothing_in_common_are_told_apart(graph, x):
    suspect = with_weight(with_weight(graph, "w0a", rounded(4)), "w3a", rounded(4))
    run = nk.trace(suspect, x, keep=["s", "r1", "r3", "r4"])
    found = nk.blame(graph, x, suspect=run)
    assert {each.tensor for each in found.guilty} == {"r1", "r4"}
    assert found.summary.count("or before it") == 2
    assert "One fault" not in found.summary


def test_names_and_axes_of_a_recorded_suspect(graph, x):
    trace = nk.trace(with_weight(graph, "ws", rounded(4)), x)
    recorded = {"dev0": trace["s"].transpose(0, 2, 3, 1), "dev1": trace["y"]}
    recorded["p"] = trace["p"].transpose(0, 2, 3, 1)
    names = {"s": "dev0", "y": "dev1"}
    axes = {"s": (0, 3, 1, 2), "p": (0, 3, 1, 2)}
    found = nk.blame(graph, x, suspect=recorded, names=names, axes=axes)
    assert [each.tensor for each in found.guilty] == ["s"]
    assert "r4" in found["y"].before
    found = nk.blame(graph, x, suspect={"p": recorded["p"]}, axes="auto")
    assert [each.tensor for each in found.guilty] == ["p"]
    assert found["p"].own.max_abs == pytest.approx(np.abs(trace["p"] - nk.run(graph, x)["p"]).max())
    with pytest.raises(nk.UnknownNameError, match="dev0"):
        nk.blame(graph, x, suspect=recorded, names=names, axes={"dev0": (0, 3, 1, 2)})


def test_the_bug_report_of_a_recorded_suspect_shows_its_fault(graph, x, tmp_path):
    run = dict(nk.trace(with_weight(graph, "w1a", rounded(4)), x))
    found = nk.blame(graph, x, suspect=run, labels=("float", "device"))
    found.minimal(tmp_path / "report")
    with np.load(tmp_path / "report" / "result.npz") as recorded:
        np.testing.assert_array_equal(recorded["c1"], run["c1"])
    command = [sys.executable, str(tmp_path / "report" / "show_fault.py")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "The runs diverge at c1" in shown
    readme = (tmp_path / "report" / "README.md").read_text()
    assert "| `inputs.npz` | its inputs in the suspect |" in readme
    assert "the result of **device** differs from that of **float**" in readme


def test_tolerances_may_be_given_in_two_parts(graph, x):
    suspect = with_weight(graph, "w2a", rounded(8))
    assert not nk.blame(graph, x, suspect=suspect, rtol=1e-6).ok
    assert nk.blame(graph, x, suspect=suspect, rtol=0.1).ok
    assert nk.blame(graph, x, suspect=suspect, atol=10.0).ok
    with pytest.raises(nk.InputError, match="there is a tolerance, and rtol"):
        nk.blame(graph, x, suspect=suspect, tolerance=0.1, atol=1.0)


def test_what_cannot_be_examined_is_refused(graph, x):
    trace = nk.trace(graph, x)
    with pytest.raises(nk.InputError, match="the reference and the suspect are recorded runs"):
        nk.blame(graph, x, reference=trace, suspect=trace)
    with pytest.raises(nk.InputError, match="a recorded run is of one input"):
        nk.blame(graph, [x, x], reference=trace, suspect="numpy")
    with pytest.raises(nk.InputError, match="there are no inputs"):
        nk.blame(graph, [], suspect="numpy")
    with pytest.raises(nk.InputError, match="no tensor that the suspect computes"):
        nk.blame(graph, x, reference={"elsewhere": x}, suspect="numpy")
    with pytest.raises(nk.UnknownNameError):
        nk.blame(graph, x, suspect="numpi")
    with pytest.raises(nk.InputError, match="'c1' has shape"):
        nk.blame(graph, x, reference={"c1": np.ones((1, 8, 4, 4))}, suspect="numpy")
    with pytest.raises(nk.UnknownNameError, match="was not examined"):
        nk.blame(graph, x, suspect="numpy")["w1a"]


def test_a_deep_graph_is_examined_whole():
    lines = ["x = external(shape = [8]);", "t0 = copy(x);"]
    lines += [f"t{i + 1} = add(t{i}, 0.001);" for i in range(2000)]
    text = "version 1.0;\ngraph deep( x ) -> ( t2000 )\n{\n" + "\n".join(lines) + "\n}\n"
    graph = nk.parse(text)
    wrong = nk.parse(text.replace("t901 = add(t900, 0.001)", "t901 = add(t900, 0.5)"))
    found = nk.blame(graph, np.ones(8, np.float32), suspect=wrong)
    assert [each.tensor for each in found.guilty] == ["t901"]
    assert sum(each.verdict == "passes it on" for each in found.operations) == 1099
    assert len(found.operations) == 2001


def test_the_card_draws_the_graph_with_the_guilty_operation_outlined(graph, x):
    page = nk.blame(graph, x, suspect=graph.with_data({"b1": graph.tensor("b1").data + 1}))
    assert "guilty operations outlined" in page._repr_html_()
    assert "guilty operations outlined" not in nk.blame(graph, x, suspect=graph)._repr_html_()

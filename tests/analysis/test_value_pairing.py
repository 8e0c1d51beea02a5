"""Pairs of tensors whose names or layouts differ: by origin, and by values."""

import time
from dataclasses import replace

import numpy as np
import pytest

from nnefkit import blame, compare, io, trace
from nnefkit.errors import InputError
from nnefkit.graph import FrozenDict

DRAW = np.random.default_rng(8)
NET = """
version 1.0;
graph net(x) -> (y)
{
    x = external<scalar>(shape = [1, 3, 6, 6]);
    f = variable<scalar>(shape = [4, 3, 3, 3], label = 'f');
    g = variable<scalar>(shape = [4, 4, 3, 3], label = 'g');
    a = conv(x, f);
    b = relu(a);
    c = conv(b, g);
    d = tanh(c);
    e = transpose(d, axes = [0, 2, 3, 1]);
    y = softmax(e, axes = [3]);
}
"""


@pytest.fixture(scope="module")
def graph():
    draw = np.random.default_rng(1).normal
    data = {"f": draw(size=(4, 3, 3, 3)), "g": draw(size=(4, 4, 3, 3))}
    return io.parse(NET).with_data({k: v.astype(np.float32) for k, v in data.items()})


@pytest.fixture(scope="module")
def traced(graph):
    x = np.random.default_rng(2).normal(size=(1, 3, 6, 6)).astype(np.float32)
    return trace(graph, x)


def renamed(run, **changed):
    """Return the tensors of a run under other names, some with other values."""
    return {f"t{i}": changed.get(name, run[name]) for i, name in enumerate(run)}


def pairs(found):
    return {row.name: row.other for row in found}


RIGHT = {"x": "t0", "a": "t1", "b": "t2", "c": "t3", "y": "t6"}


def test_without_asking_nothing_is_paired_by_values(traced):
    with pytest.raises(InputError) as caught:
        compare(traced, renamed(traced))
    assert "by_values=True" in caught.value.diagnostics[0].hint


def test_tensors_of_other_names_are_paired_by_values_and_it_is_said(traced):
    found = compare(traced, renamed(traced), by_values=True)
    # e is d in another order of axes, but each has one counterpart of its own shape.
    assert pairs(found) == {**RIGHT, "d": "t4", "e": "t5"}
    assert found.ok
    assert {row.paired_by for row in found} == {"values"}
    assert all(row.confidence > 0.99 for row in found)
    assert (
        "7 pairs are by values, not by name; the least confident, >99%, is b with t2."
        in found.summary
    )
    frame = found.to_frame()
    assert list(frame["other"]) == ["t0", "t1", "t2", "t3", "t4", "t5", "t6"]
    assert set(frame["paired_by"]) == {"values"}
    assert (frame["confidence"] > 0.99).all()
    for text in (repr(found), found._repr_html_()):
        assert "by values" in text


def test_pairs_of_nearly_equal_values_find_where_the_runs_diverge(graph, traced):
    noise = np.random.default_rng(3).normal(size=traced["c"].shape, scale=0.02)
    wrong = (traced["c"] + noise).astype(np.float32)
    later = {"d": np.tanh(wrong)}
    found = compare(traced, renamed(traced, c=wrong, **later), by_values=True)
    assert found.first_divergence.name == "c"
    assert found["c"].other == "t3"
    assert 0.99 < found["c"].confidence < 1
    assert found["b"].ok


def test_a_scaled_or_shifted_tensor_is_no_counterpart():
    values = np.random.default_rng(4).normal(size=(5, 40))
    for other in (2 * values, values + 3, -values):
        with pytest.raises(InputError):
            compare({"a": values}, {"b": other}, by_values=True)


def test_tensors_that_only_one_run_has_are_not_paired_with_their_neighbors(traced):
    other = renamed(traced)
    del other["t1"]
    found = compare(traced, other, by_values=True)
    assert "a" not in pairs(found)
    assert "a" in found.missing.first_only
    assert [each.name for each in found.unpaired if each.side == 0] == ["a"]
    assert "Not paired by values: a of a: no tensor has such values." in found.summary


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros((4, 4)), "all elements are 0"),
        (np.full((4, 4), 2.5), "all elements are equal"),
        (np.arange(4.0), "too few elements"),
        (np.array([[np.nan] + [1.0] * 9]), "NaN"),
        (np.arange(9.0) * 1e-200, "underflow"),
        (np.arange(9.0) * 1e200, "overflow"),
    ],
    ids=["zero", "constant", "few", "nan", "tiny", "huge"],
)
def test_what_any_tensor_could_equal_is_left_out_with_the_reason(traced, values, reason):
    found = compare({**traced, "k": values}, {**renamed(traced), "z": values}, by_values=True)
    assert "k" not in pairs(found)
    assert {each.name for each in found.unpaired} == {"k", "z"}
    assert all(reason in each.reason for each in found.unpaired)


def test_equal_tensors_are_ambiguous_and_left_out(traced):
    first = {**traced, "copy": traced["b"].copy()}
    found = compare(first, renamed(traced), by_values=True)
    assert not {"b", "copy"} & set(pairs(found))
    reasons = {each.name: each.reason for each in found.unpaired}
    assert reasons["b"] == "'t2' has such values, and so has another tensor"
    assert reasons["t2"] == "2 tensors have such values"
    # With a name for one of them, nothing is ambiguous.
    named = compare(first, renamed(traced), by_values=True, names={"b": "t2"})
    assert pairs(named)["b"] == "t2"
    assert named["b"].paired_by == "names"
    assert named["b"].confidence is None


def test_random_tensors_of_one_shape_are_never_paired():
    draw = np.random.default_rng(5).normal
    for size in (8, 9, 12, 20, 100):
        first = {f"a{i}": draw(size=size) for i in range(60)}
        second = {f"b{i}": draw(size=size) for i in range(60)}
        with pytest.raises(InputError):
            compare(first, second, by_values=True)


def test_uncertain_pairs_against_the_order_of_the_others_are_dropped():
    draw = np.random.default_rng(6).normal
    tensors = [draw(size=200) for _ in range(5)]
    vague = [array + draw(size=200, scale=0.15) for array in tensors]
    first = {f"a{i}": array for i, array in enumerate(tensors)}
    second = {"b0": tensors[0], "b4": vague[4], "b1": tensors[1], "b2": vague[2], "b3": tensors[3]}
    found = compare(first, second, by_values=True)
    assert pairs(found) == {"a0": "b0", "a1": "b1", "a2": "b2", "a3": "b3"}


def test_channels_last_and_dropped_axes_are_recognized(traced):
    other = {
        "t0": traced["x"].transpose(0, 2, 3, 1),
        "t1": traced["a"][0],
        "t2": traced["b"][0].transpose(1, 2, 0),
        "t3": traced["c"][:, None],
    }
    found = compare(traced, other, by_values=True)
    assert pairs(found) == {"x": "t0", "a": "t1", "b": "t2", "c": "t3"}
    assert found.equal
    assert found["x"].axes == (0, 3, 1, 2)
    assert (found["a"].axes, found["a"].unit_axes) == (None, True)
    assert (found["b"].axes, found["b"].unit_axes) == ((2, 0, 1), True)
    assert "a, b and c differ in axes of size 1" in found.summary
    assert "[0, 3, 1, 2]" in found.summary


def test_dropped_axes_of_tensors_of_the_same_name_need_axes_auto(traced):
    other = {"a": traced["a"][0], "b": traced["b"][0].transpose(1, 2, 0)}
    plain = compare(traced, other)
    assert plain["a"].metrics is None
    assert 'axes="auto"' in plain["a"].note
    found = compare(traced, other, axes="auto")
    assert found.equal
    assert found["a"].unit_axes
    assert "without axes of size 1 (1×4×6×6 and 4×6×6)" in found["a"].note


def test_tensors_are_paired_by_the_origin_of_one_of_them(graph, traced):
    tensors = {
        name: replace(
            tensor, origin={"a": "Conv_0", "b": "Relu_1", "c": "both", "d": "both"}.get(name)
        )
        for name, tensor in graph.tensors.items()
    }
    converted = replace(graph, tensors=FrozenDict(tensors))
    run = trace(converted, traced["x"])
    recorded = {"Conv_0": traced["a"], "Relu_1": traced["b"], "both": traced["c"], "x": traced["x"]}
    found = compare(run, recorded)
    assert pairs(found) == {"x": "x", "a": "Conv_0", "b": "Relu_1"}
    assert found["a"].paired_by == "origin"
    assert "2 tensors were paired by origin" in found.summary
    assert "compared with Conv_0, its origin" in found["a"].note
    assert pairs(compare(recorded, run)) == {"x": "x", "Conv_0": "a", "Relu_1": "b"}


def test_blame_takes_a_recorded_reference_of_other_names_and_layouts(graph, traced):
    wrong = graph.with_data({"g": graph.tensors["g"].data * np.float32(1.05)})
    other = {
        "in": traced["x"].transpose(0, 2, 3, 1),
        "first": traced["a"].transpose(0, 2, 3, 1),
        "second": traced["b"].transpose(0, 2, 3, 1),
        "third": traced["c"].transpose(0, 2, 3, 1),
        "fourth": traced["d"].transpose(0, 2, 3, 1),
        "last": traced["y"],
    }
    found = blame(graph, traced["x"], reference=other, suspect=wrong, by_values=True)
    assert [each.tensor for each in found.guilty] == ["c"]
    assert found.paired_by_values["c"][0] == "third"
    assert "6 tensors were paired with the reference by values, not by name" in found.summary
    names = {"in": "x", "first": "a", "second": "b", "third": "c", "last": "y"}
    named = blame(graph, traced["x"], reference=other, suspect=wrong, names=names, axes="auto")
    assert [each.tensor for each in named.guilty] == ["c"]
    orders = dict.fromkeys(["in", "first", "second", "third"], (0, 2, 3, 1))
    given = blame(graph, traced["x"], reference=other, suspect=wrong, names=names, axes=orders)
    assert [each.tensor for each in given.guilty] == ["c"]
    clean = blame(graph, traced["x"], reference=other, suspect=graph, by_values=True)
    assert clean.ok
    assert "by values" in repr(clean)
    assert "by values" not in named.summary


def test_a_pair_in_another_order_of_equal_sizes_is_compared_in_that_order():
    draw = np.random.default_rng(7).normal
    values = draw(size=(1, 6, 6, 6))
    noisy = (values + draw(size=values.shape, scale=0.01)).transpose(0, 2, 3, 1)
    found = compare({"a": values}, {"b": noisy}, by_values=True)["a"]
    assert found.axes == (0, 3, 1, 2)
    assert 0.005 < found.metrics.rmse < 0.02


def standardized(*shape):
    values = DRAW.normal(size=shape)
    return (values - values.mean()) / values.std()


def test_tensors_that_only_share_mean_and_deviation_are_not_paired():
    # More than are compared with each other; the last one has the lowest bound.
    second = {f"b{i}": standardized(100) for i in range(16)}
    second["last"] = standardized(100) * 1.2
    with pytest.raises(InputError, match="no tensor in common") as caught:
        compare({"a": standardized(100)}, second, by_values=True)
    hint = caught.value.diagnostics[0].hint
    assert "'a': more than 16 tensors have a similar mean and deviation" in hint
    # The counterpart itself is found among them, if it is the nearest one.
    second["last"] = second["b3"] * 1.0000001
    found = compare({"a": second.pop("b3") + 1e-9}, second, by_values=True)
    assert pairs(found) == {"a": "last"}


def test_many_tensors_of_one_shape_take_little_time():
    first = {f"a{i}": standardized(64) for i in range(400)}
    second = {f"b{i}": standardized(64) for i in range(400)}
    started = time.process_time()
    with pytest.raises(InputError):
        compare(first, second, by_values=True)
    assert time.process_time() - started < 8


def test_tensors_that_are_not_paired_name_the_true_reason():
    first = {"a": np.arange(8.0), "b": standardized(200), "c": standardized(200)}
    second = {
        "few": np.arange(8.0) + 0.55 * np.array([1, -1, 1, 1, -1, 1, -1, -1]),
        "exact": first["c"],
        "vague": first["b"] + 0.15 * standardized(200),
    }
    found = compare(first, second, by_values=True)
    assert pairs(found) == {"c": "exact"}
    reasons = {each.name: each.reason for each in found.unpaired}
    assert reasons["a"] == "'few' has such values, but they are too few to be sure"
    order = "'vague' has such values, but not its place in the order of the other pairs"
    assert reasons["b"] == order


def test_blame_reads_what_it_compares_of_a_recorded_reference_as_compare_does(graph, traced):
    for values in ([[1], [2, 3]], np.ma.masked_array(traced["c"], traced["c"] > 0), np.array("c")):
        with pytest.raises(InputError, match="'c'"):
            blame(graph, traced["x"], reference={"c": values}, suspect=graph)
    # What is not compared may be anything.
    found = blame(graph, traced["x"], reference={**traced, "words": ["a", "b"]}, suspect=graph)
    assert found.ok


def test_blame_does_not_take_the_names_of_files_for_the_order_of_a_run(graph, traced, tmp_path):
    """Files are sorted by name, here against the order of the run."""
    vague = DRAW.normal(size=traced["c"].shape, scale=0.15) * traced["c"].std() + traced["c"]
    files = {"9": traced["x"], "8": traced["a"], "7": traced["b"], "6": vague, "5": traced["y"]}
    for name, values in files.items():
        np.save(tmp_path / f"{name}.npy", values)
    found = blame(graph, traced["x"], reference=tmp_path, suspect=graph, by_values=True)
    assert found.paired_by_values["c"][0] == "6"
    assert found.paired_by_values["c"][1] < 0.999

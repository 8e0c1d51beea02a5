"""Single layers compute what Caffe's documentation and code define, in NumPy."""

import numpy as np
import pytest

pytest.importorskip("google.protobuf")

from caffe_networks import input_layer, layer, read, text_of, weights_of

import nnefkit as nk

RNG = np.random.default_rng(0)


def numbers(*shape, low=-1.5):
    return RNG.uniform(low, 1.5, shape).astype(np.float32)


X = numbers(2, 3, 5, 4)
VECTOR = np.array([0.5, -2.0, 3.0], np.float32)
TIED = np.array([[1, 3, 3, 0], [2, 2, 0, 2]], np.float32)


def norm(x, axes, eps):
    return x / np.sqrt((x**2).sum(axes, keepdims=True) + eps)


def deviation(x, axes):
    return (x - x.mean(axes, keepdims=True)) / (x.std(axes, keepdims=True) + 1e-9)


def squares_around(x, n):
    """The sums of squares in windows of one channel."""
    padded = np.pad(x**2, [(0, 0), (0, 0), (n // 2, n // 2), (n // 2, n // 2)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (n, n), (2, 3))
    return windows.sum((-1, -2))


CASES = {
    # kind, parameters, weights, expected
    "bias": ("Bias", "", [VECTOR], X + VECTOR[:, None, None]),
    "bias_all": ("Bias", "bias_param { axis: 0 num_axes: 0 }", [np.float32([0.5])], X + 0.5),
    "scale_axes": (
        "Scale",
        "scale_param { axis: 2 num_axes: -1 bias_term: true }",
        [np.arange(20, dtype=np.float32).reshape(5, 4), np.ones((5, 4), np.float32)],
        X * np.arange(20).reshape(5, 4) + 1,
    ),
    "batch_norm": (
        "BatchNorm",
        "batch_norm_param { eps: 0.1 }",
        [2 * VECTOR, np.float32([2, 4, 6]), np.float32([2])],
        (X - VECTOR[:, None, None]) / np.sqrt(np.reshape([1, 2, 3], (3, 1, 1)) + 0.1),
    ),
    "batch_norm_of_nothing": (
        "BatchNorm",
        "batch_norm_param { eps: 0.25 }",
        [VECTOR, np.abs(VECTOR), np.float32([0])],
        X / 0.5,
    ),
    "mvn": ("MVN", "", [], deviation(X, (2, 3))),
    "mvn_across": ("MVN", "mvn_param { across_channels: true }", [], deviation(X, (1, 2, 3))),
    "mvn_mean": (
        "MVN",
        "mvn_param { normalize_variance: false }",
        [],
        X - X.mean((2, 3), keepdims=True),
    ),
    "lrn_within": (
        "LRN",
        "lrn_param { local_size: 3 alpha: 2 k: 7 norm_region: WITHIN_CHANNEL }",
        [],
        X * (1 + 2 / 9 * squares_around(X, 3)) ** -0.75,
    ),
    "normalize": (
        "Normalize",
        "norm_param { eps: 0.5 }",
        [np.float32([2])],
        2 * norm(X, (1, 2, 3), 0.5),
    ),
    "normalize_channels": (
        "Normalize",
        "norm_param { across_spatial: false channel_shared: false }",
        [VECTOR],
        norm(X, (1,), 1e-10) * VECTOR[:, None, None],
    ),
    "reduction": ("Reduction", "reduction_param { axis: 2 }", [], X.sum((2, 3))),
    "reduction_absolute": (
        "Reduction",
        "reduction_param { operation: ASUM axis: 1 coeff: 0.5 }",
        [],
        np.abs(X).sum((1, 2, 3)) / 2,
    ),
    "reduction_squares": (
        "Reduction",
        "reduction_param { operation: SUMSQ axis: -1 }",
        [],
        (X**2).sum(3),
    ),
    "reduction_mean": ("Reduction", "reduction_param { operation: MEAN }", [], X.mean()),
    "power": (
        "Power",
        "power_param { power: 2 scale: 0.5 shift: 1 }",
        [],
        (1 + X / 2) ** 2,
    ),
    "power_of_nothing": ("Power", "power_param { power: 0 }", [], None),
    "exp": ("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }", [], 2 ** (1 + X / 2)),
    "exp_natural": ("Exp", "", [], np.exp(X)),
    "log": ("Log", "log_param { base: 10 shift: 3 }", [], np.log10(X + 3)),
    "clip": ("Clip", "clip_param { min: -0.5 max: 0.25 }", [], X.clip(-0.5, 0.25)),
    "relu6": ("ReLU6", "", [], X.clip(0, 6)),
    "swish": ("Swish", "swish_param { beta: 2 }", [], X / (1 + np.exp(-2 * X))),
    "prelu_shared": (
        "PReLU",
        "prelu_param { channel_shared: true }",
        [np.float32([0.1])],
        np.where(X > 0, X, 0.1 * X),
    ),
    "inner_product": (
        "InnerProduct",
        "inner_product_param { num_output: 2 axis: 2 bias_term: false }",
        [np.arange(40, dtype=np.float32).reshape(2, 20)],
        X.reshape(2, 3, 20) @ np.arange(40).reshape(2, 20).T,
    ),
    "inner_product_transposed": (
        "InnerProduct",
        "inner_product_param { num_output: 2 axis: -1 transpose: true }",
        [np.arange(8, dtype=np.float32).reshape(4, 2), np.float32([1, 2])],
        X @ np.arange(8).reshape(4, 2) + [1, 2],
    ),
    "reshape_part": (
        "Reshape",
        "reshape_param { shape { dim: 2 dim: -1 } axis: 2 num_axes: 1 }",
        None,
        None,
    ),
    "reshape": (
        "Reshape",
        "reshape_param { shape { dim: 0 dim: -1 dim: 2 } axis: 1 }",
        [],
        X.reshape(2, 3, 10, 2),
    ),
    "reshape_inserting": (
        "Reshape",
        "reshape_param { shape { dim: 1 } axis: 1 num_axes: 0 }",
        [],
        X[:, None],
    ),
    "flatten_part": ("Flatten", "flatten_param { axis: 1 end_axis: 2 }", [], X.reshape(2, 15, 4)),
    "permute": ("Permute", "permute_param { order: 2 }", [], X.transpose(2, 0, 1, 3)),
    "tile": ("Tile", "tile_param { axis: -1 tiles: 3 }", [], np.tile(X, (1, 1, 1, 3))),
    "spp_flat": ("SPP", "spp_param { pyramid_height: 1 }", [], X.max((2, 3), keepdims=True)),
    "global": (
        "Pooling",
        "pooling_param { pool: AVE global_pooling: true }",
        [],
        X.mean((2, 3), keepdims=True),
    ),
    "stochastic": (
        "Pooling",
        "pooling_param { pool: STOCHASTIC kernel_h: 3 kernel_w: 2 stride: 2 }",
        [],
        None,
    ),
    "softmax_axis": (
        "Softmax",
        "softmax_param { axis: -1 }",
        [],
        np.exp(X) / np.exp(X).sum(3, keepdims=True),
    ),
    "argmax": ("ArgMax", "argmax_param { axis: 1 }", [], X.argmax(1)[:, None]),
    "argmax_value": ("ArgMax", "argmax_param { axis: 1 out_max_val: true }", [], X.max(1)[:, None]),
    "argmax_all": ("ArgMax", "", [], X.reshape(2, -1).argmax(1).reshape(2, 1, 1, 1)[..., 0:1]),
}  # fmt: skip
REFUSED = {"reshape_part": "does not fit"}


@pytest.mark.parametrize("name", CASES)
def test_a_layer_is_computed_as_defined(name):
    kind, parameters, weights, expected = CASES[name]
    text = text_of(input_layer("x", X.shape), layer("y", kind, parameters=parameters))
    if name in REFUSED:
        with pytest.raises(nk.DocumentError, match=REFUSED[name]):
            read(text)
        return
    if name == "stochastic":
        windows = [
            [X[:, :, h : h + 3, w : w + 2].reshape(2, 3, -1) for w in (0, 2)] for h in (0, 2)
        ]
        sums = np.array([[each.sum(-1) for each in row] for row in windows])
        squares = np.array([[(each**2).sum(-1) for each in row] for row in windows])
        expected = np.where(sums > 0, squares / sums, 0).transpose(2, 3, 0, 1)
    if name == "power_of_nothing":
        text = text_of(text, layer("z", "Eltwise", ("x", "y")))
        expected = X + 1
    graph = read(text, weights_of(y=weights))
    (found,) = nk.run(graph, {"x": X}).values()
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


def test_the_last_of_equal_elements_is_the_largest():
    text = text_of(
        input_layer("x", (2, 4)), layer("y", "ArgMax", parameters="argmax_param { axis: 1 }")
    )
    np.testing.assert_array_equal(nk.run(read(text), {"x": TIED})["y"], [[2], [3]])


def test_positions_come_before_their_values_where_both_are_wanted():
    parameters = "argmax_param { out_max_val: true }"
    text = text_of(input_layer("x", (2, 4)), layer("y", "ArgMax", parameters=parameters))
    expected = [[[2], [3]], [[3], [2]]]
    np.testing.assert_array_equal(nk.run(read(text), {"x": TIED})["y"], expected)


def test_two_bottoms_of_scale_are_multiplied():
    text = text_of(
        input_layer("x", X.shape),
        input_layer("s", (2, 3)),
        layer("y", "Scale", ("x", "s"), parameters="scale_param { axis: 0 }"),
        layer("z", "Bias", ("y", "s"), parameters="bias_param { axis: 0 }"),
    )
    s = numbers(2, 3)
    found = nk.run(read(text), {"x": X, "s": s})["z"]
    np.testing.assert_allclose(found, X * s[..., None, None] + s[..., None, None], rtol=1e-5)


def test_a_pyramid_has_the_maxima_of_1_and_4_cells():
    parameters = "spp_param { pyramid_height: 2 }"
    text = text_of(input_layer("x", (1, 2, 4, 6)), layer("y", "SPP", parameters=parameters))
    x = numbers(1, 2, 4, 6)
    cells = x.reshape(1, 2, 2, 2, 2, 3).max((3, 5)).reshape(1, 8)
    expected = np.concatenate([x.max((2, 3)), cells], 1)
    np.testing.assert_array_equal(nk.run(read(text), {"x": x})["y"], expected)


def test_priors_are_constants():
    text = text_of(
        input_layer("image", (1, 3, 30, 60)),
        layer(
            "x", "Pooling", ("image",), parameters="pooling_param { kernel_size: 15 stride: 15 }"
        ),
        layer(
            "priors",
            "PriorBox",
            ("x", "image"),
            parameters="prior_box_param { min_size: 6 max_size: 24 aspect_ratio: 4 clip: true "
            "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 }",
        ),
    )
    graph = read(text)
    assert {*graph.outputs} == {"priors"}
    boxes = nk.run(graph, {"image": np.zeros((1, 3, 30, 60), np.float32)})["priors"]
    assert boxes.shape == (1, 2, 2 * 4 * 4 * 4)
    first = boxes[0, 0].reshape(2, 4, 4, 4)[1, 2]
    center, sizes = (37.5, 22.5), [(6, 6), (12, 12), (12, 3), (3, 12)]
    expected = [
        [(center[0] - w / 2) / 60, (center[1] - h / 2) / 30, (center[0] + w / 2) / 60,
         (center[1] + h / 2) / 30]
        for w, h in sizes
    ]  # fmt: skip
    np.testing.assert_allclose(first, np.clip(expected, 0, 1), rtol=1e-6)
    np.testing.assert_allclose(boxes[0, 1][:4], [0.1, 0.1, 0.2, 0.2])


def test_the_largest_elements_come_in_order_with_the_last_of_equal_ones_first():
    parameters = "argmax_param { axis: 1 top_k: 3 }"
    text = text_of(input_layer("x", (2, 4)), layer("y", "ArgMax", parameters=parameters))
    np.testing.assert_array_equal(nk.run(read(text), {"x": TIED})["y"], [[2, 1, 0], [3, 1, 0]])
    parameters = "argmax_param { out_max_val: true top_k: 2 }"
    text = text_of(input_layer("x", (2, 4)), layer("y", "ArgMax", parameters=parameters))
    expected = [[[2, 1], [3, 3]], [[3, 1], [2, 2]]]
    np.testing.assert_array_equal(nk.run(read(text), {"x": TIED})["y"], expected)


# -- recurrent layers ------------------------------------------------------------------------------

TIME, BATCH, WIDTH, SIZE, STATIC = 3, 2, 4, 3, 5
SEQUENCE, FIXED = numbers(TIME, BATCH, WIDTH), numbers(BATCH, STATIC)
MARKS = np.array([[1, 0], [1, 1], [0, 1]], np.float32)
STATES = [numbers(1, BATCH, SIZE), numbers(1, BATCH, SIZE)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(states, static, gates_of):
    hidden, cell = (state[0] for state in states)
    outputs = []
    for x, mark in zip(SEQUENCE, MARKS, strict=True):
        hidden, cell = hidden * mark[:, None], cell * mark[:, None]
        enter, forget, leave, new = np.split(gates_of(x, static, hidden), 4, 1)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(leave) * np.tanh(cell)
        outputs.append(hidden)
    return np.array(outputs), [hidden[None], cell[None]]


def rnn(states, static, gates_of):
    hidden, outputs = states[0][0], []
    for x, mark in zip(SEQUENCE, MARKS, strict=True):
        hidden = np.tanh(gates_of(x, static, hidden * mark[:, None]))
        outputs.append(hidden)
    return np.array(outputs), [hidden[None]]


@pytest.mark.parametrize("exposed", [False, True])
@pytest.mark.parametrize("has_static", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_a_recurrent_layer_is_computed_step_by_step(kind, has_static, exposed):
    gates, count = (4 * SIZE, 2) if kind == "LSTM" else (SIZE, 1)
    filter_, bias = numbers(gates, WIDTH), numbers(gates)
    fixed, hidden_filter = numbers(gates, STATIC), numbers(gates, SIZE)
    weights = [filter_, bias, *([fixed] if has_static else []), hidden_filter]
    names = ["x", "marks", *(["fixed"] if has_static else [])]
    names += ["h", "c"][:count] if exposed else []
    feeds = {"x": SEQUENCE, "marks": MARKS, "fixed": FIXED, "h": STATES[0], "c": STATES[1]}
    tops = ["y", "last_h", "last_c"][: 1 + count] if exposed else ["y"]

    def gates_of(x, static, hidden):
        extra = static @ fixed.T if has_static else 0
        return x @ filter_.T + bias + extra + hidden @ hidden_filter.T

    states = STATES if exposed else [np.zeros_like(state) for state in STATES]
    expected, last = (lstm if kind == "LSTM" else rnn)(states, FIXED, gates_of)
    if kind == "RNN":
        output_filter, output_bias = numbers(SIZE, SIZE), numbers(SIZE)
        weights += [output_filter, output_bias]
        expected = np.tanh(expected @ output_filter.T + output_bias)
    parameters = f"recurrent_param {{ num_output: {SIZE} expose_hidden: {str(exposed).lower()} }}"
    text = text_of(
        *(input_layer(name, feeds[name].shape) for name in names),
        layer("y", kind, names, tops, parameters),
    )
    graph = read(text, weights_of(y=weights), outputs=tops)
    found = nk.run(graph, {name: feeds[name] for name in graph.inputs})
    for name, array in zip(tops, [expected, *last], strict=False):
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-5)

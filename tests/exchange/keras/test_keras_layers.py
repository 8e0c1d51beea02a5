"""Every layer computes what Keras computes, or is refused."""

import numpy as np
import pytest

pytest.importorskip("h5py")
keras = pytest.importorskip("keras")

from keras import layers as L  # noqa: E402, N812
from keras import ops  # noqa: E402

import nnefkit as nk  # noqa: E402

TOLERANCE = 2e-5

IMAGE, SIGNAL, VOLUME, ROW, STEPS = (7, 6, 4), (11, 4), (5, 6, 4, 4), (5,), (4, 5)


def layer_scale():
    from keras.src.applications.convnext import LayerScale

    return LayerScale(0.5, 4)


ACTIVATIONS = [
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "mish",
    "sigmoid",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "tanh",
    "softplus",
    "softsign",
    "exponential",
    "log_sigmoid",
    "log_softmax",
    "softmax",
    "relu6",
    "leaky_relu",
    "tanh_shrink",
    "soft_shrink",
    "hard_shrink",
    "squareplus",
    "sparse_plus",
    "linear",
]

CASES = {
    # name: (shape or shapes of the inputs without the batch, function of the inputs)
    "Dense": (ROW, lambda x: L.Dense(3)(x)),
    "Dense relu": (ROW, lambda x: L.Dense(3, activation="relu", use_bias=False)(x)),
    "Dense sequence": (STEPS, lambda x: L.Dense(3, activation="gelu")(x)),
    "Dense activation layer": (ROW, lambda x: L.Dense(3, activation=L.LeakyReLU(0.1))(x)),
    "EinsumDense": (
        STEPS,
        lambda x: L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de")(x),
    ),
    "Conv1D same": (SIGNAL, lambda x: L.Conv1D(3, 4, strides=2, padding="same")(x)),
    "Conv1D causal": (SIGNAL, lambda x: L.Conv1D(3, 3, dilation_rate=2, padding="causal")(x)),
    "Conv2D valid": (IMAGE, lambda x: L.Conv2D(3, (3, 2), strides=(2, 1))(x)),
    "Conv2D same": (
        IMAGE,
        lambda x: L.Conv2D(3, (3, 2), strides=2, padding="same", activation="tanh")(x),
    ),
    "Conv2D groups": (IMAGE, lambda x: L.Conv2D(6, 3, groups=2, dilation_rate=(1, 2))(x)),
    "Conv2D first": (
        IMAGE,
        lambda x: L.Conv2D(3, 3, data_format="channels_first", padding="same")(x),
    ),
    "Conv3D": (VOLUME, lambda x: L.Conv3D(3, (2, 3, 1), padding="same")(x)),
    "Conv1DTranspose": (SIGNAL, lambda x: L.Conv1DTranspose(3, 4, strides=2, padding="same")(x)),
    "Conv2DTranspose same": (
        IMAGE,
        lambda x: L.Conv2DTranspose(3, 3, strides=2, padding="same")(x),
    ),
    "Conv2DTranspose valid": (IMAGE, lambda x: L.Conv2DTranspose(3, (3, 2), strides=(2, 3))(x)),
    "Conv3DTranspose": (VOLUME, lambda x: L.Conv3DTranspose(3, 3, strides=2, padding="same")(x)),
    "DepthwiseConv1D": (SIGNAL, lambda x: L.DepthwiseConv1D(3, depth_multiplier=2)(x)),
    "DepthwiseConv2D": (
        IMAGE,
        lambda x: L.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x),
    ),
    "SeparableConv1D": (SIGNAL, lambda x: L.SeparableConv1D(3, 3, padding="same")(x)),
    "SeparableConv2D": (IMAGE, lambda x: L.SeparableConv2D(3, 3, strides=2, depth_multiplier=2)(x)),
    "MaxPooling1D": (SIGNAL, lambda x: L.MaxPooling1D(3, 2, padding="same")(x)),
    "MaxPooling2D": (IMAGE, lambda x: L.MaxPooling2D((3, 2), padding="same")(x)),
    "MaxPooling3D": (VOLUME, lambda x: L.MaxPooling3D(2)(x)),
    "MaxPooling2D first": (IMAGE, lambda x: L.MaxPooling2D(2, data_format="channels_first")(x)),
    "AveragePooling1D": (SIGNAL, lambda x: L.AveragePooling1D(3, 2)(x)),
    "AveragePooling2D": (IMAGE, lambda x: L.AveragePooling2D(3, 1, padding="same")(x)),
    "AveragePooling3D": (VOLUME, lambda x: L.AveragePooling3D(2)(x)),
    "GlobalAveragePooling1D": (SIGNAL, lambda x: L.GlobalAveragePooling1D()(x)),
    "GlobalMaxPooling2D": (IMAGE, lambda x: L.GlobalMaxPooling2D(keepdims=True)(x)),
    "GlobalAveragePooling3D": (VOLUME, lambda x: L.GlobalAveragePooling3D()(x)),
    "BatchNormalization": (IMAGE, lambda x: L.BatchNormalization()(x)),
    "BatchNormalization bare": (
        IMAGE,
        lambda x: L.BatchNormalization(scale=False, center=False)(x),
    ),
    "BatchNormalization axis": (IMAGE, lambda x: L.BatchNormalization(axis=1)(x)),
    "BatchNormalization row": (ROW, lambda x: L.BatchNormalization(epsilon=0.1)(x)),
    "LayerNormalization": (IMAGE, lambda x: L.LayerNormalization()(x)),
    "LayerNormalization axes": (IMAGE, lambda x: L.LayerNormalization(axis=[1, 3])(x)),
    "LayerNormalization rms": (STEPS, lambda x: L.LayerNormalization(rms_scaling=True)(x)),
    "RMSNormalization": (STEPS, lambda x: L.RMSNormalization()(x)),
    "GroupNormalization": (IMAGE, lambda x: L.GroupNormalization(2)(x)),
    "GroupNormalization instance": (IMAGE, lambda x: L.GroupNormalization(-1)(x)),
    "UnitNormalization": (STEPS, lambda x: L.UnitNormalization()(x)),
    "Normalization": (IMAGE, lambda x: L.Normalization()(x)),
    "Normalization known": (
        ROW,
        lambda x: L.Normalization(mean=[1, 2, 3, 4, 5.0], variance=[2.0] * 5)(x),
    ),
    "Normalization inverse": (
        ROW,
        lambda x: L.Normalization(mean=1.0, variance=2.0, invert=True)(x),
    ),
    "SpectralNormalization": (ROW, lambda x: L.SpectralNormalization(L.Dense(3))(x)),
    "ReLU": (ROW, lambda x: L.ReLU()(x)),
    "ReLU max": (ROW, lambda x: L.ReLU(max_value=0.5)(x)),
    "ReLU slope": (ROW, lambda x: L.ReLU(negative_slope=0.25)(x)),
    "ReLU all": (ROW, lambda x: L.ReLU(max_value=1.0, negative_slope=0.25, threshold=0.3)(x)),
    "LeakyReLU": (ROW, lambda x: L.LeakyReLU()(x)),
    "ELU": (ROW, lambda x: L.ELU(0.7)(x)),
    "PReLU": (IMAGE, lambda x: L.PReLU(shared_axes=[1, 2], alpha_initializer="normal")(x)),
    "Softmax": (IMAGE, lambda x: L.Softmax()(x)),
    "Softmax axes": (IMAGE, lambda x: L.Softmax(axis=[1, 2])(x)),
    **{
        f"Activation {name}": (ROW, lambda x, name=name: L.Activation(name)(x))
        for name in ACTIVATIONS
    },
    "Activation glu": ((6,), lambda x: L.Activation("glu")(x)),
    "Add": ([IMAGE, IMAGE], lambda x, y: L.Add()([x, y])),
    "Add ranks": ([(4,), IMAGE], lambda x, y: L.Add()([x, y])),
    "Subtract": ([ROW, ROW], lambda x, y: L.Subtract()([x, y])),
    "Multiply": ([IMAGE, (1, 1, 4)], lambda x, y: L.Multiply()([x, y])),
    "Average": ([ROW, ROW, ROW], lambda x, y, z: L.Average()([x, y, z])),
    "Maximum": ([ROW, ROW], lambda x, y: L.Maximum()([x, y])),
    "Minimum": ([ROW, ROW], lambda x, y: L.Minimum()([x, y])),
    "Concatenate": ([IMAGE, (7, 6, 2)], lambda x, y: L.Concatenate()([x, y])),
    "Concatenate axis": ([IMAGE, (2, 6, 4)], lambda x, y: L.Concatenate(axis=1)([x, y])),
    "Dot": ([(3, 5), (4, 5)], lambda x, y: L.Dot(axes=2)([x, y])),
    "Dot rows": ([ROW, ROW], lambda x, y: L.Dot(axes=1, normalize=True)([x, y])),
    "Reshape": (IMAGE, lambda x: L.Reshape((-1, 8))(x)),
    "Flatten": (IMAGE, lambda x: L.Flatten()(L.Conv2D(3, 2)(x))),
    "Flatten first": (IMAGE, lambda x: L.Flatten(data_format="channels_first")(x)),
    "Permute": (IMAGE, lambda x: L.Permute((3, 1, 2))(x)),
    "RepeatVector": (ROW, lambda x: L.RepeatVector(3)(x)),
    "ZeroPadding1D": (SIGNAL, lambda x: L.ZeroPadding1D((1, 2))(x)),
    "ZeroPadding2D": (IMAGE, lambda x: L.ZeroPadding2D(((1, 0), (2, 1)))(x)),
    "ZeroPadding3D": (VOLUME, lambda x: L.ZeroPadding3D((1, 0, 2))(x)),
    "Cropping1D": (SIGNAL, lambda x: L.Cropping1D((1, 2))(x)),
    "Cropping2D": (IMAGE, lambda x: L.Cropping2D(((1, 0), (2, 1)))(x)),
    "Cropping3D": (VOLUME, lambda x: L.Cropping3D(1)(x)),
    "UpSampling1D": (SIGNAL, lambda x: L.UpSampling1D(3)(x)),
    "UpSampling2D": (IMAGE, lambda x: L.UpSampling2D((2, 3))(x)),
    "UpSampling2D bilinear": (IMAGE, lambda x: L.UpSampling2D(2, interpolation="bilinear")(x)),
    "UpSampling3D": (VOLUME, lambda x: L.UpSampling3D((2, 1, 2))(x)),
    "Resizing": (IMAGE, lambda x: L.Resizing(10, 5)(x)),
    "Resizing nearest": (IMAGE, lambda x: L.Resizing(3, 12, interpolation="nearest")(x)),
    "CenterCrop": (IMAGE, lambda x: L.CenterCrop(4, 3)(x)),
    "Rescaling": (IMAGE, lambda x: L.Rescaling(0.5, -1.0)(x)),
    "Rescaling channels": (IMAGE, lambda x: L.Rescaling([1.0, 2.0, 3.0, 4.0])(x)),
    "Dropout": (ROW, lambda x: L.Dense(3)(L.GaussianNoise(0.1)(L.Dropout(0.5)(x)))),
    "MultiHeadAttention": (STEPS, lambda x: L.MultiHeadAttention(2, 3)(x, x)),
    "MultiHeadAttention causal": (
        [STEPS, (6, 5)],
        lambda x, y: L.MultiHeadAttention(2, 3, value_dim=4, output_shape=7)(
            x, y, use_causal_mask=True
        ),
    ),
    "MultiHeadAttention scores": (
        STEPS,
        lambda x: L.MultiHeadAttention(2, 3, use_bias=False)(x, x, return_attention_scores=True),
    ),
    "GroupedQueryAttention": (STEPS, lambda x: L.GroupQueryAttention(3, 4, 2)(x, x)),
    "Attention": ([STEPS, (6, 5)], lambda x, y: L.Attention(use_scale=True)([x, y])),
    "Attention concat": (
        [STEPS, (6, 5)],
        lambda x, y: L.Attention(score_mode="concat", use_scale=True)([x, y]),
    ),
    "Attention causal": ([STEPS], lambda x: L.Attention()([x, x], use_causal_mask=True)),
    "AdditiveAttention": ([STEPS, (6, 5)], lambda x, y: L.AdditiveAttention()([x, y])),
    "LSTM": (STEPS, lambda x: L.LSTM(3)(x)),
    "LSTM all": (
        STEPS,
        lambda x: L.LSTM(3, return_sequences=True, return_state=True, go_backwards=True)(x),
    ),
    "LSTM unusual": (
        STEPS,
        lambda x: L.LSTM(3, recurrent_activation="hard_sigmoid", activation="relu")(x),
    ),
    "GRU": (STEPS, lambda x: L.GRU(3, return_sequences=True)(x)),
    "GRU before": (STEPS, lambda x: L.GRU(3, reset_after=False)(x)),
    "GRU unusual": (STEPS, lambda x: L.GRU(3, recurrent_activation="hard_sigmoid")(x)),
    "GRU unusual before": (STEPS, lambda x: L.GRU(3, activation="relu", reset_after=False)(x)),
    "SimpleRNN": (STEPS, lambda x: L.SimpleRNN(3, activation="relu")(x)),
    "SimpleRNN unusual": (STEPS, lambda x: L.SimpleRNN(3, activation="sigmoid", use_bias=False)(x)),
    "RNN stacked": (
        STEPS,
        lambda x: L.RNN([L.LSTMCell(3), L.GRUCell(2)], return_sequences=True)(x),
    ),
    "RNN state": ([STEPS, (3,)], lambda x, h: L.GRU(3)(x, initial_state=h)),
    "Bidirectional": (STEPS, lambda x: L.Bidirectional(L.LSTM(3, return_sequences=True))(x)),
    "Bidirectional sum": (STEPS, lambda x: L.Bidirectional(L.GRU(3), merge_mode="sum")(x)),
    "Bidirectional pair": (
        STEPS,
        lambda x: L.Bidirectional(L.SimpleRNN(2, return_state=True), merge_mode=None)(x),
    ),
    "Bidirectional own": (
        STEPS,
        lambda x: L.Bidirectional(
            L.LSTM(3, return_sequences=True),
            backward_layer=L.GRU(2, return_sequences=True, go_backwards=True),
        )(x),
    ),
    "ConvLSTM1D": (
        (3, 7, 4),
        lambda x: L.ConvLSTM1D(3, 3, strides=2, return_sequences=True)(x),
    ),
    "ConvLSTM2D": (
        (3, 7, 6, 4),
        lambda x: L.ConvLSTM2D(3, (3, 2), padding="same", go_backwards=True)(x),
    ),
    "TimeDistributed": (
        (3, 7, 6, 4),
        lambda x: L.TimeDistributed(L.Conv2D(3, 2, activation="relu"))(x),
    ),
    "Masking": (STEPS, lambda x: L.LSTM(3, return_sequences=True)(L.Masking()(ops.relu(x)))),
    "LayerScale": (IMAGE, lambda x: layer_scale()(x)),
    "Identity": (ROW, lambda x: L.Dense(2)(L.Identity()(x))),
}
CASES.update(
    {
        # Operations.
        "arithmetic": ([ROW, ROW], lambda x, y: (x * y + 2.0 * x - y / 3.0) ** 2),
        "ops.maximum": ([ROW, ROW], lambda x, y: ops.maximum(x, y) - ops.minimum(x, 0.1)),
        "ops unary": (
            ROW,
            lambda x: ops.sin(x) + ops.exp(ops.abs(x)) + ops.sqrt(ops.square(x)) + ops.tanh(-x),
        ),
        "ops.clip": (ROW, lambda x: ops.clip(x, -0.5, 0.7)),
        "ops.where": (
            [ROW, ROW],
            lambda x, y: ops.where(x > y, x, ops.zeros_like(y) if False else 2.0 * y),
        ),
        "ops.reshape": (IMAGE, lambda x: ops.reshape(x, (2, -1, 4))),
        "ops.transpose": (IMAGE, lambda x: ops.transpose(x, (0, 3, 1, 2))),
        "ops.swapaxes": (IMAGE, lambda x: ops.moveaxis(ops.swapaxes(x, 1, 2), -1, 1)),
        "ops.expand_dims": (ROW, lambda x: ops.squeeze(ops.expand_dims(x, -1), -1) + 1.0),
        "ops.concatenate": ([ROW, ROW], lambda x, y: ops.concatenate([x, y, x], axis=-1)),
        "ops.stack": ([ROW, ROW], lambda x, y: ops.stack([x, y], axis=1)),
        "ops.split": ((6,), lambda x: ops.split(x, 3, axis=-1)[1]),
        "ops.get_item": (IMAGE, lambda x: x[:, 1:-1, ::2, 0]),
        "ops.get_item new": (IMAGE, lambda x: x[..., None, ::3]),
        "ops.tile": (ROW, lambda x: ops.repeat(ops.tile(x, (1, 2)), 3, axis=1)),
        "ops.flip": (IMAGE, lambda x: ops.flip(x, axis=1)),
        "ops.pad": (IMAGE, lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 0), (0, 0)), mode="reflect")),
        "ops.mean": (
            IMAGE,
            lambda x: ops.mean(x, axis=(1, 2)) + ops.max(x, axis=[1, 2]) + ops.var(x, axis=(1, 2)),
        ),
        "ops.sum keep": (IMAGE, lambda x: x / ops.sum(ops.exp(x), axis=-1, keepdims=True)),
        "ops.argmax": (ROW, lambda x: ops.cast(ops.argmax(x, axis=-1), "float32")),
        "ops.cumsum": (STEPS, lambda x: ops.cumsum(x, axis=1)),
        "ops.matmul": ([(3, 5), (5, 4)], lambda x, y: ops.matmul(x, y)),
        "ops.einsum": ([(3, 5), (4, 5)], lambda x, y: ops.einsum("bij,bkj->bik", x, y)),
        "ops.softmax": (
            ROW,
            lambda x: ops.softmax(x) + ops.gelu(x) + ops.leaky_relu(x) + ops.silu(x),
        ),
        "ops.normalize": (ROW, lambda x: ops.normalize(x, axis=-1)),
        "ops.take": (STEPS, lambda x: ops.take(x, [2, 0, -1], axis=1)),
    }
)


def model(case, batch=2):
    """Return a model of one layer, with random weights."""
    shapes, function = CASES[case]
    keras.utils.set_random_seed(1)
    many = shapes if isinstance(shapes, list) else [shapes]
    inputs = [keras.Input(s, batch_size=batch, name=f"in{i}") for i, s in enumerate(many)]
    result = keras.Model(inputs, function(*inputs))
    draw = np.random.default_rng(0)
    for variable in result.weights:
        low = 0.5 if "variance" in variable.path else -0.8
        if variable.dtype != "int32":
            variable.assign(draw.uniform(low, 1.2, variable.shape).astype("float32"))
    for each in result._flatten_layers():
        if isinstance(each, L.Normalization):
            each.finalize_state()
    return result


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`:UserWarning")
@pytest.mark.parametrize("case", CASES)
def test_a_layer_computes_what_keras_computes(case):
    graph = nk.from_keras(model(case), tolerance=TOLERANCE)
    assert graph.provenance["verified"], graph.provenance["not_verified"]


SAVED = [
    *("Conv2D same", "SeparableConv2D", "BatchNormalization", "MultiHeadAttention", "RNN stacked"),
    *(
        "ConvLSTM2D",
        "Bidirectional own",
        "TimeDistributed",
        "GroupedQueryAttention",
        "SpectralNormalization",
    ),
    *("LayerNormalization axes", "Normalization", "Attention concat", "PReLU", "EinsumDense"),
]


@pytest.mark.parametrize("case", SAVED)
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_saved_layer_is_read_with_the_same_weights(case, ending, tmp_path):
    source = model(case)
    path = tmp_path / f"model{ending}"
    source.save(path)
    read = nk.from_keras(path, verify=False)
    live = nk.from_keras(source, verify=False)
    assert str(read) == str(live)
    for name, tensor in live.tensors.items():
        if tensor.data is not None:
            np.testing.assert_array_equal(read.tensors[name].data, tensor.data)

"""`from_keras`: networks, names, shapes, masks, refusals, proof."""

import json

import numpy as np
import pytest

pytest.importorskip("h5py")
keras = pytest.importorskip("keras")

from keras import layers as L  # noqa: E402, N812
from oracles.keras_references import path, recorded  # noqa: E402

import nnefkit as nk  # noqa: E402


def weighted(model):
    """Return a model with random weights."""
    draw = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(draw.uniform(0.1, 1.2, variable.shape).astype("float32"))
    return model


def block(name):
    x = keras.Input((7, 6, 4))
    y = L.BatchNormalization(name="bn")(L.Conv2D(4, 3, padding="same", name="conv")(x))
    return keras.Model(x, y, name=name)


def nested():
    x, encoder = keras.Input((7, 6, 4), name="image"), block("encoder")
    y = encoder(L.Add()([encoder(x), x]))
    return keras.Model(x, L.GlobalAveragePooling2D(name="pool")(block("other")(y)))


def sequences():
    head = keras.Sequential([L.Dense(4), L.Dense(2)], name="head")
    body = keras.Sequential([L.Conv2D(3, 3, activation="relu"), L.MaxPooling2D()], name="body")
    return keras.Sequential([keras.Input((7, 6, 4)), body, L.Flatten(), head])


def towers():
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="b")
    dense = L.Dense(3, name="tower")
    return keras.Model([a, b], L.Dense(2)(L.Concatenate()([dense(a), dense(b)])))


def dictionaries():
    a, b = keras.Input((5,), name="second"), keras.Input((4,), name="first")
    x = L.Concatenate()([a, b])
    outputs = {"z": L.Dense(2)(x), "y": L.Dense(3)(x)}
    return keras.Model({"second": a, "first": b}, outputs)


def frozen():
    model = nested()
    model.get_layer("encoder").trainable = False
    model.get_layer("other").get_layer("bn").trainable = False
    return model


def results():
    x = keras.Input((5,), name="x")
    y = keras.Input((5,))
    inner = keras.Model(y, [L.Dense(2, name="p")(y), L.Dense(3, name="q")(y)], name="inner")
    p, q = inner(x)
    p2, q2 = inner(2.0 * x)
    return keras.Model(x, [p, q2, L.Concatenate()([q, p2]), x])


def masked():
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = L.Embedding(9, 4, mask_zero=True)(tokens)
    y = L.Dropout(0.3)(L.LSTM(3, return_sequences=True)(x))
    z = L.Bidirectional(L.GRU(2, return_sequences=True))(y)
    heads = L.MultiHeadAttention(2, 3)(x, x)
    mean = L.GlobalAveragePooling1D()(z)
    added = L.LSTM(2)(L.Add()([x, x]))
    both = L.GRU(2)(L.Concatenate()([x, y]))
    return keras.Model(tokens, [mean, heads, added, both, L.Attention()([x, x])])


NETWORKS = [nested, sequences, towers, dictionaries, frozen, results, masked]


@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_a_network_computes_what_keras_computes_from_memory_and_from_files(make, tmp_path):
    model = weighted(make())
    graph = nk.from_keras(model, tolerance=2e-5)
    assert graph.provenance["verified"]
    for ending in (".keras", ".h5"):
        file = tmp_path / f"model{ending}"
        model.save(file)
        read = nk.from_keras(file, verify=False)
        assert str(read) == str(graph)
        assert all(
            np.array_equal(read.tensors[name].data, tensor.data)
            for name, tensor in graph.tensors.items()
            if tensor.data is not None
        )


def test_names_of_layers_are_those_of_scopes_labels_and_tensors():
    graph = nk.from_keras(weighted(nested()), verify=False)
    assert graph.inputs == ("image",)
    assert graph.outputs == ("pool",)
    labels = {tensor.label for tensor in graph.tensors.values() if tensor.label}
    assert {"other/conv/bias", "encoder/bn/gamma"} <= labels
    scopes = {tuple(str(each).partition(":")[0] for each in op.scope) for op in graph.operations}
    assert ("encoder", "conv") in scopes
    assert graph.tensors["encoder_bn"].origin == "encoder/bn"


def test_weights_of_a_shared_layer_are_stored_once():
    graph = nk.from_keras(weighted(towers()), verify=False)
    assert sum(op.name == "linear" for op in graph.operations) == 3
    assert sum(op.name == "variable" for op in graph.operations) == 4


def test_inputs_and_outputs_have_the_names_of_mappings():
    graph = nk.from_keras(dictionaries(), verify=False)
    assert graph.inputs == ("first", "second")
    assert graph.outputs == ("y", "z")


# -- shapes and layouts ----------------------------------------------------------------------------


def test_an_open_batch_is_one_and_other_open_dimensions_are_asked_for():
    x = keras.Input((None, 3), name="series")
    model = keras.Model(x, L.LSTM(2)(x))
    with pytest.raises(nk.InputError, match=r"open: 'series' \[\?, \?, 3\]") as raised:
        nk.from_keras(model)
    assert "input_shapes={'series': (1, 1, 3)}" in raised.value.diagnostics[0].hint
    graph = nk.from_keras(model, {"series": (2, 4, 3)})
    assert graph.tensors["series"].shape == (2, 4, 3)
    assert nk.from_keras(towers(), verify=False).tensors["a"].shape == (1, 5)
    for shapes, error in (
        ({"serie": (1, 2, 3)}, nk.UnknownNameError),
        ({"series": (1, 2)}, nk.InputError),
        ({"series": (1, 0, 3)}, nk.InputError),
        ({"series": 3}, nk.InputError),
        ([1], nk.InputError),
    ):
        with pytest.raises(error):
            nk.from_keras(model, shapes)


def test_the_layout_of_nnef_leaves_no_transposition():
    graph = nk.from_keras(path("zoo_conv/zoo_conv.keras"), layout="nnef")
    assert graph.provenance["verified"]
    assert not [op for op in graph.operations if op.name == "transpose"]
    assert graph.tensors["image"].shape == (1, 4, 13, 10)


def test_channels_first_layers_need_no_transposition():
    x = keras.Input((4, 7, 6))
    y = L.Conv2D(3, 3, data_format="channels_first", activation="relu")(x)
    y = L.BatchNormalization(axis=1)(L.AveragePooling2D(2, data_format="channels_first")(y))
    graph = nk.from_keras(keras.Model(x, y))
    assert graph.provenance["verified"]
    assert not [op for op in graph.operations if op.name == "transpose"]


# -- proof -----------------------------------------------------------------------------------------


def test_the_proof_is_in_the_provenance():
    facts = nk.from_keras(path("digits/digits.keras")).provenance
    assert facts["source"] == "Keras"
    assert facts["producer"] == "Keras 3.15.1"
    assert facts["verified"]
    assert facts["largest_difference"] < 1e-5
    assert facts["backend"] == keras.backend.backend()


def test_what_is_not_compared_has_a_reason():
    old = nk.from_keras(path("keras2_cnn/keras2_cnn.h5")).provenance
    assert not old["verified"]
    assert "Keras 2.2.4-tf wrote it" in old["not_verified"]
    averaged = nk.from_keras(path("zoo_pool/zoo_pool.keras")).provenance
    if keras.backend.backend() == "torch":
        assert "repeats pixels" in averaged["not_verified"]
    assert "not_verified" not in nk.from_keras(towers(), verify=False).provenance


def test_half_precision_is_compared_with_its_own_tolerance():
    x = keras.Input((5,))
    model = weighted(keras.Model(x, L.Dense(3, dtype="bfloat16")(x)))
    graph = nk.from_keras(model)
    assert graph.provenance["tolerance"] == 0.02
    assert all(op.dtype != "logical" for op in graph.operations)


def test_a_wrong_graph_is_found(monkeypatch):
    from nnefkit.exchange.keras.call import READERS

    def wrong(c):
        c.options.get("activation")
        return c.op("sigmoid", c.x)

    monkeypatch.setitem(READERS, "Activation", wrong)
    x = keras.Input((5,))
    model = keras.Model(x, L.Activation("tanh", name="bent")(x))
    with pytest.raises(nk.ExecutionError, match="'bent'"):
        nk.from_keras(model)


def test_a_trace_of_keras_compares_with_a_trace_of_the_graph():
    model = weighted(nested())
    graph = nk.from_keras(model, verify=False)
    inputs = {"image": np.random.default_rng(0).standard_normal((1, 7, 6, 4), np.float32)}
    theirs = nk.trace_keras(model, inputs, graph=graph)
    assert {"encoder_bn", "other_conv", "pool"} <= {*theirs}
    comparison = nk.compare(nk.trace(graph, inputs), theirs)
    assert comparison.ok
    assert len(comparison) >= 8
    assert {*nk.trace_keras(path("digits/digits.keras"), recorded("digits")[0])} >= {"probs"}


def test_a_trace_needs_inputs_and_a_keras_that_runs_the_model():
    with pytest.raises(nk.ExecutionError, match="'image' are missing"):
        nk.trace_keras(path("digits/digits.keras"), {})
    with pytest.raises(nk.ExecutionError, match="wrote it"):
        nk.trace_keras(path("keras2_cnn/keras2_cnn.h5"), recorded("keras2_cnn")[0])


# -- refusals --------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


@keras.saving.register_keras_serializable("tests")
class Dense(keras.layers.Dense):
    """A custom layer under the name of one of Keras' own."""


def test_custom_layers_and_lambdas_are_refused_all_at_once():
    x = keras.Input((5,))
    y = Doubled(name="twice")(x)
    y = L.Lambda(lambda t: t + 1, name="plus")(y)
    y = Dense(3, name="own")(y)
    z = L.MelSpectrogram(name="mel")(x)
    with pytest.raises(nk.DocumentError) as raised:
        nk.from_keras(keras.Model(x, [y, z]))
    messages = [diagnostic.message for diagnostic in raised.value.diagnostics]
    assert sorted(message.partition(":")[0] for message in messages) == [
        "Dense 'own'",
        "Doubled 'twice'",
        "Lambda 'plus'",
        "MelSpectrogram 'mel'",
    ]
    assert all("keras.Model(inputs, outputs)" in d.hint for d in raised.value.diagnostics)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = L.Dense(2)

    def call(self, x):
        return self.dense(x)


def test_a_model_that_is_a_class_is_refused():
    model = Subclassed()
    with pytest.raises(nk.InputError, match="no weights yet"):
        nk.from_keras(model)
    model(np.zeros((1, 3), "float32"))
    with pytest.raises(nk.InputError, match="cannot be read"):
        nk.from_keras(model)


def refused(function, *shapes, **options):
    inputs = [keras.Input(shape) for shape in shapes]
    with pytest.raises(nk.DocumentError) as raised:
        nk.from_keras(keras.Model(inputs, function(*inputs)), **options)
    return raised.value.diagnostics[0].message


def test_layers_that_nnef_cannot_express_are_refused():
    image, steps = (7, 6, 4), (4, 5)
    assert "'bicubic'" in refused(lambda x: L.Resizing(3, 3, interpolation="bicubic")(x), image)
    assert "crop_to_aspect" in refused(
        lambda x: L.Resizing(3, 3, crop_to_aspect_ratio=True)(x), image
    )
    assert "training=True" in refused(lambda x: L.Dropout(0.5)(x, training=True), steps)
    assert "1001 steps" in refused(lambda x: L.LSTM(2)(x), (1001, 2))
    assert "at random" in refused(lambda x: L.RandomFlip()(x), image)
    assert "masked steps" in refused(
        lambda x: L.Multiply()([L.Masking()(x), L.Masking()(x)]), steps
    )


def test_options_that_are_not_known_are_refused(tmp_path):
    config = json.loads(towers().to_json())
    for layer in config["config"]["layers"]:
        if layer["name"] == "tower":
            layer["config"]["sharpness"] = 2
    file = tmp_path / "model.json"
    file.write_text(json.dumps(config))
    weighted(towers()).save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(nk.DocumentError, match="'sharpness' = 2 is not known"):
        nk.from_keras(file)


def test_an_architecture_is_read_with_the_weights_beside_it(tmp_path):
    model = weighted(nested())
    file = tmp_path / "model.json"
    file.write_text(model.to_json())
    with pytest.raises(nk.InputError, match="no weights beside it"):
        nk.from_keras(file)
    model.save_weights(tmp_path / "other.weights.h5")
    graph = nk.from_keras(file, weights=tmp_path / "other.weights.h5")
    assert str(graph) == str(nk.from_keras(model, verify=False))
    model.save_weights(tmp_path / "model.weights.h5")
    assert str(nk.from_keras(file)) == str(graph)


def test_weights_that_do_not_belong_to_the_architecture_are_refused(tmp_path):
    model = weighted(towers())
    model.save_weights(tmp_path / "model.weights.h5")
    x = keras.Input((6,), name="a")
    other = keras.Model(x, L.BatchNormalization()(L.Dense(3, name="tower")(x)))
    (tmp_path / "model.json").write_text(other.to_json())
    with pytest.raises(nk.DocumentError) as raised:
        nk.from_keras(tmp_path / "model.json")
    assert "its kernel is [5, 3] for an input of [1, 6]" in raised.value.diagnostics[0].message

"""Files from anywhere: what is refused, and how."""

import io
import json
import zipfile

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

from oracles.keras_references import data  # noqa: E402

import nnefkit as nk  # noqa: E402

ARCHIVE = data("digits/digits.keras")


def members():
    with zipfile.ZipFile(io.BytesIO(ARCHIVE)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(contents, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


def whole(change=lambda file: None, **attributes):
    """Return an HDF5 file with changed attributes or members."""
    file = io.BytesIO(data("digits/digits.h5"))
    with h5py.File(file, "r+") as opened:
        for name, value in attributes.items():
            opened.attrs[name] = value
        change(opened)
    return file.getvalue()


def external(file):
    del file["model_weights/probs"]
    file["model_weights/probs"] = h5py.ExternalLink("/etc/passwd", "/x")


def soft(file):
    del file["model_weights/probs"]
    file["model_weights/probs"] = h5py.SoftLink("/model_weights/probs")


def dataset(file, **options):
    group = file["model_weights/probs"]
    name = group.attrs["weight_names"][0]
    shape = group[name].shape
    del group[name]
    group.create_dataset(name, options.pop("shape", shape), options.pop("dtype", "f4"), **options)


def virtual(file):
    group = file["model_weights/probs"]
    name = group.attrs["weight_names"][0]
    layout = h5py.VirtualLayout(group[name].shape, "f4")
    layout[...] = h5py.VirtualSource("/tmp/other.h5", "x", group[name].shape)
    del group[name]
    group.create_virtual_dataset(name, layout)


def with_strings_without_an_end():
    """Return a file whose first heap of strings has an object of a huge size."""
    content = bytearray(data("digits/digits.h5"))
    heap = content.find(b"GCOL")
    content[heap + 24 : heap + 32] = b"\xff" * 8
    return bytes(content)


DEEP = b"[" * 100_000
FILES = {
    "nothing": (b"", "not a Keras model"),
    "other bytes": (b"hello", "not a Keras model"),
    "an archive of other files": (packed({"a.txt": b"x"}), "no config.json"),
    "a cut archive": (ARCHIVE[: len(ARCHIVE) // 2], "damaged"),
    "a directory only": (b"PK\x03\x04" + b"\0" * 50, "damaged"),
    "no weights": (packed({k: v for k, v in members().items() if k[-1] != "5"}), "is missing"),
    "weights of another kind": (
        packed({k if k[-1] != "5" else "model.weights.npz": v for k, v in members().items()}),
        "which is not read",
    ),
    "damaged weights": (packed({**members(), "model.weights.h5": b"x" * 999}), "no signature"),
    "deep JSON": (packed({**members(), "config.json": DEEP}), "nested too deep"),
    "no JSON": (packed({**members(), "config.json": b"{"}), "not JSON"),
    "a number": (packed({**members(), "config.json": b"1"}), "a layer has no class"),
    "a class": (
        packed({**members(), "config.json": b'{"class_name": "Net", "config": {}}'}),
        "'Net' is not a network",
    ),
    "deep JSON in HDF5": (whole(model_config=DEEP.decode()[:60_000]), "nested too deep"),
    "no architecture": (whole(lambda file: file.attrs.pop("model_config")), "no architecture"),
    "no group of weights": (whole(lambda file: file.pop("model_weights")), "no weights"),
    "strings without an end": (with_strings_without_an_end(), "its strings at byte"),
    "an external link": (whole(external), "to elsewhere"),
    "a link in a circle": (whole(soft), "to elsewhere"),
    "external data": (
        whole(lambda file: dataset(file, external=[("/etc/passwd", 0, 1 << 30)])),
        "in other files",
    ),
    "virtual data": (whole(virtual), "in other files"),
    "a huge dataset": (
        whole(lambda file: dataset(file, shape=(1 << 40,), chunks=(1 << 20,))),
        "claims 4,398,046,511,104 bytes",
    ),
    "strings as weights": (
        whole(lambda file: dataset(file, dtype=h5py.string_dtype())),
        "elements of type",
    ),
    "weights of another shape": (
        whole(lambda file: dataset(file, shape=(3, 3), dtype="f4")),
        "its kernel is",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_right_is_refused(name, tmp_path):
    content, message = FILES[name]
    file = tmp_path / "model.keras"
    file.write_bytes(content)
    with pytest.raises(nk.NnefError) as raised:
        nk.from_keras(file, verify=False)
    assert message in str(raised.value), raised.value


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path, monkeypatch):
    module = "nnefkit.exchange.keras.opened_model"
    monkeypatch.setattr(f"{module}.unpacked_limit", lambda size: 8 * size)
    file = tmp_path / "model.keras"
    content = {**members(), "model.weights.h5": bytes(1 << 20)}
    file.write_bytes(packed(content, zipfile.ZIP_DEFLATED))
    with pytest.raises(nk.StorageError, match="far larger than the archive"):
        nk.from_keras(file)


def test_missing_files_and_other_objects_are_refused(tmp_path):
    with pytest.raises(nk.StorageError):
        nk.from_keras(tmp_path / "none.keras")
    for other in (3, None, b"bytes", object(), [1]):
        with pytest.raises(nk.InputError, match="must be a path or a model of Keras 3"):
            nk.from_keras(other)


def config_of(*layers, inputs=("x", 0, 0), outputs=("y", 0, 0)):
    return {
        "class_name": "Functional",
        "config": {
            "name": "net",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "name": "x",
                    "config": {"batch_shape": [1, 3], "dtype": "float32"},
                    "inbound_nodes": [],
                },
                *layers,
            ],
            "input_layers": [[*inputs]],
            "output_layers": [[*outputs]],
        },
    }


def call(name, kind, *given, **options):
    tensors = [
        {"class_name": "__keras_tensor__", "config": {"keras_history": [*each]}} for each in given
    ]
    return {
        "class_name": kind,
        "module": "keras.layers",
        "name": name,
        "config": {"name": name, "trainable": True, **options},
        "inbound_nodes": [{"args": tensors, "kwargs": {}}],
    }


CONFIGS = {
    "a circle": (
        config_of(call("y", "ReLU", ("z", 0, 0)), call("z", "ReLU", ("y", 0, 0))),
        "depends on itself",
    ),
    "a missing layer": (config_of(call("y", "ReLU", ("w", 0, 0))), "does not exist"),
    "a missing call": (config_of(call("y", "ReLU", ("x", 3, 0))), "does not exist"),
    "a missing output": (config_of(call("z", "ReLU", ("x", 0, 0))), "does not exist"),
    "two layers of one name": (
        config_of(call("y", "ReLU", ("x", 0, 0)), call("y", "ReLU", ("x", 0, 0))),
        "two layers",
    ),
    "no inputs": (config_of(call("y", "ReLU"), inputs=("w", 0, 0)), "no input 'w'"),
    "padding without an end": (
        config_of(call("y", "ZeroPadding1D", ("x", 0, 0), padding=10**12)),
        "is 1000000000000",
    ),
    "a huge shape": (
        config_of(call("y", "RepeatVector", ("x", 0, 0), n=2**40)),
        "its option 'n'",
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_an_architecture_that_is_not_right_is_refused(name, tmp_path):
    config, message = CONFIGS[name]
    file = tmp_path / "model.keras"
    file.write_bytes(packed({**members(), "config.json": json.dumps(config).encode()}))
    with pytest.raises(nk.NnefError) as raised:
        nk.from_keras(file, verify=False)
    assert message in str(raised.value), raised.value


def test_networks_that_call_each_other_many_times_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("nnefkit.exchange.keras.nodes.MAX_CALLS", 200)
    inner = config_of(call("y", "ReLU", ("x", 0, 0)))
    for level in range(6):
        calls = []
        for number in range(12):
            before = "n" if number else "x"
            history = {"keras_history": [before, max(number - 1, 0), 0]}
            tensor = {"class_name": "__keras_tensor__", "config": history}
            calls.append({"args": [tensor], "kwargs": {}})
        layer = {**inner, "module": "keras.models", "name": "n", "inbound_nodes": calls}
        inner = config_of(layer, outputs=("n", 12, 0))
        inner["config"]["name"] = f"net{level}"
    file = tmp_path / "model.keras"
    file.write_bytes(packed({**members(), "config.json": json.dumps(inner).encode()}))
    with pytest.raises(nk.DocumentError, match="too many layers"):
        nk.from_keras(file, verify=False)


def test_the_code_of_a_lambda_is_never_run(tmp_path):
    code = {"class_name": "__lambda__", "config": {"value": "4wEAAAA=\n"}}
    config = config_of(call("y", "Lambda", ("x", 0, 0), function=code))
    file = tmp_path / "model.keras"
    file.write_bytes(packed({**members(), "config.json": json.dumps(config).encode()}))
    with pytest.raises(nk.DocumentError, match="Python code, which is not run"):
        nk.from_keras(file)


def test_weights_of_half_precision_are_numbers(tmp_path):
    def halved(file):
        group = file["model_weights/probs"]
        for name in group.attrs["weight_names"]:
            elements = group[name][()].astype(np.float16)
            del group[name]
            group[name] = elements

    file = tmp_path / "model.h5"
    file.write_bytes(whole(halved))
    graph = nk.from_keras(file, verify=False)
    assert graph.tensors["probs"].dtype == "scalar"
    assert all(t.data.dtype == np.float32 for t in graph.tensors.values() if t.data is not None)

"""Files of exported programs: whatever a file contains, reading it runs no code."""

import contextlib
import io
import json
import pickle
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

import nnefkit as nk


class Bomb:
    """An object that leaves a file behind when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self):
        return Path.touch, (self.witness,)


class Small(torch.nn.Module):
    """A module with a parameter and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)
        self.register_buffer("shift", torch.ones(2))

    def forward(self, x, options):
        return self.linear(x) + self.shift * options["scale"]


EXAMPLE = (torch.ones(2, 3), {"scale": torch.ones(1)})


@pytest.fixture
def program(tmp_path):
    """The path of a saved program, and the file that a successful attack creates."""
    path = tmp_path / "program.pt2"
    batch = torch.export.Dim("batch", min=2, max=64)
    shapes = {
        "x": {0: batch, 1: torch.export.Dim.STATIC},
        "options": {"scale": {0: torch.export.Dim.STATIC}},
    }
    torch.export.save(torch.export.export(Small().eval(), EXAMPLE, dynamic_shapes=shapes), path)
    return path, tmp_path / "witness"


def rewritten(path, change, added=None):
    """Rewrite the members of an archive; `change` maps a name and bytes to bytes."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, change(name, data))
        for name, data in (added or {}).items():
            if name not in members:
                archive.writestr(name, data)


def described(path, change):
    """Rewrite the description of the program; `change` changes it in place."""

    def changed(name, data):
        if not name.endswith("models/model.json"):
            return data
        content = json.loads(data)
        change(content)
        return json.dumps(content).encode()

    rewritten(path, changed)


def refused(path, words):
    with pytest.raises(nk.StorageError, match=words) as caught:
        nk.from_torch(path)
    assert caught.value.diagnostics[0].hint
    with pytest.raises(nk.StorageError):
        nk.trace_torch(path)


def test_a_program_of_tensors_is_read_without_trust(program):
    path, _ = program
    graph = nk.from_torch(path)
    inputs = {"x": np.ones((2, 3), np.float32), "options_scale": np.ones(1, np.float32)}
    inputs = dict(zip(graph.inputs, inputs.values(), strict=True))
    wanted = torch.export.load(path).module()(*EXAMPLE).detach().numpy()
    np.testing.assert_allclose(nk.run(graph, inputs)[graph.outputs[0]], wanted, rtol=1e-6)
    assert nk.from_torch(path, trust=True).outputs == graph.outputs


def test_attacks_work_where_the_file_is_trusted(program):
    path, witness = program
    described(path, lambda c: c["guards_code"].append(f"{_code(witness)} or True"))
    with contextlib.suppress(nk.NnefError):
        nk.from_torch(path, trust=True)
    assert witness.exists()


@pytest.mark.parametrize("record", ["sample_inputs", "legacy weights", "legacy constants"])
def test_pickles_that_are_more_than_tensors_are_refused(program, record):
    path, witness = program
    stream = io.BytesIO()
    torch.save({"linear.weight": Bomb(witness)}, stream)
    bomb = stream.getvalue()
    if record == "sample_inputs":
        rewritten(path, lambda name, data: bomb if "sample_inputs" in name else data)
    else:
        kind = record.split()[1]
        rewritten(path, lambda _, data: data, {f"program/data/{kind}/model.pt": bomb})
    refused(path, "could run code")
    assert not witness.exists()


@pytest.mark.parametrize("kind", ["weights", "constants"])
def test_pickled_payloads_are_read_as_tensors_only(program, kind):
    path, witness = program
    stream = io.BytesIO()
    torch.save(Bomb(witness), stream)
    prefix = {"weights": "weight_0", "constants": "tensor_0"}[kind]

    def change(name, data):
        if name.endswith(f"{kind}_config.json"):
            payload = {"path_name": prefix, "is_param": False, "use_pickle": True}
            payload["tensor_meta"] = None
            return json.dumps({"config": {"shift": payload}}).encode()
        return stream.getvalue() if name.endswith(f"{kind}/{prefix}") else data

    rewritten(path, change, {f"program/data/{kind}/{prefix}": stream.getvalue()})
    refused(path, "could run code")
    assert not witness.exists()


@pytest.mark.parametrize("prefix", ["opaque_obj_0", "custom_obj_0"])
def test_pickled_objects_are_refused(program, prefix):
    path, witness = program
    payload = {"path_name": prefix, "is_param": False, "use_pickle": True, "tensor_meta": None}
    config = json.dumps({"config": {"object": payload}}).encode()
    rewritten(
        path,
        lambda name, data: config if name.endswith("constants_config.json") else data,
        {f"program/data/constants/{prefix}": pickle.dumps(Bomb(witness))},
    )
    refused(path, "pickled object")
    assert not witness.exists()


def test_compiled_code_is_refused(program):
    path, _ = program
    rewritten(path, lambda _, data: data, {"program/data/aotinductor/model/a.so": b"\x7fELF"})
    refused(path, "compiled code")


def _code(witness):
    return f"__import__('pathlib').Path({str(witness)!r}).touch()"


def test_names_that_are_code_are_refused(program):
    path, witness = program
    code = _code(witness)

    def change(content):
        graph = content["graph_module"]["graph"]
        text = json.dumps(content).replace('"p_linear_bias"', json.dumps(f"p_linear_bias={code}"))
        content.clear()
        content.update(json.loads(text))
        assert graph

    described(path, change)
    refused(path, "could run code")
    assert not witness.exists()


def test_guards_and_sizes_that_are_code_are_refused(program):
    path, witness = program
    code = _code(witness)
    original = path.read_bytes()
    described(path, lambda content: content["guards_code"].append(f"{code} or True"))
    refused(path, "guards_code")
    path.write_bytes(original)

    def change(content):
        text = json.dumps(content)
        assert '"expr_str": "' in text
        symbol = text.partition('"expr_str": "')[2].partition('"')[0]
        found = text.replace(f'"expr_str": "{symbol}"', f'"expr_str": {json.dumps(code)}')
        content.clear()
        content.update(json.loads(found))

    described(path, change)
    refused(path, "expr_str")
    path.write_bytes(original)
    described(path, lambda content: content["guards_code"].append("9 ** 9 ** 9 ** 9 > 1"))
    refused(path, "guards_code")
    assert not witness.exists()


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.save.default",
        "torch.os.system",
        "torch.hub.load",
        "torch.ops.mine.anything.default",
        "torch.ops.higher_order.triton_kernel_wrapper_mutation",
    ],
)
def test_operators_that_do_more_than_compute_are_refused(program, target):
    path, _ = program
    described(path, lambda c: c["graph_module"]["graph"]["nodes"][0].update(target=target))
    refused(path, "target")


def test_structures_that_import_modules_are_refused(program):
    path, _ = program
    spec = {
        "default_factory_module": "antigravity",
        "default_factory_name": "x",
        "dict_context": [],
    }

    def change(content):
        signature = content["graph_module"]["module_call_graph"][0]["signature"]
        tree = json.loads(signature["in_spec"])
        tree[1]["children_spec"][0]["type"] = "collections.defaultdict"
        tree[1]["children_spec"][0]["context"] = json.dumps(spec)
        signature["in_spec"] = json.dumps(tree)

    described(path, change)
    refused(path, "in_spec")


def test_inputs_in_plain_containers_are_read(tmp_path):
    class Plain(torch.nn.Module):
        def forward(self, x, y):
            return x["a"] + y[0]

    inputs = defaultdict(int, a=torch.ones(2, 3))
    program = torch.export.export(Plain(), (dict(inputs), [torch.ones(2, 3)]))
    torch.export.save(program, tmp_path / "plain.pt2")
    assert nk.from_torch(tmp_path / "plain.pt2").provenance["verified"]


def test_a_program_that_unpacks_to_too_much_is_refused(program):
    path, _ = program
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("program/data/weights/zeros", bytes(300 << 20))
    refused(path, "unpacks to")


@pytest.mark.parametrize("content", [b"[" * 100_000, b"{}", b"null", b"\xff\xfe", b'{"a": 1e999}'])
def test_invalid_descriptions_are_refused(program, content):
    path, _ = program
    rewritten(path, lambda name, data: content if name.endswith("model.json") else data)
    with pytest.raises(nk.NnefError):
        nk.from_torch(path)

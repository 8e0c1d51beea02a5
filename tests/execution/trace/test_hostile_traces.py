"""Recorded traces of any content are read, or refused with a `StorageError`."""

import io
import json
import zipfile

import numpy as np
import pytest

import nnefkit as nk

GRAPH = nk.parse(
    "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [1, 4]); y = relu(x); }"
)
INPUT = np.float32([[-1, 2, 3, 4]])
VALUES = [
    *(None, [], {}, "x", -1, 1e999, float("nan"), True, [None], [[1, 2, 3]], 10**30, "\ud800"),
    {"a": None},
]


def stopped_trace():
    """A trace of a run that failed."""

    def kernel(x):
        raise ValueError("no more")

    stop = "fragment stop(x: tensor<scalar>) -> (y: tensor<scalar>);"
    operations = nk.CustomOperations()
    operations.register(stop, shape=lambda x: x, kernel=kernel)
    graph = nk.parse(
        f"version 1.0; extension KHR_enable_fragment_definitions; {stop} graph g(x) -> (y) {{"
        " x = external<scalar>(shape = [1, 4]); t = relu(x); y = stop(t); }",
        custom_operations=operations,
    )
    with pytest.raises(nk.ExecutionError) as caught:
        nk.trace(graph, INPUT, custom_operations=operations)
    return caught.value.trace


@pytest.fixture(scope="module", params=["all", "statistics", "stopped"])
def members(request, tmp_path_factory):
    """The members of a trace."""
    path = tmp_path_factory.mktemp("trace") / "trace.npz"
    is_stopped = request.param == "stopped"
    trace = stopped_trace() if is_stopped else nk.trace(GRAPH, INPUT, keep=request.param)
    trace.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def use(path):
    """Load a trace and show everything of it."""
    trace = nk.Trace.load(path)
    assert repr(trace)
    assert trace._repr_html_()
    trace.to_frame()
    for name in trace:
        assert trace.tensor(name)._repr_html_()
    assert len({name: trace.statistics[name] for name in trace.statistics}) <= 2
    trace.save(path.with_name("again.npz"))
    nk.compare(trace, trace)
    nk.compare(path, path)
    nk.Trace.load(path, GRAPH)


def refused_or_used(path):
    try:
        use(path)
    except nk.NnefError:
        return "refused"
    return "used"


def places(content, place=()):
    yield place
    parts = content.items() if isinstance(content, dict) else ()
    parts = enumerate(content) if isinstance(content, list) else parts
    for key, part in parts:
        yield from places(part, (*place, key))


def changed(content, place, value):
    if not place:
        return value
    content = content.copy()
    content[place[0]] = changed(content[place[0]], place[1:], value)
    return content


def test_fields_of_any_type_are_read_or_refused(members, tmp_path):
    content = json.loads(members["trace.json"])
    outcomes = []
    for place in places(content):
        for value in VALUES:
            text = json.dumps(changed(content, place, value))
            path = packed(tmp_path / "t.npz", {**members, "trace.json": text})
            outcomes.append(refused_or_used(path))
    assert outcomes.count("refused") > 300


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"nnefkit-trace": 1, "run": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"nnefkit-trace": ' + "1" * 5000 + "}",
        b"\xff\xfe\0",
        "",
        "null",
        "[]",
        '{"nnefkit-trace": 2}',
        '{"nnefkit-trace": 1}',
    ],
    ids=range(9),
)
def test_invalid_texts_are_refused(members, tmp_path, text):
    with pytest.raises(nk.StorageError) as caught:
        nk.Trace.load(packed(tmp_path / "t.npz", {**members, "trace.json": text}))
    assert caught.value.diagnostics[0].file == str(tmp_path / "t.npz")
    assert caught.value.diagnostics[0].hint


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"stopped": "It ended."}, None),
        ({"stopped": "It ended.", "computed": None}, None),
        ({"stopped": "It ended.", "computed": "x"}, None),
        ({"stopped": "It ended.", "computed": {"x": 1}}, None),
        ({"stopped": "It ended.", "computed": [1]}, None),
        ({"stopped": "It ended.", "computed": ["\ud800"]}, None),
        ({"stopped": ["It ended."], "computed": []}, None),
        ({"stopped": None, "computed": []}, None),
        ({"stopped": "It ended.", "computed": []}, "0 of 2 tensors were computed."),
        ({"stopped": "It ended.", "computed": ["x", "x"]}, "1 of 2 tensors were computed."),
        ({"stopped": "It ended.", "computed": ["x", "unknown"]}, "1 of 2 tensors were computed."),
        ({"stopped": "<b>\u202e\x1b[31m`" * 2000, "computed": ["x"]}, "1 of 2 tensors"),
        ({"stopped": "", "computed": 3}, ""),
        ({"computed": 3}, ""),
    ],
)
def test_a_run_that_stopped_is_described_or_refused(tmp_path, fields, shown):
    nk.trace(GRAPH, INPUT).save(tmp_path / "t.npz")
    with zipfile.ZipFile(tmp_path / "t.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = json.loads(members["trace.json"])
    content["run"] |= fields
    path = packed(tmp_path / "t.npz", {**members, "trace.json": json.dumps(content)})
    if shown is None:
        with pytest.raises(nk.StorageError):
            nk.Trace.load(path)
        return
    use(path)
    text, page = (f(nk.Trace.load(path)) for f in (repr, nk.Trace._repr_html_))
    assert shown in text
    assert shown in page
    assert "computed" not in text or shown
    assert len(text) < 10_000
    assert not {"\u202e", "\x1b"} & {*text, *page}
    assert "<b>" not in page


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_bytes_are_read_or_refused(members, tmp_path, compression):
    whole = packed(tmp_path / "t.npz", members, compression).read_bytes()
    for position in range(0, len(whole), 13):
        for mask in (1, 0x80, 0xFF):
            damaged = bytearray(whole)
            damaged[position] ^= mask
            (tmp_path / "t.npz").write_bytes(damaged)
            refused_or_used(tmp_path / "t.npz")
    for length in range(0, len(whole), 17):
        (tmp_path / "t.npz").write_bytes(whole[:length])
        with pytest.raises(nk.StorageError):
            nk.Trace.load(tmp_path / "t.npz")


@pytest.mark.parametrize(("local", "central", "value"), [(6, 8, 1), (8, 10, 99)])
def test_encrypted_members_and_unknown_methods_are_refused(
    members, tmp_path, local, central, value
):
    content = bytearray(packed(tmp_path / "t.npz", members).read_bytes())
    for magic, offset in ((b"PK\3\4", local), (b"PK\1\2", central)):
        place = content.find(magic)
        while place >= 0:
            content[place + offset] = value
            place = content.find(magic, place + 4)
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(nk.StorageError):
        nk.Trace.load(tmp_path / "t.npz")
    with pytest.raises(nk.NnefError):
        nk.compare(tmp_path / "t.npz", tmp_path / "t.npz")


def npy(array=None, **header):
    stream = io.BytesIO()
    if array is None:
        np.lib.format.write_array_header_1_0(stream, {"fortran_order": False, **header})
    else:
        np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        npy(descr="<f4", shape=(10**6, 10**6)),
        npy(descr="<f4", shape=(1 << 62, 1 << 62)),
        npy(descr="<f4", shape=(1 << 28,)),
        npy(np.array(["a", "b"])),
        npy(np.ones(3, np.complex64)),
        npy(np.zeros(3, [("a", "f4")])),
        npy(np.array([object()], object)),
        npy(np.ones(3))[:-1],
        b"",
        b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
    ],
    ids=range(10),
)
def test_invalid_arrays_are_refused_before_memory_is_allocated(members, tmp_path, content):
    path = packed(tmp_path / "t.npz", {**members, "x.npy": content})
    with pytest.raises(nk.StorageError):
        nk.Trace.load(path)
    (tmp_path / "x.npy").write_bytes(content)
    for name in ("t.npz", "x.npy"):
        with pytest.raises(nk.NnefError):
            nk.compare(tmp_path / name, {"x": np.ones(3)})


def test_a_bomb_is_refused(members, tmp_path):
    bomb = {**members, "trace.json": b" " * (300 << 20)}
    with pytest.raises(nk.StorageError):
        nk.Trace.load(packed(tmp_path / "t.npz", bomb, zipfile.ZIP_DEFLATED))

"""Each operator of PyTorch that is read, against PyTorch."""

import nnef
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.torch_operators import REFUSED, THEMES, Of, module_of
from oracles.torch_operators.drawn import x
from torch.nn import functional

import nnefkit as nk
from nnefkit.exchange.torch import nodes as reading
from nnefkit.exchange.torch.exported_program import READERS

CLOSE = 2e-5
MODULES = {
    "elementwise": ("elementwise", "logic"),
    "activations": ("activation",),
    "convolutions": ("convolution",),
    "pooling": ("pooling",),
    "normalizations": ("normalization",),
    "linear_algebra": ("linear_algebra",),
    "reductions": ("reduction",),
    "shaping": ("shaping",),
    "indexing": ("indexing", "scattering", "assignment", "embedding_bag"),
    "resampling": ("resampling",),
    "spectra": ("spectral",),
    "recurrent": ("recurrent",),
}


class Watched(dict):
    """The readers, and which of them were asked for."""

    def __init__(self, readers):
        super().__init__(readers)
        self.used = set()

    def __getitem__(self, name):
        self.used.add(name)
        return super().__getitem__(name)


def problem(function, inputs):
    """What is wrong with the graph of a function; None if nothing is."""
    try:
        graph = nk.from_torch(module_of(function), inputs, tolerance=CLOSE)
        text = str(graph)
        assert str(nk.parse(text).name) == graph.name
        nnef.parse_string(text)
    except (nk.NnefError, nnef.Error, AssertionError) as error:
        return error
    return None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:torch")  # of what is deprecated, and of oneDNN
@pytest.mark.filterwarnings("ignore:.*(deprecated|in beta|oneDNN|window was not provided)")
@pytest.mark.parametrize("theme", THEMES)
def test_operators_are_read_right(theme, monkeypatch):
    watched = Watched(READERS)
    monkeypatch.setattr(reading, "READERS", watched)
    problems = {name: problem(*case) for name, case in THEMES[theme].items()}
    wrong = {name: found for name, found in problems.items() if found is not None}
    assert not wrong, "\n".join(f"{name}: {found}" for name, found in wrong.items())
    for function, inputs, message in REFUSED.get(theme, {}).values():
        with pytest.raises((nk.DocumentError, nk.InputError), match=f"(?s){message}"):
            nk.from_torch(module_of(function), inputs)
    here = {
        name
        for name, function in READERS.items()
        if function.__module__.rpartition(".")[2] in MODULES[theme]
    }
    never = sorted(here - watched.used)
    assert not never, f"never asked for: {never}"


def test_every_reader_belongs_to_a_theme():
    modules = {name for names in MODULES.values() for name in names}
    assert {function.__module__.rpartition(".")[2] for function in READERS.values()} == modules


def test_a_wrong_reader_is_detected(monkeypatch):
    monkeypatch.setitem(READERS, "sigmoid", lambda c, x: c.op("tanh", x))
    assert isinstance(problem(torch.sigmoid, (x(3),)), nk.ExecutionError)


INFINITE = [0.0, -0.0, 1.0, -1.0, float("inf"), -float("inf"), 3e38, -3e38]


def check_items(function, items):
    given = torch.tensor(items)
    graph = nk.from_torch(Of(function), given, verify=False)
    found = nk.run(graph, given.numpy())[graph.outputs[0]]
    np.testing.assert_allclose(found, function(given).numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        torch.abs, torch.neg, torch.sign, torch.floor, torch.ceil, torch.round, torch.trunc,
        torch.relu, torch.isnan, torch.isinf, torch.isfinite, torch.nan_to_num, torch.exp,
        torch.sigmoid, torch.tanh, functional.softplus, functional.elu, functional.leaky_relu,
        functional.relu6, functional.hardsigmoid, functional.softsign,
        lambda a: a.clamp(-1, 1), lambda a: a > 0, lambda a: a == a, lambda a: a.amax(),
        lambda a: torch.where(a > 0, a, 2.0), lambda a: torch.maximum(a, torch.zeros(())),
        lambda a: a.log_softmax(0), lambda a: a * 0, lambda a: torch.atan2(a, a.flip(0)),
    ],
)  # fmt: skip
def test_infinities_are_the_same_as_in_pytorch(function):
    check_items(function, INFINITE)


@pytest.mark.parametrize(
    "function",
    [
        torch.abs, torch.neg, torch.floor, torch.isnan, torch.isinf, torch.nan_to_num, torch.exp,
        torch.sigmoid, torch.tanh, lambda a: a > 0, lambda a: a == a, lambda a: a != a,
        lambda a: a + 1, lambda a: torch.where(a > 0, a, 2.0), lambda a: a.sum(),
    ],
)  # fmt: skip
def test_nan_is_the_same_as_in_pytorch(function):
    check_items(function, [1.0, float("nan")])


# -- drawn arguments -------------------------------------------------------------------------------

drawn = settings(max_examples=15, deadline=None)
extents = st.integers(1, 5)


def holds(function, *inputs):
    found = problem(function, inputs)
    assert found is None, found


@drawn
@given(st.data())
def test_convolutions_of_any_arguments(data):
    spatial = data.draw(st.integers(1, 3))
    groups = data.draw(st.integers(1, 3))
    transposed = data.draw(st.booleans())
    stride, dilation, kernel, padding = (
        [data.draw(st.integers(low, 3)) for _ in range(spatial)] for low in (1, 1, 1, 0)
    )
    per = data.draw(st.integers(1, 2))
    bias = x(groups * per) if data.draw(st.booleans()) else None
    size = [data.draw(st.integers(7, 9)) for _ in range(spatial)]
    image = x(2, groups * 2, *size)
    args = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if transposed:
        args["output_padding"] = [
            data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
        ]
        weight = x(groups * 2, per, *kernel)
        call = getattr(functional, f"conv_transpose{spatial}d")
    else:
        weight = x(groups * per, 2, *kernel)
        call = getattr(functional, f"conv{spatial}d")
    holds(lambda a: call(a, weight, bias, **args), image)


@drawn
@given(st.data())
def test_pools_of_any_arguments(data):
    spatial = data.draw(st.integers(1, 3))
    kernel = [data.draw(st.integers(1, 3)) for _ in range(spatial)]
    stride = [data.draw(st.integers(1, 3)) for _ in range(spatial)]
    padding = [data.draw(st.integers(0, k // 2)) for k in kernel]
    image = x(2, 2, *(data.draw(st.integers(7, 9)) for _ in range(spatial))) - 3
    args = {"stride": stride, "padding": padding, "ceil_mode": data.draw(st.booleans())}
    if data.draw(st.booleans()):
        args["dilation"] = [data.draw(st.integers(1, 3)) for _ in range(spatial)]
        call = getattr(functional, f"max_pool{spatial}d")
    else:
        args["count_include_pad"] = data.draw(st.booleans())
        call = getattr(functional, f"avg_pool{spatial}d")
    holds(lambda a: call(a, kernel, **args), image)


@drawn
@given(st.data())
def test_interpolation_to_any_size(data):
    old = data.draw(st.lists(st.integers(2, 6), min_size=2, max_size=2))
    mode = data.draw(st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic"]))
    args = {"mode": mode}
    if mode.startswith("bi"):
        args["align_corners"] = data.draw(st.booleans())
    if data.draw(st.booleans()):
        args["size"] = data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=2))
    else:
        factor = st.sampled_from([0.5, 0.6, 1.0, 1.5, 1.7, 2.0, 2.3, 3.0])
        args["scale_factor"] = data.draw(st.lists(factor, min_size=2, max_size=2))
    holds(lambda a: functional.interpolate(a, **args), x(1, 2, *old))


@drawn
@given(st.data())
def test_slices_and_indices_of_any_kind(data):
    shape = data.draw(st.lists(extents, min_size=1, max_size=4))
    key = []
    for extent in shape[: data.draw(st.integers(1, len(shape)))]:
        kind = data.draw(st.sampled_from(["slice", "integer", "new", "places"]))
        if kind == "slice":
            begin = data.draw(st.integers(-extent, extent - 1))
            key.append(slice(begin, None, data.draw(st.integers(1, 2))))
        elif kind == "integer":
            key.append(data.draw(st.integers(-extent, extent - 1)))
        elif kind == "new":
            key += [None, slice(None)]
        elif not any(isinstance(k, torch.Tensor) for k in key):
            key.append(
                torch.tensor(data.draw(st.lists(st.integers(-extent, extent - 1), min_size=1)))
            )
    holds(lambda a: a[tuple(key)] + 0, x(*shape))


@drawn
@given(st.data())
def test_shapes_of_any_kind(data):
    shape = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    order = data.draw(st.permutations(range(len(shape))))
    factors = data.draw(st.permutations([*shape, 1]))
    holds(lambda a: a.permute(order).reshape(factors).flatten(1) + 1, x(*shape))


@drawn
@given(st.data())
def test_operands_of_any_ranks(data):
    full = data.draw(st.lists(extents, min_size=1, max_size=6))

    def part():
        rank = data.draw(st.integers(0, len(full)))
        return [e if data.draw(st.booleans()) else 1 for e in full[len(full) - rank :]]

    shapes = [part(), part(), part()]
    a, b, c = (x(*shape, seed=i) for i, shape in enumerate(shapes))
    holds(lambda a, b, c: torch.where(a > b, a * c, torch.maximum(b, c) - a), a, b, c)


@drawn
@given(st.data())
def test_products_of_any_ranks(data):
    batch = data.draw(st.lists(extents, max_size=3))
    m, k, n = (data.draw(extents) for _ in range(3))
    cut = data.draw(st.integers(0, len(batch)))
    a = x(*batch, m, k) if data.draw(st.booleans()) else x(k)
    b = x(*batch[cut:], k, n, seed=1) if data.draw(st.booleans()) else x(k, seed=1)
    holds(torch.matmul, a, b)


@drawn
@given(st.data())
def test_reductions_of_any_axes(data):
    shape = data.draw(st.lists(extents, min_size=1, max_size=5))
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True))
    name = data.draw(st.sampled_from(["sum", "mean", "amax", "amin", "logsumexp"]))
    keep = data.draw(st.booleans())
    holds(lambda a: getattr(torch, name)(a, axes, keepdim=keep), x(*shape))

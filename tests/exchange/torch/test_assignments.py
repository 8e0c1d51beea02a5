"""Elements assigned through masks and at indices, against PyTorch."""

import numpy as np
import pytest
import torch
from oracles.torch_operators import module_of
from oracles.torch_operators.drawn import coins, whole, x
from torch import nn

import nnefkit as nk

ROW = torch.tensor([True, False, True])
EVEN = torch.tensor([0, 2])


def put(index, value):
    """Return a function that assigns to some elements of a copy of its first argument."""

    def function(a, *others):
        result = a.clone()
        chosen = index(a, *others) if callable(index) else index
        result[chosen] = value(a, *others) if callable(value) else value
        return result

    return function


def added(a, i, v):
    return a.index_put((i,), v, accumulate=True)


def third(a, i, v):
    return v


def variant(tensor, number):
    """Return other elements of the same kind: also all of one sign, all true, all false."""
    generator = torch.Generator().manual_seed(number)
    if tensor.dtype == torch.bool:
        return torch.rand(tensor.shape, generator=generator) > (0.5, 0, 1)[number]
    if tensor.dtype.is_floating_point:
        drawn = torch.randn(tensor.shape, generator=generator)
        return (drawn, drawn.abs(), -drawn.abs())[number]
    low, high = int(tensor.min()), int(tensor.max())
    return torch.randint(low, high + 1, tensor.shape, generator=generator)


def check(function, inputs, engine="numpy"):
    """Check that a graph of a function computes what PyTorch computes, for several inputs."""
    before = [tensor.clone() for tensor in inputs]
    graph = nk.from_torch(module_of(function), tuple(inputs))
    for given, old in zip(inputs, before, strict=True):
        assert torch.equal(given, old), "the example was changed"
    assert len(graph.inputs) == len(inputs)
    session = nk.Session(graph, engine)
    for number in range(3):
        drawn = [variant(tensor, number) for tensor in inputs]
        arrays = [tensor.clone().numpy() for tensor in drawn]
        found = session.run(dict(zip(graph.inputs, arrays, strict=True)))[graph.outputs[0]]
        expected = function(*drawn).numpy()
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


# -- masks -----------------------------------------------------------------------------------------


def through_views(a):
    result = a.clone()
    view = result[1:].transpose(0, 1)[::2]
    view[view > 0] = 9.0
    view[..., 0][:1] = -1
    result.view(-1)[3:5] *= 2
    return result


def triangles(a):
    result = a.clone()
    result[0].triu_()
    result[1].tril_(-1)
    result.diagonal(0, 1, 2).add_(1)
    return result


def steps(a):
    result = torch.zeros_like(a)
    result[:, 0] = a[:, 1]
    result[1] = result[0] + 1
    result[result == 0] = -1
    result[EVEN] = result[EVEN.flip(0)]
    return result


MASKS = {
    "one number": (put(lambda a: a < 0, 0), x(3, 4)),
    "a computed number": (put(lambda a: a < 0, lambda a: a.sum()), x(3, 4)),
    "infinity": (put(lambda a: a > 0, float("-inf")), x(3, 4)),
    "NaN": (put(lambda a: a > 0, float("nan")), x(3, 4)),
    "integers": (put(lambda a: a > 0, 2**40), whole(3, 4)),
    "logicals": (put(lambda a, m: m, False), coins(3, 4), coins(3, 4, seed=2)),
    "a mask and an integer": (put(lambda a: (a[:, 0, 0] > 0, 1), 2.0), x(4, 3, 2)),
    "a mask between slices": (put(lambda a: (slice(None), a[0, :, 0] > 0, slice(1, 3)), 2.0),
                              x(4, 3, 5)),
    "a mask after dots": (put(lambda a: (..., a[0, 0] > 0), 2.0), x(4, 3, 5)),
    "a mask of a new axis": (put(lambda a: (None, a > 0), 2.0), x(4, 3)),
    "rows": (put(lambda a: a[..., 0] > 0, lambda a: a[0, 0]), x(4, 3, 5)),
    "rows that broadcast": (put(lambda a: a[:, 0] > 0, lambda a: a[:1]), x(4, 3)),
    "a sum": (lambda a: a.index_put((a > 0,), torch.tensor(2.0), accumulate=True), x(3, 4)),
    "known rows": (put(ROW, lambda a: a[:2] * 2), x(3, 4)),
    "a known mask and a slice": (put((slice(0, 2), ROW), lambda a: a[:2, :2] * 2), x(3, 3)),
    "a known mask and an integer": (put((ROW, 1), lambda a: a[:2, 0]), x(3, 4)),
    "a known mask and indices": (put((ROW, torch.tensor([1, -1])), lambda a: a[0, :2]), x(3, 4)),
    "a known mask of bytes": (put(ROW.to(torch.uint8), lambda a: a[:2] * 2), x(3, 4)),
    "a known mask of no axes": (put(torch.tensor(True), lambda a: a[0]), x(3, 4)),
    "a known mask, all true": (put(ROW | True, lambda a: a * 2), x(3, 4)),
    "a known mask, all false": (put(ROW & False, 5.0), x(3, 4)),
    "nothing into a known mask": (put(ROW & False, lambda a: a[:0]), x(3, 4)),
    "views of views": (through_views, x(3, 4, 5)),
    "triangles": (triangles, x(2, 4, 4)),
    "several steps": (steps, x(3, 4)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*uint8")
@pytest.mark.parametrize("name", MASKS)
def test_assignments_through_masks_are_those_of_pytorch(name):
    function, *inputs = MASKS[name]
    check(function, inputs)


def test_a_mask_becomes_a_select():
    graph = nk.from_torch(module_of(put(lambda a: a < 0, 0)), x(3, 4))
    assert [operation.name for operation in graph.operations] == ["external", "lt", "select"]


def test_a_number_at_known_places_needs_a_mask_of_the_indexed_axis_only():
    graph = nk.from_torch(module_of(put((slice(None), EVEN), 0.0)), x(2, 5, 7))
    assert [operation.name for operation in graph.operations][-1] == "select"
    stored = [tensor.data.size for tensor in graph.tensors.values() if tensor.data is not None]
    assert stored == [5]


@pytest.mark.parametrize("function", [put(lambda a: a < 0, 0), lambda a: a.view(-1).mul_(2)])
def test_the_callers_input_is_not_changed(function):
    def changing(a):
        a[a < 0] = 0
        return function(a)

    given = x(3, 4)
    before = given.clone()
    with pytest.raises(nk.DocumentError, match="changes its input 'inputs_0' in place"):
        nk.from_torch(module_of(changing), given)
    assert torch.equal(given, before)


# -- selections that are assigned through the same mask --------------------------------------------

LAYER = nn.Linear(4, 4).requires_grad_(False)


def experts(a):
    result, chosen = torch.zeros_like(a), a.sum(-1) > 0
    result[chosen] = torch.relu(LAYER(a[chosen]))
    others = ~chosen
    result[others] = a[others] * a[0] + 1
    return result


def own_mask(a):
    result = a.clone()
    result[result < 0] *= 0.1
    result[result > 1] = result[result > 1] * -2
    result[result < -1] = result[result < -1] + 1
    return result


def before_a_write(a):
    result, mask = a.clone(), a > 0
    part = result[mask]
    result.mul_(3)
    result[mask] = part + 1
    return result


def changed_part(a):
    result, other, mask = a.clone(), a.clone(), a > 0
    part = a[mask]
    part += 1
    result[mask] = part
    other[mask] = part * 2
    return result - other


def logarithm(a):
    result, mask = torch.full_like(a, float("-inf")), a > 0
    result[mask] = torch.log(a[mask])
    return result


def columns(a):
    result, mask = a.clone(), a[0, :, 0] > 0
    result[:, mask] = (a[:, mask] * a[0, 0]).double().float()
    return result


SELECTED = {
    "experts": (experts, x(5, 4)),
    "its own mask": (own_mask, x(3, 4)),
    "before a write": (before_a_write, x(3, 4)),
    "a part changed in place": (changed_part, x(3, 4)),
    "where it is defined": (logarithm, x(3, 4)),
    "columns": (columns, x(3, 4, 2)),
    "a sum": (lambda a: a.index_put((a > 0,), a[a > 0] * 2, accumulate=True), x(3, 4)),
    "integers": (put(lambda a: a > 0, lambda a: a[a > 0] // 2), whole(3, 4)),
}


@pytest.mark.parametrize("name", SELECTED)
def test_functions_of_selected_elements_are_assigned_through_their_mask(name):
    function, *inputs = SELECTED[name]
    check(function, inputs)


def changed_mask(a):
    result, mask, other = a.clone(), a > 0, a > 0
    other.logical_not_()
    result[other] = -a[mask]
    return result


def read_elsewhere(a):
    result, mask = a.clone(), a > 0
    result[mask] = a[mask]
    return result + a[mask].sum()


def divided(a):
    result, mask = a.clone(), a != 0
    result[mask] = 12 // a[mask]
    return result


@pytest.mark.parametrize("function", [changed_mask, read_elsewhere, divided])
def test_other_selections_by_computed_masks_are_refused(function):
    inputs = whole(3, 4) if function is divided else x(3, 4)
    with pytest.raises(nk.DocumentError, match=r"(?s)index: its shape depends.*torch\.where"):
        nk.from_torch(module_of(function), inputs)


# -- indices ---------------------------------------------------------------------------------------

PLACES = {
    "known, broadcast": (put((EVEN[:, None], EVEN), lambda a: a[:2, :2]), x(3, 4)),
    "known, apart": (put((slice(None), EVEN, slice(None), EVEN), lambda a: a[0, :2, :, 0, None]),
                     x(2, 3, 2, 3)),
    "known, twice": (put(torch.tensor([0, 1, 0]), lambda a: a * 2), x(3, 4)),
    "known, in another order": (put(torch.tensor([2, 0, 1]), lambda a: a * 2), x(3, 4)),
    "one": (put(lambda a, i, v: i, third), x(4, 3), whole(2, low=-4, high=4), x(2, 3)),
    "of two axes": (put(lambda a, i, v: (slice(None), i), third),
                    x(2, 4, 3), whole(2, 2, low=-4, high=4), x(2, 1, 2, 3)),
    "last": (put(lambda a, i, v: (..., i), third), x(2, 4, 3), whole(2, low=-3, high=3), x(4, 2)),
    "adjacent": (put(lambda a, i, v: (slice(None), i, i), third),
                 x(2, 4, 3), whole(2, low=-3, high=3), x(2, 2)),
    "apart": (put(lambda a, i, v: (slice(None), i[:, None], slice(None), i), third),
              x(2, 3, 4, 3), whole(2, low=-3, high=3), x(2, 4)),
    "one of each row": (put(lambda a, i, v: (torch.arange(3), i), third),
                        x(3, 4, 2), whole(3, low=-4, high=4), x(3, 2)),
    "two of each row": (put(lambda a, i, v: (torch.arange(3)[:, None], i), third),
                        x(3, 4), whole(3, 2, low=-4, high=4), x(3, 2)),
    "of each row, apart": (put(lambda a, i, v: (torch.arange(3), slice(None), i), third),
                           x(3, 2, 4), whole(3, low=-4, high=4), x(3, 2)),
    "of rows in another order": (put(lambda a, i, v: (torch.tensor([2, 0, -3]), i), third),
                                 x(3, 4), whole(3, low=-4, high=4), x(3)),
    "of known rows": (put(lambda a, i: (ROW, i), 5.0), x(3, 4), whole(2, low=-4, high=4)),
    "integers": (put(lambda a, i, v: i, third), whole(4), whole(3, low=-4, high=4),
                 whole(3) + 2**40),
    "logicals": (put(lambda a, i, v: i, third), coins(4), whole(3, low=-4, high=4), coins(3)),
    "a cache": (put(lambda a, i, v: (slice(None), slice(None), i), third),
                x(2, 3, 8, 4), torch.tensor([5]), x(2, 3, 1, 4)),
    "added": (added, x(4, 3), whole(6, low=-4, high=4), x(6, 3)),
    "added integers": (added, whole(4), whole(6, low=-4, high=4), whole(6) + 2**40),
    "added logicals": (added, coins(4), whole(6, low=-4, high=4), coins(6)),
    "added to each row": (
        lambda a, i, v: a.index_put((torch.arange(3)[:, None], i), v, accumulate=True),
        x(3, 4), whole(3, 2, low=-4, high=4), x(3, 2)),
    "row-major": (lambda a, i, v: a.clone().put_(i, v),
                  x(3, 4), whole(2, 2, low=-12, high=12), x(2, 2)),
    "row-major, added": (lambda a, i, v: a.put(i, v, accumulate=True),
                         x(3, 4), whole(2, 2, low=-12, high=12), x(2, 2)),
    "filled": (lambda a, i: a.index_fill(-1, i, 2.5), x(3, 4), whole(2, low=-4, high=4)),
    "filled integers": (lambda a, i: a.index_fill(0, i, 2.5),
                        whole(3, 4), whole(2, low=-3, high=3)),
    "by a mask": (lambda a, m, v: a.masked_scatter(m, v), x(3, 4), coins(3, 4), x(12)),
    "by a mask of rows": (lambda a, m, v: a.masked_scatter(m[:, None], v),
                          whole(3, 4), coins(3), whole(3, 4) + 2**40),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_assignments_at_indices_are_those_of_pytorch(name):
    function, *inputs = PLACES[name]
    check(function, inputs)


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
@pytest.mark.parametrize("name", ["apart", "two of each row", "integers", "added", "by a mask"])
def test_engines_agree_about_assignments(engine, name):
    function, *inputs = PLACES[name]
    check(function, inputs, engine)


def test_the_last_of_several_updates_of_an_element_wins():
    function = put(lambda a, i, v: i, third)
    graph = nk.from_torch(module_of(function), (x(3), torch.tensor([0, 1, 2, 0]), x(4)))
    given = np.arange(4, dtype=np.float32)
    inputs = (np.zeros(3, np.float32), np.array([1, 1, -2, 0]), given)
    found = nk.run(graph, dict(zip(graph.inputs, inputs, strict=True)))
    np.testing.assert_array_equal(found[graph.outputs[0]], [3, 2, 0])


def test_one_index_of_each_row_is_compared_with_its_row_only():
    function = put(lambda a, i: (torch.arange(64), i), 0.0)
    graph = nk.from_torch(module_of(function), (x(64, 2000), whole(64, low=0, high=9)))
    assert max(int(np.prod(tensor.shape)) for tensor in graph.tensors.values()) == 64 * 2000


def test_too_few_elements_for_a_mask_are_an_error():
    graph = nk.from_torch(
        module_of(lambda a, m, v: a.masked_scatter(m, v)), (x(4), ROW.repeat(2)[:4], x(3))
    )
    given = dict(zip(graph.inputs, (np.zeros(4, np.float32), np.ones(4, bool)), strict=False))
    with pytest.raises(nk.ExecutionError, match=r"operation 'gather'.*'indices' has 3, "):
        nk.run(graph, {**given, graph.inputs[2]: np.zeros(3, np.float32)})


# -- views, reductions and buffers -----------------------------------------------------------------


def similar(a):
    result = a.clone()
    view = result[:, 1:]
    view[..., 0] = 2.0
    view.mul_(3)
    similarity = nn.functional.cosine_similarity(view, result[:, :3], dim=-1)
    products = torch.einsum("ij,kj->ik", view, result[:, :3])
    result[0] = 0
    return products + similarity + result


def turned(a):
    result = a.clone()
    view = torch.einsum("ij->ji", result)
    result[0] = 7
    torch.einsum("ii->i", result).add_(1)
    return view * 2


def reduced(name):
    return lambda a, i, v: a.scatter_reduce(0, i, v, name, include_self=False)


OTHERS = {
    "products of a written view": (similar, x(4, 4)),
    "a view by einsum": (turned, x(4, 4)),
    "added to what is read": (put(lambda a, i: i, lambda a, i: a[i] + 1),
                              x(4, 3), whole(3, low=-4, high=4)),
    "through a transposed view": (lambda a, i, v: put(lambda t: i, v)(a.T).T,
                                  x(4, 4), whole(3, low=-4, high=4), x(3, 4)),
    **{
        f"the {name} of new integers": (
            reduced(name), whole(3, 4), whole(5, 4, low=0, high=3), whole(5, 4))
        for name in ("sum", "prod", "amax", "amin")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_assignments_are_those_of_pytorch(name):
    function, *inputs = OTHERS[name]
    check(function, inputs)


class Cache(nn.Module):
    """A cache of keys, one of which is replaced by each run."""

    def __init__(self, assign):
        super().__init__()
        self.assign = assign
        self.register_buffer("cache", torch.zeros(2, 5, 3))

    def forward(self, new, place):
        self.assign(self.cache, new, place)
        self.cache[self.cache > 1] = 1
        return self.cache * 2


def at_index(cache, new, place):
    cache[:, place] = new


@pytest.mark.parametrize(
    "assign", [at_index, lambda cache, new, place: cache.index_copy_(1, place, new)]
)
def test_buffers_are_assigned_to_from_run_to_run(assign):
    module = Cache(assign)
    graph = nk.from_torch(module, (x(2, 1, 3), torch.tensor([2])))
    session = nk.Session(graph)
    module.cache.zero_()
    for place in (4, 0, 4):
        inputs = x(2, 1, 3, seed=place), torch.tensor([place])
        arrays = [tensor.numpy() for tensor in inputs]
        found = session.run(dict(zip(graph.inputs, arrays, strict=True)))[graph.outputs[0]]
        np.testing.assert_array_equal(found, module(*inputs).numpy())


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (lambda a: a[ROW, torch.tensor([1, -1])], r"mask\.nonzero\(\)\[:, 0\], as a buffer"),
        (put(lambda a: a.argmax(), 1.0), r"An index of a single element is a tensor of shape \[1]"),
        (lambda a: a[a > 0], r"torch\.where"),
        (lambda a: torch.where(a > 0)[0], r"torch\.where\(condition, x, 0\) keeps them"),
        (lambda a: a.argwhere(), "Use torch.where, which keeps the shape"),
    ],
)
def test_shapes_that_depend_on_values_are_refused_with_a_remedy(function, hint):
    with pytest.raises((nk.InputError, nk.DocumentError), match=f"(?s){hint}"):
        nk.from_torch(module_of(function), x(3, 4))

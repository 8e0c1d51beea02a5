"""Calls of indexing operators: common forms, and edge cases."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from oracles.torch_operators.drawn import coins, whole, x

MASK = torch.tensor([[True, False, True], [False, True, True]])


def _put(index, value):
    """Return a function that assigns to some elements of a copy of its argument."""

    def function(a, *others):
        result = a * 1
        chosen = index(a, *others) if callable(index) else index
        result[chosen] = value(a, *others) if callable(value) else value
        return result

    return function


def _through_einsum(a):
    """Return a tensor that is written through a transposed view of it."""
    result = a * 1
    torch.einsum("ij->ji", result).mul_(2)
    return result


def _after_view(a):
    """Return functions of a tensor of which a view is written in place."""
    result = a * 1
    result[:, 0].mul_(2)
    similarity = nn.functional.cosine_similarity(result[:, 0], result[:, 1], dim=-1)
    return torch.einsum("bij,bj->bi", result, result[:, 0]), similarity


def _inserted(a):
    """Assign to a diagonal and to rows through views."""
    result = a.clone()
    result[:, 0][result[:, 0] > 0] = 2.0
    result[1:, 1].index_fill_(1, torch.tensor([0, -1]), 5.0)
    return result


def _filled(a):
    """Fill a part with a computed number."""
    result = a.clone()
    result[0, 1:3] = a.sum()
    return result


EXPERT = nn.Linear(4, 4)


def _expert(a):
    """Apply a layer to some rows, and another function to the others."""
    chosen = a.sum(1) > 0
    result = torch.zeros_like(a)
    result[chosen] = torch.relu(EXPERT(a[chosen]))
    result[~chosen] = a[~chosen] * a[0]
    return result


ROWS = whole(5, 4, low=0, high=3)
"""Rows of three, some of them several times."""


class Masked(nn.Module):
    """Selects by a buffer, and by its opposite."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.tensor([True, False, True]))
        self.linear = nn.Linear(4, 2)

    def forward(self, a):
        return self.linear(a[:, self.mask]), a[:, ~self.mask] * 2


aten = torch.ops.aten
TABLE = x(9, 4)

CASES = {
    "put_negative": (_put(lambda a: a < 0, 0), (x(2, 3, 4),)),
    "put_where_both": (_put(lambda a, b: a < b, lambda a, b: b.sum()), (x(2, 3), x(2, 3, seed=1))),
    "put_rows": (_put(lambda a: a[:, 0, 0] > 0, -1), (x(4, 3, 2),)),
    "put_row_by_mask": (_put(lambda a: a[..., 0] > 0, lambda a: a[0, 0]), (x(4, 3, 2),)),
    "put_columns": (
        _put(lambda a: (slice(None), a[0, :, 0] > 0), lambda a: a[:, :1]), (x(4, 3, 2),)),
    "put_coins": (_put(lambda a, m: m, 7.5), (x(3, 4), coins(3, 4))),
    "put_integers": (_put(lambda a: a > 2, -9), (whole(3, 5),)),
    "put_bools": (_put(lambda a: a == a[0], True), (coins(5),)),
    "put_accumulate": (
        lambda a: a.index_put((a > 0,), torch.tensor(2.0), accumulate=True), (x(3, 4),)),
    "select_computed": (
        lambda a, i: (a[i], a[:, i, 1:], a[..., i], a[i][i], a.select(1, i)),
        (x(3, 3, 3), torch.tensor(-2))),
    "select_computed_of_integers": (
        lambda a, i: a[i] + a[a[0, 0]], (whole(4, 3, low=0, high=3), torch.tensor(1))),
    "put_known_mask": (_put(MASK, lambda a: a[0, 0]), (x(2, 3, 4),)),
    "put_known_mask_each": (_put(MASK, lambda a: a.reshape(-1)[:16].reshape(4, 4)), (x(2, 3, 4),)),
    "put_known": (_put(torch.tensor([0, -1]), lambda a: a[:2] * 2), (x(4, 3),)),
    "put_known_two": (
        _put((torch.tensor([0, 1]), slice(None), torch.tensor([[2], [-1]])), 3.0), (x(2, 3, 4),)),
    "put_known_repeated": (
        lambda a: a.index_put((torch.tensor([0, 0, 2]),), a[:3] * 2, accumulate=True), (x(4, 3),)),
    "put_views": (_inserted, (x(3, 2, 4),)),
    "scatter_at_known": (
        lambda a, b: a.scatter(1, torch.tensor([[0, 2], [3, 1]]), b),
        (x(3, 4), x(3, 3, seed=1))),
    "scatter_number_at_known": (lambda a: a.scatter(0, torch.tensor([[0, 2, 1]]), 3.5), (x(3, 4),)),
    "scatter_scalar": (lambda a: a.scatter(0, torch.tensor(0), a * 2), (x(),)),
    "scatter_value_add": (
        lambda a: a.scatter(0, ROWS[:, :2], 2.0, reduce="add"), (x(3, 4),)),
    "scatter_multiply": (
        lambda a: a.scatter(-1, torch.tensor([[0, 3, 3]]), 3.0, reduce="multiply"), (x(3, 4),)),
    "scatter_add_at_known": (
        lambda a, b: a.scatter_add(0, ROWS, b), (x(3, 4), x(5, 4, seed=1))),
    "scatter_add_integers_at_known": (
        lambda a, b: a.scatter_add(0, ROWS, b), (whole(3, 4), whole(5, 4))),
    "index_add_at_known": (lambda a, b: a.index_add(1, torch.tensor([0, 0, 2]), b, alpha=2),
                  (x(2, 4), x(2, 3, seed=1))),
    "index_copy_at_known": (
        lambda a, b: a.index_copy(0, torch.tensor([2, 0]), b), (x(3, 2), x(2, 2))),
    "index_fill_at_known": (lambda a: a.index_fill(1, torch.tensor([-1, 0]), 7.0), (x(2, 4),)),
    "index_fill_input": (lambda a: a.index_fill(1, torch.tensor([0]), a.sum()), (x(2, 4),)),
    "put_selected": (
        _put(lambda a: a > 0, lambda a: torch.sqrt(a[a > 0]) - 1), (x(3, 4),)),
    "put_selected_rows": (_expert, (x(5, 4),)),
    "put_computed": (
        _put(lambda a, i, v: i, lambda a, i, v: v),
        (x(4, 3), whole(3, low=-4, high=4), x(3, 3, seed=1))),
    "put_computed_apart": (
        _put(lambda a, i, v: (slice(None), i[:, None], slice(None), i), lambda a, i, v: v),
        (x(2, 3, 4, 3), whole(2, low=-3, high=3), x(2, 4, seed=1))),
    "put_computed_lines": (
        _put(lambda a, i: (torch.arange(3), i), -1.0), (x(3, 4), whole(3, low=-4, high=4))),
    "put_computed_add": (
        lambda a, i, v: a.index_put((i,), v, accumulate=True),
        (whole(4), whole(6, low=-4, high=4), whole(6))),
    "put_computed_flat": (
        lambda a, i, v: a.put(i, v) + a.put(i, v, accumulate=True),
        (x(3, 4), whole(2, 2, low=-12, high=12), x(2, 2, seed=1))),
    "masked_scatter_computed": (
        lambda a, m, v: a.masked_scatter(m, v), (x(3, 4), coins(3, 4), x(12, seed=1))),
    "fill_diagonal": (
        lambda a: (a[:3].clone().fill_diagonal_(2), a.clone().fill_diagonal_(2, wrap=True)),
        (x(7, 3),)),
    "fill_computed": (_filled, (x(3, 4),)),
    "index_apart": (
        lambda a, i: (a[i, :, i], a[:, i[:, None], torch.tensor([0, -1])]),
        (x(3, 3, 3), whole(2, low=-3, high=3))),
    "known_where": (lambda a: a[torch.where(MASK[0])[0]] * 2, (x(3, 4),)),
    "known_triangle": (lambda a: a[torch.ones(3, 3).triu(1) > 0] * 2, (x(3, 3),)),
    "slice_scatter_nothing": (lambda a: a.slice_scatter(a[:, :0], 1, 2, 2) + 1, (x(2, 4),)),
    "put_flat": (lambda a, b: a.put(torch.tensor([0, -1]), b), (x(2, 4), x(2))),
    "put_flat_add": (
        lambda a, b: a.put(torch.tensor([1, 1]), b, accumulate=True), (x(2, 4), x(2))),
    "masked_scatter": (lambda a, b: a.masked_scatter(MASK, b), (x(2, 3), x(3, 3, seed=1))),
    "diagonal_scatter": (lambda a, b: torch.diagonal_scatter(a, b, 1), (x(3, 4), x(3))),
    "written_through_einsum": (_through_einsum, (x(3, 4),)),
    "read_after_view": (_after_view, (x(2, 3, 4),)),
    "dropout_in_place": (
        nn.Sequential(nn.Linear(4, 3), nn.Dropout(inplace=True), nn.ReLU()).eval(), (x(2, 4),)),
    "dropout_2d_in_place": (
        nn.Sequential(nn.Conv2d(2, 3, 1), nn.Dropout2d(inplace=True)).eval(), (x(1, 2, 3, 3),)),
    "known_mask": (lambda a: a[MASK] * 2, (x(2, 3, 4),)),
    "known_mask_columns": (lambda a: a[:, torch.tensor([True, False, True])] + 1, (x(2, 3, 4),)),
    "known_masks": (Masked(), (x(2, 3, 4),)),
    "masked_select": (lambda a: a.masked_select(MASK[..., None]) + 1, (x(2, 3, 4),)),
    "known_nonzero": (lambda a: a[MASK[0].nonzero()[:, 0]] * 2, (x(3, 4),)),
    **{
        f"scatter_{reduction}_{kind}_at_known": (
            lambda a, b, r=reduction, s=kind == "whole": a.scatter_reduce(
                0, ROWS, b, r, include_self=s),
            (x(3, 4), x(5, 4, seed=1)))
        for reduction in ("sum", "prod", "mean", "amax", "amin")
        for kind in ("whole", "new")
    },
    "zeros_like": (lambda a: torch.zeros_like(a) + a + torch.ones_like(a), (x(3),)),
    "full_like": (lambda a: torch.full_like(a, 2.5) * a, (x(3),)),
    "topk_1": (lambda a: torch.topk(a, 1, dim=1), (x(3, 4),)),
    "topk": (lambda a: torch.topk(a, 3, dim=0), (x(5, 2),)),
    "topk_smallest": (lambda a: torch.topk(a, 2, largest=False), (x(3, 4),)),
    "cumsum_integers": (lambda a: a.cumsum(0), (whole(5),)),
    "cumsum": (lambda a: a.cumsum(1), (x(3, 4, 2),)),
    "embedding": (nn.Embedding(9, 4), (whole(2, 3, low=0, high=9),)),
    "embedding_padding": (nn.Embedding(9, 4, padding_idx=0), (whole(2, low=0, high=9),)),
    "index_select": (lambda a, i: a.index_select(1, i), (x(2, 5), whole(3, low=0, high=5))),
    "index": (lambda a, i: a[:, i], (x(2, 5, 3), whole(2, 2, low=0, high=5))),
    "index_known": (lambda a: a[:, torch.tensor([0, -1])], (x(2, 5),)),
    "index_two": (
        lambda a, i, j: a[i, j],
        (x(4, 5, 2), whole(3, low=0, high=4), whole(3, low=0, high=5)),
    ),
    "index_list": (lambda a: a[[0, 2]], (x(3, 2),)),
    "gather_rows": (lambda a, i: a.gather(0, i), (x(5), whole(3, low=0, high=5))),
    "take_along": (lambda a: a.gather(1, a.argmax(1, keepdim=True)), (x(3, 4),)),
    "select_scatter": (lambda a, b: a.select_scatter(b, 1, 2), (x(2, 4), x(2))),
    "slice_scatter": (lambda a, b: a.slice_scatter(b, 1, 1, 3), (x(2, 4), x(2, 2))),
    "one_hot": (lambda i: (i[:, None] == torch.arange(5)).float(), (whole(3, low=0, high=5),)),
    "one_hot_classes": (lambda i: nn.functional.one_hot(i, 5), (whole(3, 2, low=0, high=5),)),
    "index_negative": (lambda a, i: a[:, i], (x(2, 5, 3), whole(2, 2, low=-5, high=5))),
    "index_last": (lambda a, i: a[torch.arange(4), i], (x(4, 5), whole(4, low=-5, high=0))),
    "scatter": (
        lambda a, i, b: a.scatter(1, i, b),
        (x(3, 4), whole(2, 3, low=0, high=4), x(2, 3, seed=1)),
    ),
    "scatter_number": (lambda a, i: a.scatter(0, i, 2.5), (x(3), whole(2, low=0, high=3))),
    "scatter_more": (
        lambda a, i, b: a.scatter(-2, i, b),
        (x(2, 3, 2), whole(1, 2, 2, low=0, high=3), x(2, 3, 4, seed=1)),
    ),
    "scatter_known": (
        lambda a, b: a.scatter(1, torch.tensor([[2, 0, 1]]), b),
        (x(3, 4), x(2, 3, seed=1)),
    ),
    "scatter_words": (
        lambda a, i, b: a.scatter(0, i, b, reduce="add") * a.scatter(0, i, 3.0, reduce="multiply"),
        (x(3, 2), whole(2, 2, low=0, high=3), x(2, 2, seed=1)),
    ),
    "scatter_add": (
        lambda a, i, b: a.scatter_add(0, i, b),
        (x(3, 2), whole(5, 2, low=0, high=3), x(5, 2, seed=1)),
    ),
    "scatter_add_known": (
        lambda a, b: a.scatter_add(0, torch.tensor([[1], [1], [0]]), b),
        (x(3, 2), x(3, 2, seed=1)),
    ),
    "scatter_add_integers": (
        lambda i: torch.zeros(6, dtype=torch.int64).scatter_add(0, i, i + 2**40),
        (whole(9, low=0, high=6),),
    ),
    "scatter_counts": (
        lambda i: torch.zeros(6).scatter_add(0, i, torch.ones(9)),
        (whole(9, low=0, high=6),),
    ),
    **{
        f"scatter_reduce_{reduce}_{own}": (
            lambda a, i, b, reduce=reduce, own=own: a.scatter_reduce(
                0, i, b, reduce, include_self=own
            ),
            (x(4, 2), whole(5, 2, low=0, high=3), x(5, 2, seed=1)),
        )
        for reduce in ("sum", "prod", "mean", "amax", "amin")
        for own in (True, False)
    },
    "scatter_reduce_known": (
        lambda a, b: a.scatter_reduce(1, torch.tensor([[0, 2, 0]]), b, "mean", include_self=False),
        (x(2, 3), x(1, 3, seed=1)),
    ),
    "index_add": (
        lambda a, i, b: a.index_add(1, i, b, alpha=2),
        (x(2, 4, 3), whole(5, low=0, high=4), x(2, 5, 3, seed=1)),
    ),
    "index_add_known": (
        lambda a, b: a.index_add(0, torch.tensor([2, 0, 2]), b),
        (x(4, 3), x(3, 3, seed=1)),
    ),
    "index_copy": (
        lambda a, i, b: a.index_copy(1, i, b),
        (x(2, 4), whole(1, low=0, high=4), x(2, 1, seed=1)),
    ),
    "index_copy_integers": (
        lambda i, j: i.index_copy(0, j[:2], i[:2] + 2**40),
        (whole(4), torch.tensor([3, 1, 0])),
    ),
    "index_fill": (lambda a, i: a.index_fill(1, i, 2.5), (x(2, 4), whole(3, low=0, high=4))),
    "index_fill_computed": (
        lambda a, i: a.index_fill(0, i, a.sum()),
        (x(4, 2), whole(2, low=0, high=4)),
    ),
    "index_reduce": (
        lambda a, i, b: a.index_reduce(0, i, b, "amax", include_self=False),
        (x(4, 2), whole(3, low=0, high=4), x(3, 2, seed=1)),
    ),
    **{
        f"embedding_bag_{mode}": (nn.EmbeddingBag(9, 4, mode=mode), (whole(3, 5, low=0, high=9),))
        for mode in ("sum", "mean", "max")
    },
    "embedding_bag_weights": (
        lambda i, w: F.embedding_bag(i, TABLE, mode="sum", per_sample_weights=w, padding_idx=-1),
        (whole(3, 5, low=0, high=9), x(3, 5)),
    ),
    **{
        f"embedding_bag_offsets_{mode}": (
            lambda i, mode=mode: F.embedding_bag(
                i, TABLE, torch.tensor([0, 0, 3, 6]), mode=mode, padding_idx=2
            ),
            (torch.tensor([2, 1, 2, 5, 8, 2, 2, 2]),),
        )
        for mode in ("sum", "mean", "max")
    },
    "embedding_bag_last_offset": (
        lambda i: F.embedding_bag(i, TABLE, torch.tensor([0, 2, 2, 5]), include_last_offset=True),
        (whole(5, low=0, high=9),),
    ),
    "_embedding_bag": (
        lambda i: aten._embedding_bag(TABLE, i, torch.tensor([0, 2]), False, 1)[0],
        (whole(5, low=0, high=9),),
    ),
    "_embedding_bag_forward_only": (
        lambda i: aten._embedding_bag_forward_only(
            TABLE, i, torch.tensor([0, 2]), False, 2, False, None, False, 2
        )[0],
        (torch.tensor([2, 2, 0, 2, 5]),),
    ),
    "embedding_bag_computed": (
        lambda w, i: F.embedding_bag(i, w, torch.tensor([0, 1]), mode="max"),
        (x(5, 3), whole(4, low=0, high=5)),
    ),
    "fill": (lambda a: torch.fill(a, 3.0) + a, (x(3),)),
    "copy": (lambda a, b: a.clone().copy_(b) + a, (x(2, 3), x(3))),
}  # fmt: skip


REFUSED = {
    "slice_computed": (lambda a, i: a[i : i + 1], (x(4), torch.tensor(1)), "torch.where"),
    "number_computed": (lambda a, i: a[i] * i.item(), (x(4), torch.tensor(1)), "torch.where"),
    "mask": (lambda a: a[a > 0], (x(3),), "depend"),
    "nonzero": (lambda a: a.nonzero(), (x(3),), "depend"),
    "scatter": (
        lambda a, i: a.scatter(0, i, 1.0),
        (x(9999), whole(999, low=0, high=3)), "takes 9,989,001 comparisons"),
    "offsets": (
        lambda i, o: F.embedding_bag(i, TABLE, o),
        (whole(5, low=0, high=9), torch.tensor([0, 3])), "offsets of its bags are computed"),
    "put_each": (_put(lambda a: a > 0, lambda a: a[a < 0]), (x(3),), "depend"),
    "put_mask_and_index": (
        lambda a, i: a.index_put((a[:, 0] > 0, i), a[0, 0]),
        (x(3, 3), whole(1, low=0, high=3)), "mask that is not constant, and by other indices"),
    "put_known_mask_out_of_range": (
        lambda a: aten.index_put(a, [torch.tensor([3])], a[:1]), (x(3),), "exceed the 3 elements"),
    "masked_scatter": (
        lambda a: a.masked_scatter(MASK[0], a[:1]), (x(3),), "2 true elements, and it is given 1"),
    "argwhere": (lambda a: torch.argwhere(a), (x(3),), "Use torch.where"),
}  # fmt: skip

"""Calls of indexing operators: common forms, and edge cases."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from oracles.torch_operators.drawn import whole, x

aten = torch.ops.aten
TABLE = x(9, 4)

CASES = {
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
}


REFUSED = {
    "mask": (lambda a: a[a > 0], (x(3),), "depend"),
    "nonzero": (lambda a: a.nonzero(), (x(3),), "depend"),
    "apart": (
        lambda a, i: a[i, :, i], (x(3, 3, 3), whole(2, low=0, high=3)), "not adjacent"),
    "scatter": (
        lambda a, i: a.scatter(0, i, 1.0),
        (x(9999), whole(999, low=0, high=3)), "takes 9,989,001 comparisons"),
    "offsets": (
        lambda i, o: F.embedding_bag(i, TABLE, o),
        (whole(5, low=0, high=9), torch.tensor([0, 3])), "offsets of its bags are computed"),
}  # fmt: skip

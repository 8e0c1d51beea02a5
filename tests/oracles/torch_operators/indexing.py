"""Calls of indexing operators: common forms, and edge cases."""

import torch
from torch import nn

from oracles.torch_operators.drawn import whole, x

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
    "fill": (lambda a: torch.fill(a, 3.0) + a, (x(3),)),
    "copy": (lambda a, b: a.clone().copy_(b) + a, (x(2, 3), x(3))),
}


REFUSED = {
    "mask": (lambda a: a[a > 0], (x(3),), "depend"),
    "nonzero": (lambda a: a.nonzero(), (x(3),), "depend"),
    "apart": (
        lambda a, i: a[i, :, i], (x(3, 3, 3), whole(2, low=0, high=3)), "not adjacent"),
    "scatter": (
        lambda a, i: a.scatter(0, i, 1.0), (x(3), whole(2, low=0, high=3)), "no scatter"),
}  # fmt: skip

"""Calls of linear algebra operators: common forms, and edge cases."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from oracles.torch_operators.drawn import x
from oracles.torch_operators.normalizations import Bare

aten = torch.ops.aten


def _attention(**kwargs):
    return lambda q, k, v, *mask: F.scaled_dot_product_attention(q, k, v, *mask, **kwargs)


QKV = (x(2, 3, 5, 4), x(2, 3, 6, 4, seed=1), x(2, 3, 6, 4, seed=2))
MASK = torch.tensor([[1, 1, 0, 1, 0, 1]] * 5, dtype=torch.bool)
MHA = nn.MultiheadAttention(8, 2, batch_first=True).eval()

CASES = {
    "linear_1": (nn.Linear(4, 3), (x(4),)),
    "linear_2": (nn.Linear(4, 3), (x(2, 4),)),
    "linear_3": (nn.Linear(4, 3), (x(2, 5, 4),)),
    "linear_4_no_bias": (nn.Linear(4, 3, bias=False), (x(2, 1, 5, 4),)),
    "linear_computed": (F.linear, (x(2, 4), x(3, 4), x(3))),
    "bilinear": (nn.Bilinear(3, 4, 2), (x(5, 3), x(5, 4))),
    "matmul_2_2": (torch.matmul, (x(2, 3), x(3, 4))),
    "matmul_1_1": (torch.matmul, (x(3), x(3))),
    "matmul_2_1": (torch.matmul, (x(2, 3), x(3))),
    "matmul_1_2": (torch.matmul, (x(3), x(3, 2))),
    "matmul_1_3": (torch.matmul, (x(3), x(4, 3, 2))),
    "matmul_3_1": (torch.matmul, (x(4, 2, 3), x(3))),
    "matmul_4_3": (torch.matmul, (x(5, 4, 2, 3), x(4, 3, 2))),
    "matmul_broadcast": (torch.matmul, (x(5, 1, 2, 3), x(4, 3, 2))),
    "mm": (torch.mm, (x(2, 3), x(3, 4))),
    "bmm": (torch.bmm, (x(5, 2, 3), x(5, 3, 4))),
    "mv": (torch.mv, (x(2, 3), x(3))),
    "dot": (torch.dot, (x(3), x(3))),
    "outer": (torch.outer, (x(3), x(4))),
    "addmm": (lambda a, b, c: torch.addmm(a, b, c, beta=0.5, alpha=2), (x(4), x(2, 3), x(3, 4))),
    "baddbmm": (torch.baddbmm, (x(5, 2, 4), x(5, 2, 3), x(5, 3, 4))),
    "einsum": (lambda a, b: torch.einsum("bhqd,bhkd->bhqk", a, b), (x(2, 3, 5, 4), x(2, 3, 6, 4))),
    "tensordot": (lambda a, b: torch.tensordot(a, b, dims=2), (x(2, 3, 4), x(3, 4, 5))),
    "differences": (
        lambda a, b: (a[:, None] - b[None]).square().sum(-1).sqrt(), (x(3, 4), x(2, 4))),
    **{
        f"cdist_{power}": (
            lambda a, b, power=power: torch.cdist(a, b, power), (x(2, 3, 4), x(2, 5, 4, seed=1)))
        for power in (0.0, 0.5, 1.0, 2.0, 3.0, float("inf"))
    },
    "cdist_broadcast": (torch.cdist, (x(4, 1, 3, 2), x(2, 5, 2, seed=1))),
    "cdist_many": (torch.cdist, (x(40, 3), x(30, 3, seed=1))),
    "cdist_product": (
        lambda a, b: torch.cdist(
            a, b, compute_mode="use_mm_for_euclid_dist"), (x(3, 4), x(2, 4, seed=1))),
    "pdist": (F.pdist, (x(4, 3),)),
    "cdist_forward": (
        lambda a, b: aten._cdist_forward(a, b, 3.0, None), (x(3, 4), x(2, 4, seed=1))),
    "pdist_forward": (lambda a: aten._pdist_forward(a, 2.0), (x(4, 3),)),
    "pdist_1": (lambda a: F.pdist(a, 1.0), (x(4, 3),)),
    "pairwise_distance": (
        lambda a, b: F.pairwise_distance(a, b, 3.0, keepdim=True), (x(3, 4), x(3, 4, seed=1))),
    "attention": (_attention(), QKV),
    "attention_causal": (_attention(is_causal=True), (x(2, 3, 5, 4), x(2, 3, 5, 4), x(2, 3, 5, 4))),
    "attention_scale": (_attention(scale=0.3), QKV),
    "attention_mask": (_attention(), (*QKV, x(5, 6))),
    "attention_logical_mask": (_attention(), (*QKV, MASK.clone())),
    "attention_known_mask": (
        Bare(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, MASK)), QKV),
    "attention_without_keys": (
        _attention(), (*QKV, MASK & torch.tensor([[1], [1], [0], [1], [1]], dtype=torch.bool))),
    "attention_no_key": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, MASK & False), QKV),
    "attention_rank_3": (_attention(), tuple(t[0] for t in QKV)),
    "attention_rank_2": (_attention(), tuple(t[0, 0] for t in QKV)),
    "attention_grouped": (_attention(enable_gqa=True), (x(2, 6, 5, 4), *QKV[1:])),
    "multihead_attention": (
        lambda a: MHA(a, a, a, need_weights=False)[0], (x(2, 5, 8),)),
    "multihead_attention_weights": (lambda a: MHA(a, a, a)[1], (x(2, 5, 8),)),
}  # fmt: skip


REFUSED = {
    "attention_dropout": (_attention(dropout_p=0.5), QKV, "random in training"),
    "inverse": (torch.linalg.inv, (x(3, 3),), "linalg_inv"),
}  # fmt: skip

"""Calls of reduction operators: common forms, and edge cases."""

import torch

from oracles.torch_operators.drawn import coins, whole, x

CASES = {
    **{
        f"{name}_{tag}": (lambda a, name=name, kw=kw: getattr(torch, name)(a, **kw), (x(3, 4, 5),))
        for name in ("mean", "sum", "amax", "amin", "std", "var", "logsumexp")
        for tag, kw in {
            "one": {"dim": 1}, "kept": {"dim": -1, "keepdim": True}, "two": {"dim": (0, 2)},
        }.items()
    },
    "cumprod": (lambda a: a.cumprod(1), (x(3, 7, 2),)),
    "cumprod_first": (lambda a: torch.cumprod(a, 0), (x(5),)),
    "cumprod_one": (lambda a: a.cumprod(-1), (x(3, 1),)),
    "cumprod_integers": (lambda a: a.cumprod(0), (whole(5, 2),)),
    "cumprod_zeros": (lambda a: a.relu().cumprod(0), (x(6),)),
    "cumprod_number": (lambda a: a.sum().cumprod(0), (x(2),)),
    "mean_all": (torch.mean, (x(3, 4),)),
    "sum_all": (torch.sum, (x(3, 4),)),
    "sum_integers": (torch.sum, (whole(3, 4),)),
    "sum_logicals": (lambda a: a.sum(1), (coins(3, 4),)),
    "max_all": (torch.max, (x(3, 4),)),
    "min_all": (torch.min, (x(3, 4),)),
    "max_dim": (lambda a: torch.max(a, 1)[0], (x(3, 4),)),
    "max_dim_both": (lambda a: torch.max(a, 1, keepdim=True), (x(3, 4),)),
    "min_dim_index": (lambda a: torch.min(a, 0)[1], (x(3, 4),)),
    "argmax": (lambda a: a.argmax(1), (x(3, 4),)),
    "argmax_all": (lambda a: a.argmax(), (x(3, 4),)),
    "argmin_kept": (lambda a: a.argmin(-1, keepdim=True), (x(3, 4),)),
    "any": (lambda a: a.any(), (coins(3, 4),)),
    "all_dim": (lambda a: (a > -1).all(1, keepdim=True), (x(3, 4),)),
    "prod": (lambda a: a.prod(1), (x(3, 4),)),
    "var_biased": (lambda a: torch.var(a, 1, unbiased=False), (x(3, 4),)),
    "var_corrected": (lambda a: torch.var(a, 1, correction=2), (x(3, 4),)),
    "std_all": (torch.std, (x(3, 4),)),
    "std_mean": (lambda a: torch.std_mean(a, 1, correction=0), (x(3, 4),)),
    "var_mean": (lambda a: torch.var_mean(a, 1), (x(3, 4),)),
    "count_nonzero": (lambda a: torch.count_nonzero(a > 0, 1), (x(3, 4),)),
    "aminmax": (lambda a: torch.aminmax(a, dim=1), (x(3, 4),)),
}  # fmt: skip


REFUSED = {
    "topk": (lambda a: torch.topk(a, 33), (x(40),), "sorts 33 elements"),
    "sort": (torch.sort, (x(5),), "no sorting"),
    "long_prod": (lambda a: a.prod(), (x(100),), "multiplies 100 elements"),
    "one_item": (lambda a: a.var(1), (x(3, 1),), "too few elements"),
}  # fmt: skip

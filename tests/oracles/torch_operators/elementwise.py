"""Calls of elementwise operators: common forms, and edge cases."""

import torch
from torch.nn import functional as F  # noqa: N812 - its usual name

from oracles.torch_operators.drawn import coins, positive, unit, whole, x

aten = torch.ops.aten

NEGATIVE_TOO = torch.arange(-9, 10)
HALVES = torch.tensor([[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.3, -0.7]])


def _written(a):
    b = a * 1
    b.view(-1)[2:5] = 0
    return b + a


def _row(a):
    b = a.clone()
    b[1] = a[0]
    b[:, 1::2] += 1
    return b


CASES = {
    "large_integers": (lambda a: a + 2**30, (whole(3),)),
    **{
        name: (getattr(torch, name), (x(2, 3, 4),))
        for name in (
            *[
                "abs",
                "neg",
                "exp",
                "sin",
                "cos",
                "tan",
                "sinh",
                "cosh",
                "tanh",
                "atan",
                "asinh",
                "sign",
                "floor",
                "ceil",
                "sigmoid",
                "relu",
                "erf",
            ],
            *[
                "square",
                "expm1",
                "reciprocal",
                "selu",
                "celu",
                "logical_not",
                "positive",
                "trunc",
                "frac",
                "sgn",
                "isnan",
            ],
            *["deg2rad", "exp2", "sinc", "erfc", "isinf", "isfinite"],
        )
    },
    **{
        name: (getattr(torch, name), (positive(3, 4),))
        for name in ["log", "sqrt", "rsqrt", "log2", "log10", "log1p"]
    },
    **{name: (getattr(torch, name), (unit(3, 4),)) for name in ["asin", "acos", "atanh"]},
    "acosh": (torch.acosh, (positive(3) + 1,)),
    "round": (torch.round, (HALVES,)),
    "round_small": (torch.round, (x(20) * 5,)),
    "add": (lambda a, b: a + b, (x(2, 3), x(2, 3))),
    "add_alpha": (lambda a, b: torch.add(a, b, alpha=0.5), (x(2, 3), x(3))),
    "add_broadcast": (lambda a, b: a + b, (x(4, 1, 3), x(5, 1))),
    "add_number": (lambda a: 2 + a + 0.5, (x(2),)),
    "add_scalar_tensor": (lambda a, b: a + b, (x(2, 2), x())),
    "add_integers": (lambda a, b: a + b, (whole(3), whole(3))),
    "add_mixed": (lambda a, b: a + b, (whole(3), x(3))),
    "sub": (lambda a, b: a - b, (x(2, 3), x(1, 3))),
    "sub_alpha": (lambda a, b: torch.sub(a, b, alpha=2), (x(2, 3), x(1, 3))),
    "rsub": (lambda a: 1 - a, (x(2, 3),)),
    "mul": (lambda a, b: a * b, (x(2, 3), x(3))),
    "mul_logical": (lambda a, b: a * b, (x(2, 3), coins(2, 3))),
    "mul_integers": (lambda a: a * 3, (whole(4),)),
    "div": (lambda a, b: a / b, (x(2, 3), positive(2, 3))),
    "div_integers": (lambda a: a / 2, (whole(5),)),
    "div_floor": (lambda a: torch.div(a, 0.7, rounding_mode="floor"), (x(9),)),
    "div_trunc": (lambda a: torch.div(a, 0.7, rounding_mode="trunc"), (x(9),)),
    "floor_divide": (lambda a: a // 3, (whole(9),)),
    "remainder": (lambda a: a % 3, (whole(9),)),
    "remainder_of_reals": (lambda a: a % -0.7, (x(9),)),
    "fmod": (lambda a: torch.fmod(a, 0.7), (x(9),)),
    "div_trunc_integers": (lambda a: torch.div(a, 3, rounding_mode="trunc"), (NEGATIVE_TOO,)),
    "div_trunc_by_negative": (lambda a: torch.div(a, -4, rounding_mode="trunc"), (NEGATIVE_TOO,)),
    "fmod_integers": (lambda a: torch.fmod(a, 3), (NEGATIVE_TOO,)),
    "fmod_by_negative": (lambda a: torch.fmod(a, -4), (NEGATIVE_TOO,)),
    "pow_2": (lambda a: a**2, (x(3),)),
    "pow_3": (lambda a: a**3, (x(3),)),
    "pow_half": (lambda a: a**0.5, (positive(3),)),
    "pow_tensor": (lambda a, b: a**b, (positive(3), x(3))),
    "pow_of_number": (lambda a: 2**a, (x(3),)),
    "pow_minus_1": (lambda a: a**-1, (positive(3),)),
    "maximum": (torch.maximum, (x(2, 3), x(3, seed=1))),
    "minimum": (torch.minimum, (x(2, 3), x(3, seed=1))),
    "max_of_two": (torch.max, (x(2, 3), x(2, 3, seed=1))),
    "atan2": (torch.atan2, (x(9), x(9, seed=1))),
    "hypot": (torch.hypot, (x(9), x(9, seed=1))),
    "logaddexp": (torch.logaddexp, (x(9), x(9, seed=1))),
    "heaviside": (lambda a: torch.heaviside(a, torch.tensor(0.5)), (x(9),)),
    "clamp": (lambda a: a.clamp(-0.5, 0.7), (x(9),)),
    "clamp_min": (lambda a: a.clamp(min=0.1), (x(9),)),
    "clamp_max": (lambda a: a.clamp_max(0.1), (x(9),)),
    "clamp_tensors": (torch.clamp, (x(9), x(9, seed=1) - 1, x(9, seed=2) + 1)),
    "clamp_crossed": (lambda a: a.clamp(0.7, -0.5), (x(9),)),
    "clamp_crossed_tensors": (torch.clamp, (x(9), x(9, seed=1) + 1, x(9, seed=2) - 1)),
    "clamp_open": (lambda a: a.clamp(-torch.inf, 0.7), (x(9),)),
    "clamp_integers": (lambda a: a.clamp(0, 3), (whole(9),)),
    "hardtanh": (lambda a: F.hardtanh(a, -0.3, 0.4), (x(9),)),
    **{
        name: (lambda a, b, name=name: getattr(torch, name)(a, b), (whole(9), whole(9)))
        for name in ["lt", "gt", "le", "ge", "eq", "ne"]
    },
    "lt_number": (lambda a: a < 0.1, (x(9),)),
    "logical_and": (torch.logical_and, (coins(5), coins(5, seed=2))),
    "logical_or": (torch.logical_or, (coins(5), x(5))),
    "logical_xor": (torch.logical_xor, (coins(5), coins(5, seed=2))),
    "and": (lambda a, b: (a & b) | ~a ^ b, (coins(5), coins(5, seed=2))),
    "where": (torch.where, (coins(2, 3), x(2, 3), x(3))),
    "where_numbers": (lambda a: torch.where(a > 0, 1.0, a), (x(5),)),
    "where_both_numbers": (lambda a: torch.where(a > 0, 1.0, -1.0), (x(5),)),
    "where_integers": (lambda a: torch.where(a > 0, a, -a), (whole(5),)),
    "masked_fill": (lambda a, m: a.masked_fill(m, -1e4), (x(2, 3), coins(2, 3))),
    "masked_fill_infinity": (
        lambda a, m: a.masked_fill(m, float("-inf")).softmax(-1),
        (x(2, 8), coins(2, 8)),
    ),
    "lerp": (lambda a, b: torch.lerp(a, b, 0.3), (x(5), x(5, seed=1))),
    "lerp_tensor": (torch.lerp, (x(5), x(5, seed=1), x(5, seed=2))),
    "addcmul": (lambda a, b, c: torch.addcmul(a, b, c, value=0.5), (x(5), x(5), x(5))),
    "addcdiv": (lambda a, b, c: torch.addcdiv(a, b, c, value=0.5), (x(5), x(5), positive(5))),
    "nan_to_num": (torch.nan_to_num, (x(5),)),
    "to_integer": (lambda a: a.to(torch.int64), (x(9) * 5,)),
    "to_logical": (lambda a: a.bool(), (whole(9, low=-1, high=2),)),
    "to_real": (lambda a: a.float() * 0.5, (whole(9),)),
    "logical_to_integer": (lambda a: a.long() + 1, (coins(9),)),
    "type_as": (lambda a, b: a.type_as(b), (whole(5), x(1))),
    "to_double": (lambda a: a.double() / 3, (x(5),)),
    "_to_copy": (lambda a: aten._to_copy(a, dtype=torch.float32) / 2, (whole(5),)),
    "alias": (
        lambda a: aten.alias(aten.detach(a)) + aten.lift_fresh_copy(a.t().contiguous().t()),
        (x(3, 2),),
    ),
    "fix": (lambda a: torch.fix(a) + torch.true_divide(a, 2), (x(3) * 3,)),
    "clamp_min_operator": (lambda a: aten.clamp_min(a, 0.2), (x(9),)),
    "bitwise": (
        lambda a, b: torch.bitwise_and(a, b) | torch.bitwise_or(a, ~b),
        (coins(5), coins(5)),
    ),
    "dropouts": (
        lambda a: (
            F.dropout(a, 0.5, False)
            + F.alpha_dropout(a)
            + F.dropout1d(a, 0.5, False)
            + F.feature_alpha_dropout(a)
            + aten.native_dropout(a, 0.5, False)[0]
        ),
        (x(2, 3, 4),),
    ),
    "in_place": (lambda a: (a + 1).mul_(2).add_(a).relu_(), (x(5),)),
    "in_place_through_a_view": (lambda a: _written(a), (x(3, 4),)),
    "in_place_row": (lambda a: _row(a), (x(3, 4),)),
    "constants": (lambda a: a * torch.tensor([1.0, 2.0, 3.0]) + torch.ones(3), (x(2, 3),)),
    "arange": (lambda a: a + torch.arange(4, dtype=torch.float32)[:, None], (x(4, 3),)),
    "new_ones": (lambda a: a + a.new_ones(3) + a.new_zeros(2, 3), (x(2, 3),)),
}


REFUSED = {
    "signbit": (torch.signbit, (x(3),), "signbit"),
    "shift": (lambda a: a << 1, (whole(3),), "__lshift__: NNEF has no operation"),
    "bits": (lambda a: a & 1, (whole(3),), "bits of integers"),
    "round_decimals": (lambda a: torch.round(a, decimals=1), (x(3),), "rounds to decimal places"),
    "dropout": (lambda a: F.dropout(a, 0.5, True), (x(3),), r"at random in training.*eval\(\)"),
    "random": (lambda a: a + torch.rand(3), (x(3),), "random numbers"),
    "complex": (lambda a: torch.view_as_complex(a), (x(3, 2),), "complex"),
}  # fmt: skip

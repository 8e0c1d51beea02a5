"""Calls of activation operators: common forms, and edge cases."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from oracles.torch_operators.drawn import whole, x

aten = torch.ops.aten


class Prelu(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.1, 0.4, count))

    def forward(self, a):
        return F.prelu(a, self.weight)


CASES = {
    **{
        name: (getattr(F, name), (torch.cat([x(2, 12), 40 * x(1, 12)]),))
        for name in (
            *[
                "relu",
                "relu6",
                "hardsigmoid",
                "hardswish",
                "silu",
                "gelu",
                "leaky_relu",
                "elu",
                "selu",
                "softplus",
            ],
            *[
                "logsigmoid",
                "softsign",
                "hardshrink",
                "softshrink",
                "tanhshrink",
                "mish",
                "celu",
                "hardtanh",
            ],
        )
    },
    "gelu_tanh": (lambda a: F.gelu(a, approximate="tanh"), (x(9) * 3,)),
    "leaky_relu_0.3": (lambda a: F.leaky_relu(a, 0.3), (x(9),)),
    "elu_0.5": (lambda a: F.elu(a, 0.5), (x(9),)),
    "celu_0.5": (lambda a: F.celu(a, 0.5), (x(9),)),
    "celu_2": (lambda a: F.celu(a, 2.0), (x(9),)),
    "celu_negative": (lambda a: F.celu(a, -0.5), (x(9),)),
    "celu_overflow": (lambda a: F.celu(a * 1e10, 1e-30), (x(9),)),
    "softplus_2": (lambda a: F.softplus(a, 2.0), (x(9) * 20,)),
    "softplus_threshold": (lambda a: F.softplus(a, 1.0, 2.0), (x(40) * 3,)),
    "threshold": (lambda a: F.threshold(a, 0.2, -3.0), (x(9),)),
    "prelu_1": (Prelu(1), (x(2, 3, 4),)),
    "prelu_3": (Prelu(3), (x(2, 3, 4),)),
    "prelu_vector": (Prelu(1), (x(4),)),
    "glu": (lambda a: F.glu(a, 1), (x(2, 6, 3),)),
    "softmax": (lambda a: a.softmax(1), (x(2, 6, 3),)),
    "softmax_last": (lambda a: F.softmax(a, -1), (x(7),)),
    "softmin": (lambda a: F.softmin(a, -1), (x(2, 7),)),
    "softmax_of_integers": (lambda a: F.softmax(a, -1, dtype=torch.float32), (whole(2, 7),)),
    "log_softmax": (lambda a: F.log_softmax(a, 1), (30 * x(2, 6, 3),)),
    "_softmax": (lambda a: aten._softmax(a, 1, False), (x(2, 6),)),
    "_log_softmax": (lambda a: aten._log_softmax(a, 1, False), (x(2, 6),)),
    "_safe_softmax": (lambda a: aten._safe_softmax(a, 1), (x(2, 6),)),
    "normalize": (lambda a: F.normalize(a, dim=1), (x(3, 4),)),
    "cosine_similarity": (F.cosine_similarity, (x(3, 4), x(3, 4, seed=1))),
}

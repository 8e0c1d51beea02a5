"""Calls of normalization operators: common forms, and edge cases."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from oracles.torch_operators.drawn import x

aten = torch.ops.aten


class Norm(nn.Module):
    """A normalization whose parameters and statistics are not the initial ones."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm.eval()
        with torch.no_grad():
            for number, (_, tensor) in enumerate([*norm.named_parameters(), *norm.named_buffers()]):
                if tensor.is_floating_point():
                    tensor.copy_(x(*tensor.shape, seed=number).abs() + 0.5)

    def forward(self, a):
        return self.norm(a)


class Bare(nn.Module):
    """An operator that takes its parameters as arguments."""

    def __init__(self, function, *shapes):
        super().__init__()
        self.function = function
        for number, shape in enumerate(shapes):
            self.register_buffer(f"b{number}", x(*shape, seed=number).abs() + 0.5)
        self.count = len(shapes)

    def forward(self, *inputs):
        return self.function(*inputs, *(getattr(self, f"b{i}") for i in range(self.count)))


CASES = {
    "batch_norm_1d": (Norm(nn.BatchNorm1d(4)), (x(3, 4),)),
    "batch_norm_1d_steps": (Norm(nn.BatchNorm1d(4)), (x(3, 4, 5),)),
    "batch_norm_2d": (Norm(nn.BatchNorm2d(4, 1e-2)), (x(2, 4, 5, 3),)),
    "batch_norm_3d": (Norm(nn.BatchNorm3d(4, affine=False)), (x(2, 4, 3, 2, 3),)),
    "batch_norm_decomposed": (
        Bare(lambda a, *b: aten._native_batch_norm_legit_no_training(a, *b, 0.1, 1e-5)[0],
             (3,), (3,), (3,), (3,)), (x(2, 3, 4),)),
    "batch_norm_no_statistics": (
        Norm(nn.BatchNorm2d(4, 1e-2, track_running_stats=False)), (x(3, 4, 5, 3),)),
    "batch_norm_no_statistics_rows": (
        Norm(nn.BatchNorm1d(4, affine=False, track_running_stats=False)), (x(3, 4),)),
    "batch_norm_of_batch": (
        lambda a: F.batch_norm(a, None, None, training=True, eps=1e-3), (x(2, 3, 4, 2, 2),)),
    "native_training": (
        Bare(lambda a, w, b: aten.native_batch_norm(a, w, b, None, None, True, 0.1, 1e-5),
             (3,), (3,)), (x(2, 3, 4),)),
    "legit_training": (
        Bare(lambda a, w, b: aten._native_batch_norm_legit.no_stats(a, w, b, True, 0.1, 1e-5)[0],
             (3,), (3,)), (x(2, 3, 4),)),
    "native_layer_norm_statistics": (
        lambda a: aten.native_layer_norm(a, [4, 5], None, None, 1e-2), (x(3, 4, 5),)),
    "layer_norm": (Norm(nn.LayerNorm(5)), (x(2, 4, 5),)),
    "layer_norm_axes": (Norm(nn.LayerNorm((4, 5), 1e-3)), (x(2, 4, 5),)),
    "layer_norm_no_bias": (Norm(nn.LayerNorm(5, bias=False)), (x(2, 4, 5),)),
    "layer_norm_plain": (lambda a: F.layer_norm(a, (5,)), (x(4, 5),)),
    "layer_norm_vector": (Norm(nn.LayerNorm(5)), (x(5),)),
    "native_layer_norm": (
        Bare(lambda a, w, b: aten.native_layer_norm(a, [5], w, b, 1e-5)[0], (5,), (5,)),
        (x(2, 5),)),
    "group_norm": (Norm(nn.GroupNorm(2, 4)), (x(2, 4, 5, 3),)),
    "group_norm_plain": (lambda a: F.group_norm(a, 2), (x(2, 4, 5),)),
    "group_norm_one": (Norm(nn.GroupNorm(1, 4)), (x(2, 4, 5, 3, 2),)),
    "group_norm_rows": (Norm(nn.GroupNorm(2, 4)), (x(3, 4),)),
    "instance_norm": (Norm(nn.InstanceNorm2d(4)), (x(2, 4, 5, 3),)),
    "instance_norm_affine": (Norm(nn.InstanceNorm1d(4, affine=True)), (x(2, 4, 5),)),
    "instance_norm_tracked": (
        Norm(nn.InstanceNorm2d(4, affine=True, track_running_stats=True)), (x(2, 4, 5, 3),)),
    "rms_norm": (Norm(nn.RMSNorm(5)), (x(2, 4, 5),)),
    "rms_norm_plain": (lambda a: F.rms_norm(a, (5,), eps=1e-3), (x(2, 5),)),
    "local_response_norm": (nn.LocalResponseNorm(3, 0.1, 0.7, 2.0), (x(2, 5, 4, 3),)),
    "vector_norm_2": (lambda a: torch.linalg.vector_norm(a, dim=1), (x(3, 4),)),
    "vector_norm_1": (lambda a: torch.linalg.vector_norm(a, 1, dim=-1, keepdim=True), (x(3, 4),)),
    "vector_norm_infinite": (
        lambda a: torch.linalg.vector_norm(a, float("inf"), dim=1), (x(3, 4),)),
    "vector_norm_least": (
        lambda a: torch.linalg.vector_norm(a, -float("inf"), dim=1), (x(3, 4),)),
    "vector_norm_0": (lambda a: torch.linalg.vector_norm(a.relu(), 0, dim=1), (x(3, 4),)),
    "vector_norm_3": (lambda a: torch.linalg.vector_norm(a, 3), (x(3, 4),)),
    "norm": (lambda a: a.norm(dim=1), (x(3, 4),)),
    "weight_norm": (nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), (x(2, 3),)),
    "spectral_norm": (nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)).eval(), (x(2, 3),)),
}  # fmt: skip


REFUSED = {
    "training": (nn.BatchNorm2d(3), (x(2, 3, 4, 4),), r"statistics of the batch.*eval\(\)"),
    "instance_training": (
        nn.InstanceNorm2d(3, track_running_stats=True).train(), (x(2, 3, 4, 4),),
        "running statistics"),
    "functional_training": (
        Bare(lambda a, *b: aten._native_batch_norm_legit_functional(a, *b, True, 0.1, 1e-5)[0],
             (3,), (3,), (3,), (3,)), (x(2, 3, 4),), "statistics of the batch"),
}  # fmt: skip

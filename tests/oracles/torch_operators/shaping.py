"""Calls of shape operators: common forms, and edge cases."""

import torch
from torch.nn import functional as F  # noqa: N812 - its usual name

from oracles.torch_operators.drawn import whole, x

aten = torch.ops.aten

CASES = {
    "view": (lambda a: a.view(6, 4), (x(2, 3, 4),)),
    "view_1": (lambda a: a.view(-1), (x(2, 3, 4),)),
    "reshape_middle": (lambda a: a.reshape(2, 2, 3, 5), (x(2, 6, 5),)),
    "item": (lambda a, k: a[k.item()] * 2, (x(4, 3), torch.tensor(2))),
    "flatten": (lambda a: a.flatten(1), (x(2, 3, 4),)),
    "flatten_all": (lambda a: a.flatten() + a.ravel(), (x(2, 3),)),
    "unflatten": (lambda a: a.unflatten(1, (2, 3)), (x(2, 6, 2),)),
    "squeeze": (lambda a: a.squeeze(), (x(2, 1, 3, 1),)),
    "squeeze_one": (lambda a: a.squeeze(1), (x(2, 1, 3, 1),)),
    "unsqueeze": (lambda a: a[:, None, :, None], (x(2, 3),)),
    "view_as": (lambda a, b: a.view_as(b), (x(2, 6), x(3, 4))),
    "permute": (lambda a: a.permute(2, 0, 1), (x(2, 3, 4),)),
    "transpose": (lambda a: a.transpose(-1, 0), (x(2, 3, 4),)),
    "t": (lambda a: a.t() + a.T + a.mT, (x(3, 3),)),
    "T_of_one_axis": (lambda a: a.T * 2, (x(3),)),
    "numpy_T": (
        lambda a: (torch.ops.aten.numpy_T(a), torch.ops.aten.numpy_T(a[0])), (x(2, 3, 4, 5),)),
    "mT_mH": (lambda a: (a.mT, a.mH * 2, a.adjoint(), a[0].H), (x(2, 3, 4),)),
    "swapaxes": (lambda a: a.swapaxes(0, 1), (x(2, 3),)),
    "movedim": (lambda a: a.movedim(0, 2), (x(2, 3, 4),)),
    "movedim_two": (lambda a: a.movedim((0, 1), (2, 0)), (x(2, 3, 4),)),
    "expand": (lambda a: a.expand(4, 2, -1), (x(2, 3),)),
    "expand_as": (lambda a, b: a.expand_as(b) + b, (x(2, 1), x(2, 3))),
    "broadcast_to": (lambda a: a.broadcast_to(2, 3), (x(3),)),
    "repeat": (lambda a: a.repeat(2, 1, 3), (x(2, 3),)),
    "tile": (lambda a: a.tile(2), (x(2, 3),)),
    "repeat_interleave": (lambda a: a.repeat_interleave(2, dim=1), (x(2, 3),)),
    "repeat_interleave_all": (lambda a: a.repeat_interleave(3), (x(2, 3),)),
    "cat": (lambda a, b: torch.cat([a, b, a], 1), (x(2, 3), x(2, 1))),
    "cat_mixed": (lambda a, b: torch.cat([a, b]), (x(2), whole(3))),
    "stack": (lambda a, b: torch.stack([a, b], -1), (x(2, 3), x(2, 3))),
    "hstack": (
        lambda a, b: torch.hstack([a, b]) + torch.vstack([a, b]).view(2, 6), (x(2, 3), x(2, 3))),
    "chunk": (lambda a: a.chunk(3, 1)[::-1], (x(2, 7),)),
    "chunk_1": (lambda a: a.chunk(1, 1)[0] + 1, (x(2, 7),)),
    "split": (lambda a: a.split(2, 1), (x(2, 5),)),
    "split_sizes": (lambda a: a.split([1, 3, 1], 1)[1], (x(2, 5),)),
    "tensor_split": (lambda a: a.tensor_split(2, 1), (x(2, 5),)),
    "tensor_split_places": (lambda a: a.tensor_split((1, 4), 1), (x(2, 5),)),
    "unbind": (lambda a: a.unbind(1), (x(2, 3),)),
    "select": (lambda a: a[:, -1] + a[0], (x(2, 2),)),
    "slice": (lambda a: a[:, 1:-1, ::2], (x(2, 5, 6),)),
    "slice_far": (lambda a: a[:, -3:100], (x(2, 5),)),
    "narrow": (lambda a: a.narrow(1, 1, 2), (x(2, 5),)),
    "ellipsis": (lambda a: a[..., 0], (x(2, 3, 4),)),
    "flip": (lambda a: a.flip(0, 1), (x(2, 3, 4),)),
    "roll": (lambda a: a.roll((1, -2), (0, 1)), (x(2, 5),)),
    "roll_all": (lambda a: a.roll(2), (x(2, 5),)),
    "rot90": (lambda a: torch.rot90(a), (x(2, 3),)),
    "channel_shuffle": (lambda a: F.channel_shuffle(a, 2), (x(1, 6, 2, 2),)),
    "unfold": (lambda a: a.unfold(1, 3, 2), (x(2, 8),)),
    "im2col": (lambda a: F.unfold(a, 2, padding=1, stride=2), (x(1, 2, 4, 5),)),
    "fold": (lambda a: F.fold(a, (5, 6), (2, 3), padding=1, stride=2), (x(2, 18, 9),)),
    "fold_dilated": (
        lambda a: F.fold(a, (7, 6), 3, dilation=(2, 1), padding=(2, 0)), (x(1, 18, 28),)),
    "fold_unbatched": (lambda a: F.fold(a, (4, 6), (2, 3), stride=(2, 3)), (x(12, 4),)),
    "fold_apart": (lambda a: F.fold(a, (7, 5), 2, stride=3), (x(2, 8, 4),)),
    "fold_rest": (lambda a: F.fold(a, (6, 6), 3, stride=2, padding=1), (x(2, 18, 9),)),
    "fold_row": (lambda a: F.fold(a, (1, 9), (1, 4)), (x(2, 4, 6),)),
    "fold_infinite": (
        lambda a: F.fold(a / a.relu(), (4, 4), 2).isinf(), (x(1, 4, 9),)),
    "diagonal": (lambda a: a.diagonal(), (x(3, 4),)),
    "tril": (lambda a: a.tril() + a.triu(1), (x(2, 4, 4),)),
    "meshgrid": (lambda a, b: torch.meshgrid(a, b, indexing="ij"), (x(2), x(3))),
    "atleast": (lambda a: torch.atleast_2d(a) + 1, (x(3),)),
    "contiguous": (lambda a: a.t().contiguous().detach().clone() * 2, (x(2, 3),)),
    "_reshape_copy": (lambda a: aten._reshape_copy(a, [6]), (x(2, 3),)),
    "_unsafe_view": (lambda a: aten._unsafe_view(a, [6]), (x(2, 3),)),
    "concatenate": (lambda a: torch.concatenate([a, a]) + torch.concat([a, a]), (x(2),)),
    "swapdims": (lambda a: torch.swapdims(a, 0, 1), (x(2, 3),)),
    "identity": (lambda a: a, (x(2),)),
    "two_of_one": (lambda a: (a + 1, a + 1, a), (x(2),)),
}  # fmt: skip


REFUSED = {
    "bits": (lambda a: a.view(torch.int32), (x(3),), "another dtype"),
    "repeats": (lambda a, r: a.repeat_interleave(r), (x(2), whole(2, low=1)), "repeat"),
    "empty": (lambda a: a[:0], (x(3),), "empty tensor"),
    "many_windows": (lambda a: a.unfold(0, 2, 1), (x(100),), "99 windows"),
}  # fmt: skip

"""Calls of resampling operators: common forms, and edge cases."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from oracles.torch_operators.drawn import unit, whole, x

aten = torch.ops.aten


def _interpolate(**kwargs):
    return lambda a: F.interpolate(a, **kwargs)


CASES = {
    "nearest_2": (_interpolate(scale_factor=2), (x(1, 2, 3, 4),)),
    "nearest_size": (_interpolate(size=(7, 5)), (x(1, 2, 3, 4),)),
    "nearest_1d": (_interpolate(scale_factor=3), (x(1, 2, 3),)),
    "nearest_3d": (_interpolate(scale_factor=2), (x(1, 2, 2, 3, 2),)),
    "nearest_down": (_interpolate(scale_factor=0.5), (x(1, 2, 7, 8),)),
    "nearest_odd_scale": (_interpolate(scale_factor=1.7), (x(1, 2, 7, 8),)),
    "nearest_exact": (_interpolate(size=(7, 5), mode="nearest-exact"), (x(1, 2, 3, 4),)),
    "nearest_exact_1d": (_interpolate(size=5, mode="nearest-exact"), (x(1, 2, 3),)),
    "nearest_exact_3d": (
        _interpolate(size=(3, 2, 5), mode="nearest-exact"), (x(1, 1, 2, 3, 2),)),
    "nearest_1d_odd_scale": (_interpolate(scale_factor=2.3), (x(1, 2, 2),)),
    "bilinear_odd_whole": (_interpolate(scale_factor=2.3, mode="bilinear"), (x(1, 2, 2, 2),)),
    "bilinear_2": (_interpolate(scale_factor=2, mode="bilinear"), (x(1, 2, 3, 4),)),
    "bilinear_3_2": (_interpolate(scale_factor=(3, 2), mode="bilinear"), (x(2, 2, 3, 4),)),
    "bilinear_aligned": (
        _interpolate(scale_factor=2, mode="bilinear", align_corners=True), (x(1, 2, 3, 4),)),
    "bilinear_size": (_interpolate(size=(7, 5), mode="bilinear"), (x(1, 2, 3, 4),)),
    "bilinear_down": (_interpolate(size=(3, 3), mode="bilinear"), (x(1, 2, 7, 8),)),
    "bilinear_odd_scale": (_interpolate(scale_factor=1.7, mode="bilinear"), (x(1, 2, 7, 8),)),
    "bilinear_recomputed": (
        _interpolate(scale_factor=1.7, mode="bilinear", recompute_scale_factor=True),
        (x(1, 2, 7, 8),)),
    "bilinear_same_extents": (_interpolate(scale_factor=1.2, mode="bilinear"), (x(1, 2, 4, 3),)),
    "bilinear_halved": (_interpolate(scale_factor=0.5, mode="bilinear"), (x(1, 2, 6, 8),)),
    "linear_1d": (_interpolate(scale_factor=2, mode="linear"), (x(1, 2, 5),)),
    "linear_aligned": (_interpolate(size=9, mode="linear", align_corners=True), (x(1, 2, 5),)),
    "trilinear": (_interpolate(scale_factor=2, mode="trilinear"), (x(1, 2, 2, 3, 2),)),
    "bicubic": (_interpolate(scale_factor=2, mode="bicubic"), (x(1, 2, 3, 4),)),
    "bicubic_aligned": (
        _interpolate(size=(5, 9), mode="bicubic", align_corners=True), (x(1, 2, 3, 4),)),
    "upsampling": (nn.Upsample(scale_factor=2, mode="nearest"), (x(1, 1, 2, 2),)),
    "antialiased_down": (
        _interpolate(size=(3, 2), mode="bilinear", antialias=True), (x(2, 2, 7, 8),)),
    "antialiased_scale": (
        _interpolate(scale_factor=(0.4, 0.3), mode="bilinear", antialias=True), (x(1, 2, 9, 8),)),
    "antialiased_halved": (
        _interpolate(scale_factor=0.5, mode="bilinear", antialias=True), (x(1, 2, 6, 8),)),
    "antialiased_up": (
        _interpolate(scale_factor=2, mode="bilinear", antialias=True), (x(1, 2, 3, 4),)),
    "antialiased_aligned": (
        _interpolate(size=(6, 8), mode="bilinear", antialias=True, align_corners=True),
        (x(1, 2, 3, 4),)),
    "antialiased_both": (
        _interpolate(size=(7, 3), mode="bilinear", antialias=True), (x(1, 1, 4, 8),)),
    "antialiased_cubic": (
        _interpolate(size=(3, 5), mode="bicubic", antialias=True), (x(1, 2, 8, 11),)),
    "antialiased_cubic_scale": (
        _interpolate(scale_factor=0.4, mode="bicubic", antialias=True), (x(1, 2, 9, 8),)),
    "antialiased_cubic_up": (
        _interpolate(size=(9, 8), mode="bicubic", antialias=True, align_corners=True),
        (x(1, 2, 4, 3),)),
    **{
        f"grid_{mode}_{border}_{corners}": (
            lambda a, g, mode=mode, border=border, corners=corners: F.grid_sample(
                a, g * 1.7, mode=mode, padding_mode=border, align_corners=corners),
            (x(2, 3, 4, 5), unit(2, 3, 6, 2)))
        for mode in ("bilinear", "nearest", "bicubic")
        for border in ("zeros", "border", "reflection")
        for corners in (True, False)
    },
    "grid_3d": (
        lambda a, g: F.grid_sample(a, g, padding_mode="reflection", align_corners=False),
        (x(1, 2, 3, 4, 5), unit(1, 2, 3, 2, 3))),
    "grid_sampler_2d": (
        lambda a, g: aten.grid_sampler_2d(a, g, 0, 1, True), (x(1, 2, 4, 3), unit(1, 2, 3, 2))),
    "grid_sampler_3d": (
        lambda a, g: aten.grid_sampler_3d(a, g, 1, 0, False),
        (x(1, 2, 2, 4, 3), unit(1, 2, 2, 3, 3))),
    "grid_one_element": (
        lambda a, g: F.grid_sample(a, g, padding_mode="reflection", align_corners=True),
        (x(1, 2, 1, 3), unit(1, 2, 3, 2))),
    "grid_affine": (
        lambda a, t: F.grid_sample(
            a, F.affine_grid(t, (2, 3, 5, 4), align_corners=False), align_corners=False),
        (x(2, 3, 4, 5), x(2, 2, 3))),
    "pixel_shuffle": (nn.PixelShuffle(2), (x(2, 8, 3, 2),)),
    "pixel_shuffle_unbatched": (nn.PixelShuffle(2), (x(8, 3, 2),)),
    "pixel_unshuffle": (nn.PixelUnshuffle(3), (x(2, 2, 6, 3),)),
}  # fmt: skip


REFUSED = {
    "integers": (
        _interpolate(size=(2, 2), mode="bilinear"),
        (whole(1, 1, 4, 4, low=0, dtype=torch.uint8),), "interpolates integers"),
}  # fmt: skip

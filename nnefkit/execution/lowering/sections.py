"""The modules of lowerings: one for each section of chapter 4, in every engine alike."""

from __future__ import annotations

from importlib import import_module

SECTIONS = (
    "activation",
    "box",
    "convolution",
    "elementwise",
    "joining",
    "linear_algebra",
    "normalization",
    "pooling",
    "quantization",
    "reduction",
    "region_of_interest",
    "resampling",
    "shaping",
    "slicing",
)


def import_sections(package: str) -> None:
    """Import the modules of an engine's package that register its lowerings."""
    for section in SECTIONS:
        import_module(f"{package}.{section}")

"""Numbers, sizes, times, shapes and names as the displays write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import SupportsIndex

LARGEST = 10**307
"""Integers from here on are not written: few of them fit into a float, or can be converted."""
_ALL_DIGITS = 10**24
_EXTENTS, _LAST_EXTENTS = 6, 2
# Shapes of more extents are shortened.
_MAX_EXTENTS = 12


def number(value: float | None) -> str:
    """Three significant digits, all digits of an integral part: ``-0.0788``, ``25.2``, ``1,234``.

    Magnitudes from 1e6 and below 1e-4 are written as ``3.4e38``, ``8.7e-5``, None as ``""``.
    """
    if value is None:
        return ""
    if abs(value) >= LARGEST and isinstance(value, int):
        return integer(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    magnitude = abs(value)
    if magnitude == 0:
        return "0"
    if magnitude >= 999_999.5 or magnitude < 1e-4:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{_trimmed(mantissa)}e{int(exponent)}"
    if magnitude >= 99.95:
        return f"{value:,.0f}"
    return _trimmed(f"{value:.{_places(magnitude)}f}")


def _places(magnitude: float) -> int:
    """Decimal places that leave three significant digits."""
    return 2 - math.floor(math.log10(float(f"{magnitude:.2e}")))


def _trimmed(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def count(value: int | None) -> str:
    """All digits, in groups of three: ``101,390``; ``""`` for None."""
    return "" if value is None else integer(value, grouped=True)


def integer(value: int, *, grouped: bool = False) -> str:
    """All digits of an integer below 1e24, otherwise three: ``1e24``, ``over 1e307``."""
    if -_ALL_DIGITS < value < _ALL_DIGITS:
        return f"{value:,}" if grouped else f"{value}"
    if -LARGEST < value < LARGEST:
        return number(float(value))
    return "over 1e307" if value > 0 else "below -1e307"


def quantity(value: float | None) -> str:
    """Three significant digits and a decimal prefix: ``7.37 M``; ``""`` for None."""
    return "" if value is None else _scaled(value, 1000, ("", "k", "M", "G", "T", "P"), "")


def size(value: int | None) -> str:
    """Bytes with a binary prefix: ``384 KiB``; ``""`` for None."""
    return "" if value is None else _scaled(value, 1024, ("", "Ki", "Mi", "Gi", "Ti", "Pi"), "B")


def _scaled(value: float, base: int, prefixes: Sequence[str], unit: str) -> str:
    if abs(value) >= LARGEST:
        return f"{number(value)} {unit}".rstrip()
    step = 0
    # Values that round up to the next prefix take it: 999.9 k is 1 M.
    while abs(value) >= base - 0.5 and step < len(prefixes) - 1:
        value /= base
        step += 1
    return f"{number(value)} {prefixes[step]}{unit}".rstrip()


def duration(seconds: float | None) -> str:
    """Seconds with a fitting unit: ``180 µs``, ``24.1 ms``, ``3 min 20 s``; ``""`` for None."""
    if seconds is None:
        return ""
    if not math.isfinite(seconds) or seconds == 0:
        return f"{number(seconds)} s"
    if seconds >= 99.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    if seconds >= 0.9995:
        return f"{number(seconds)} s"
    if seconds >= 0.9995e-3:
        return f"{number(seconds * 1e3)} ms"
    return f"{number(seconds * 1e6)} µs"


def shape(extents: Sequence[int] | None) -> str:
    """``1×24×64×64``; ``()`` for rank 0, ``?`` if unknown; many axes are only counted."""
    return "?" if extents is None else product(extents) or "()"


def product(extents: Sequence[int]) -> str:
    """``3×3``; of many extents the first and the last: ``1×1×1×1×1×1×…×1×1 (100 axes)``."""
    if len(extents) <= _MAX_EXTENTS:
        return "×".join(map(_extent, extents))
    first, last = map(product, (extents[:_EXTENTS], extents[-_LAST_EXTENTS:]))
    return f"{first}×…×{last} ({len(extents):,} axes)"


def _extent(extent: object) -> str:
    if type(extent) is int:
        return integer(extent)
    # Extents of a graph that was not checked may be anything.
    return integer(int(extent)) if isinstance(extent, SupportsIndex) else "?"


def typed_shape(dtype: str, extents: Sequence[int] | None) -> str:
    """``float32 1×24×64×64``, ``float 1×24×64×64``.

    The NNEF data-type ``scalar`` is written as ``float``, as ``scalar 1×3`` reads as rank 0.

    Args:
        dtype: An NNEF data-type, or the NumPy dtype of an array.
        extents: The shape, None if it is unknown.
    """
    return f"{'float' if dtype == 'scalar' else dtype} {shape(extents)}"


def percent(share: float | None) -> str:
    """Whole percents; a share below 1 or above 0 never rounds to 100% or 0%."""
    if share is None or math.isnan(share):
        return ""
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 < share < 1:
        return ">99%"
    return f"{share:.0%}"


def plural(amount: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{count(amount)} {noun}" if amount == 1 else f"{count(amount)} {noun}s"


def shorten_path(path: str, limit: int = 60) -> str:
    """`path` without its first folders if it is longer than `limit`: ``…/net/graph.nnef``."""
    if len(path) <= limit:
        return path
    parts = path.replace("\\", "/").split("/")
    shown = parts[-1]
    for part in reversed(parts[:-1]):
        if len(shown) + len(part) + 3 > limit:
            break
        shown = f"{part}/{shown}"
    return shorten(f"…/{shown}", limit)


def shorten(name: str, limit: int = 32) -> str:
    """`name` without its middle if it is longer than `limit`."""
    if len(name) <= limit:
        return name
    tail = (limit - 1) // 2
    return f"{name[: limit - 1 - tail]}…{name[len(name) - tail :]}"

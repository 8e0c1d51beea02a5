"""Targets of the fuzzers: how inputs are drawn and checked, and the faults that are found."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import nnefkit as nk

READ, REFUSED = "read", "refused"
"""Outcomes of an input: it was accepted, or it ended in an `NnefError`."""


class Fault(AssertionError):  # noqa: N818 - a finding
    """A promise that an input breaks.

    Attributes:
        kind: The promise in a few words, the same for all inputs that break it in the same way.
    """

    def __init__(self, kind: str, details: object = "") -> None:
        self.kind = kind
        super().__init__(f"{kind}: {details}" if details else kind)


@dataclass(frozen=True)
class Target:
    """One kind of input."""

    name: str
    suffix: str
    """The ending of files that hold an input."""
    draw: Callable[[Any], bytes]
    """Draws an input, given a `random.Random`."""
    check: Callable[[bytes, Any], str]
    """Checks all promises for an input and returns its outcome. The second argument is a
    `random.Random` that chooses among expensive promises, or None to check all of them."""
    smaller: Callable[[bytes], Iterator[bytes]]
    """Smaller inputs that are similar to one."""
    seconds: float = 1.0
    """Largest processor time of an input."""
    seconds_per_byte: float = 1e-3
    mebibytes: int = 300
    """Largest growth of the resident memory of the process."""
    patience: float = 10.0
    """Seconds of processor time, in addition to twenty times the largest one, after which an input
    is stopped."""


def attempt(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, Any]:
    """Return the result of a call and None, or None and the `NnefError` that it raises."""
    try:
        return function(*arguments, **options), None
    except nk.NnefError as error:
        check_error(error)
        return None, error


def check_error(error: nk.NnefError) -> None:
    """Check what every error of ours promises."""
    expect(bool(error.diagnostics), "error without diagnostics", repr(error))
    for diagnostic in error.diagnostics:
        expect(bool(diagnostic.message), "diagnostic without a message", diagnostic)
    expect_printable(str(error), "error")


def expect(holds: bool, kind: str, details: object = "") -> None:
    """Raise a `Fault` unless a promise holds."""
    if not holds:
        raise Fault(kind, details)


def expect_printable(text: str, kind: str) -> None:
    """Expect text for a terminal: no control characters, nothing that cannot be encoded."""
    for line in text.split("\n"):
        expect(line.isprintable(), f"{kind} with control characters", ascii(line[:200]))


def chosen(chance: Any, share: float) -> bool:
    """Return whether to check an expensive promise."""
    return chance is None or chance.random() < share


def ours_only(check: Callable[[], str]) -> str:
    """Run a check; foreign warnings are faults."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", module=r"(onnx|torch|tract)")
        return check()


def kind_of(error: BaseException) -> str:
    """Return what identifies a fault: the broken promise, or the exception and its place."""
    if isinstance(error, Fault):
        return error.kind
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "/nnefkit/" in frame.filename
    ]
    place = ""
    if frames:
        module = frames[-1].filename.rpartition("/nnefkit/")[2].removesuffix(".py")
        place = f" in {module.replace('/', '.')}.{frames[-1].name}"
    return f"{type(error).__name__}{place}"

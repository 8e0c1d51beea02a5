"""The limits on what reading one model may cost."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Self

from nnefkit.errors import InputError


@dataclass(frozen=True)
class Budget:
    """Limits on what reading one model may cost, since a short file can demand endless work.

    They apply to the calls inside of a ``with`` block: `nnefkit.load`, `parse`, `validate`,
    `from_onnx` and `from_tensorflow`. Outside of any block, the default values apply. A block
    affects its own thread or asynchronous task only.

    Attributes:
        steps: Number of operations, fragment calls and loop iterations of one document; 100
            elements of an array that is computed, copied or searched count as one step.
        bytes: Memory for arrays that are computed while a model is read, beyond four times the
            size of the data in the file.
        seconds: Time for the computations.

    Example:
        >>> with nk.Budget(steps=1_000_000, seconds=300):
        ...     graph = nk.parse("version 1.0; graph g(x) -> (y) {"
        ...                      " x = external(shape = [1]); y = relu(x); }")
        >>> graph.name
        'g'
    """

    steps: int = 300_000
    bytes: int = 2**31
    seconds: float = 60.0

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise InputError(
                    f"'{limit.name}' of a budget must be a positive number, not {value!r}"
                )

    def __enter__(self) -> Self:
        _blocks.set((*_blocks.get(), self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _blocks.set(_blocks.get()[:-1])

    def exceeded(self, steps: float, size: float, seconds: float) -> tuple[str, str]:
        """Return the exceeded limit and the name of its attribute, empty strings if there is none.

        Args:
            steps: The steps so far.
            size: The bytes so far.
            seconds: The time so far.
        """
        if steps > self.steps:
            return f"{self.steps} steps", "steps"
        if size > self.bytes:
            return f"{self.bytes} bytes", "bytes"
        if seconds > self.seconds:
            return f"{self.seconds:g} seconds", "seconds"
        return "", ""


_blocks: ContextVar[tuple[Budget, ...]] = ContextVar("budgets", default=(Budget(),))


def current_budget() -> Budget:
    """Return the limits that are in effect."""
    return _blocks.get()[-1]


def remedy(attribute: str, call: str) -> str:
    """Return the hint on how to raise a limit for a call."""
    return f"If you trust the file: with nnefkit.Budget({attribute}=...): {call}"

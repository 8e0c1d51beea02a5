"""The configuration of a layer; what a reader does not ask for must not matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from nnefkit.exchange.refusal import Refusal

INVALID = "The model breaks the rules of its layers: save it again."
_IGNORED = frozenset(
    ("name", "trainable", "dtype", "batch_input_shape", "batch_shape", "input_shape", "seed")
).union(
    ("activity_regularizer", "noise_shape", "dropout", "recurrent_dropout", "rate", "stddev"),
    ("momentum", "implementation", "unroll", "unit_forget_bias", "input_length", "autocast"),
    ("synchronized", "renorm_momentum", "renorm_clipping", "l1", "l2", "virtual_batch_size"),
    ("flash_attention", "shared_object_id", "sparse", "ragged", "optional", "input_dtype"),
)
"""Options that matter only in training, or for the building of the model."""
_IGNORED_ENDINGS = ("_initializer", "_regularizer", "_constraint")


class Options:
    """The options of a layer, by name.

    Args:
        config: The configuration of the layer.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Return an option, or its default in Keras."""
        self._asked.add(name)
        return self._config.get(name, default)

    def integer(self, name: str, default: int | None = None) -> int:
        """Return an integer.

        Raises:
            Refusal: It is not one.
        """
        value = self.get(name, default)
        if not _is_integer(value):
            self._refuse(name, value)
        return int(value)

    def number(self, name: str, default: float) -> float:
        """Return a number.

        Raises:
            Refusal: It is not one.
        """
        value = self.get(name, default)
        if isinstance(value, Mapping):
            value = _array_value(value)  # As tf.keras writes NumPy's scalars.
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._refuse(name, value)
        return float(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a truth value.

        Raises:
            Refusal: It is not one.
        """
        value = self.get(name, default)
        if value not in (True, False, None):
            self._refuse(name, value)
        return bool(value)

    def text(self, name: str, default: str = "", *choices: str) -> str:
        """Return a string in lower case, one of the choices if there are any.

        Raises:
            Refusal: It is not one.
        """
        value = self.get(name, default)
        if value is None:
            value = default
        if not isinstance(value, str) or (choices and value.lower() not in choices):
            self._refuse(name, value)
        return value.lower()

    def integers(self, name: str, count: int, default: Any = None) -> list[int]:
        """Return an integer for each of some axes; a single one counts for all.

        Raises:
            Refusal: They are not integers, or not as many.
        """
        value = self.get(name, default)
        if isinstance(value, int) and not isinstance(value, bool):
            value = [value] * count
        is_list = isinstance(value, (list, tuple)) and len(value) == count
        if not is_list or not all(map(_is_integer, value)):
            self._refuse(name, value)
        return [*value]

    def positive(self, name: str, count: int, default: Any = None) -> list[int]:
        """Return a positive integer for each of some axes; see `integers`.

        Raises:
            Refusal: One is not positive.
        """
        values = self.integers(name, count, default)
        if min(values, default=1) < 1:
            self._refuse(name, values)
        return values

    def axes(self, name: str, default: int | Sequence[int], rank: int) -> list[int]:
        """Return axes, counted from the front, in order.

        Raises:
            Refusal: The tensor has no such axis.
        """
        value = self.get(name, default)
        listed = [value] if isinstance(value, int) else value
        if not isinstance(listed, (list, tuple)):
            self._refuse(name, value)
        axes = []
        for axis in listed:
            if isinstance(axis, bool) or not isinstance(axis, int) or not -rank <= axis < rank:
                self._refuse(name, value)
            axes.append(axis % rank)
        if len({*axes}) != len(axes):
            self._refuse(name, value)
        return sorted(axes)

    def axis(self, name: str, default: int, rank: int) -> int:
        """Return a single axis; see `axes`.

        Raises:
            Refusal: The tensor has no such axis.
        """
        axes = self.axes(name, default, rank)
        if len(axes) != 1:
            self._refuse(name, axes)
        return axes[0]

    def check(self) -> None:
        """Refuse options that were not asked for, and are not those of training.

        Raises:
            Refusal: There are such options.
        """
        for name, value in self._config.items():
            is_ignored = name in _IGNORED or name.endswith(_IGNORED_ENDINGS)
            if name in self._asked or is_ignored or _is_nothing(value):
                continue
            raise Refusal(
                f"its option '{name}' = {value!r:.60} is not known",
                "Leave it out, or export the model to ONNX or TFLite.",
            )

    def _refuse(self, name: str, value: Any) -> NoReturn:
        raise Refusal(f"its option '{name}' is {value!r:.60}", INVALID)


def _is_integer(value: Any) -> bool:
    """Return whether a value is an integer that extents and attributes can have."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31


def _is_nothing(value: Any) -> bool:
    return (
        value is None
        or value is False
        or (not isinstance(value, bool) and value in (0, "", [], {}))
    )


def _array_value(value: Mapping[str, Any]) -> Any:
    inner = value.get("config")
    return inner.get("value") if isinstance(inner, Mapping) else None

"""Calls of MXNet's operators.

A reader takes a `Call` and returns the values that the operator computes: one, or a list of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.bounded_call import BoundedCall
from nnefkit.exchange.mxnet import attribute_values
from nnefkit.exchange.mxnet.model import SymbolNode
from nnefkit.exchange.source_value import Value
from nnefkit.registry import Registry

READERS = Registry()
"""Name of an operator -> its reader."""
operator = READERS.register

INVALID = "The symbol breaks the rules of its operators: load it in MXNet, and save it again."
_UNREAD = frozenset(
    (
        *("workspace", "cudnn_tune", "cudnn_off", "cudnn_algo_verbose", "num_args", "name"),
        *("lr_mult", "wd_mult", "ctx_group", "force_mirroring", "mirror_stage", "ctx"),
        *("grad_scale", "normalization", "ignore_label", "use_ignore", "out_grad", "smooth_alpha"),
        *("valid_thresh", "momentum", "sparse_grad", "margin", "regularization_coefficient"),
        *("use_linear", "sparseness_target", "penalty", "key", "ndev", "min_calib_range"),
        *("max_calib_range", "multi_precision", "lhs_begin_stype", "num_weights", "is_int"),
    )
)
"""Attributes that change nothing of what a network computes when it is not trained."""
_T = TypeVar("_T")


@dataclass(eq=False)
class Call(BoundedCall):
    """A node of a symbol."""

    node: SymbolNode = field(repr=False)
    inputs: Sequence[Value]
    allowance: Allowance = field(repr=False)
    batch: int | None = field(default=None, repr=False)
    """The extent that MXNet infers where states of zeros have none."""
    unknown: list[str] = field(default_factory=list, repr=False)
    """The names of nodes that need it."""
    read: set[str] = field(default_factory=set, repr=False)
    """The attributes that were read."""

    @property
    def invalid_hint(self) -> str:
        """A hint for symbols that are not valid."""
        return INVALID

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.node.name

    # -- inputs -------------------------------------------------------------------------------

    def __getitem__(self, index: int) -> Value:
        if index >= len(self.inputs):
            self.invalid(f"its input {index} is missing")
        return self.inputs[index]

    def get(self, index: int) -> Value | None:
        """Return an optional input, or None if it is not given."""
        return self.inputs[index] if index < len(self.inputs) else None

    def ranked(self, *ranks: int, index: int = 0) -> Value:
        """Return an input that must have one of some ranks.

        Raises:
            Refusal: It has another one.
        """
        x = self[index]
        if x.rank not in ranks:
            wanted = " or ".join(map(str, ranks))
            self.invalid(f"its input {index} has rank {x.rank}, not {wanted}")
        return x

    def shaped(self, index: int, shape: Sequence[int], what: str) -> Value:
        """Return an input that must have a shape.

        Args:
            index: Its position.
            shape: The shape.
            what: What it is, for the message.

        Raises:
            Refusal: It has another one.
        """
        value = self[index]
        if value.shape != tuple(shape):
            found, wanted = ("×".join(map(str, s)) or "one number" for s in (value.shape, shape))
            self.invalid(f"its {what} is {found}, not {wanted}")
        return value

    # -- attributes ---------------------------------------------------------------------------

    def _attribute(self, name: str, default: _T, parse: Callable[[str], _T], what: str) -> _T:
        self.read.add(name)
        text = self.node.attributes.get(name)
        if text is None or text in attribute_values.MISSING:
            return default
        try:
            return parse(text)
        except ValueError:
            self.invalid(f"its '{name}' is '{text[:60]}', which is not {what}")

    def has(self, name: str) -> bool:
        """Return whether an attribute is given."""
        self.read.add(name)
        return self.node.attributes.get(name) not in (None, *attribute_values.MISSING)

    def text(self, name: str, default: str, choices: Sequence[str] = ()) -> str:
        """Return an attribute that is a word.

        Raises:
            Refusal: It is not one of those that the operator has.
        """
        word = self._attribute(name, default, str, "a word")
        if choices and word not in choices:
            self.refuse(f"its '{name}' is '{word[:60]}'", f"It may be {', '.join(choices)}.")
        return word

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a logical attribute."""
        return self._attribute(name, default, attribute_values.is_true, "true or false")

    def integer(self, name: str, default: int | None = None) -> int:
        """Return an integer attribute; it must be given if it has no default.

        Raises:
            Refusal: It is missing, or not an integer.
        """
        number = self._attribute(name, default, attribute_values.integer, "an integer")
        if number is None:
            self.invalid(f"its '{name}' is missing")
        return number

    def optional_integer(self, name: str) -> int | None:
        """Return an integer attribute, or None if it is not given."""
        return self._attribute(name, None, attribute_values.integer, "an integer")

    def axis_or_all(self, default: int) -> int | None:
        """Return the attribute `axis`, which has a default, and may be None for all axes."""
        if self.node.attributes.get("axis") == "None":
            self.read.add("axis")
            return None
        return self.integer("axis", default)

    def real(self, name: str, default: float | None = None) -> float:
        """Return an attribute that is a number; it must be given if it has no default.

        Raises:
            Refusal: It is missing, or not a number.
        """
        number = self._attribute(name, default, float, "a number")
        if number is None:
            self.invalid(f"its '{name}' is missing")
        return number

    def reals(self, name: str, default: Sequence[float]) -> list[float]:
        """Return an attribute that is a row of numbers."""
        parse = attribute_values.real_numbers
        return self._attribute(name, [*default], parse, "a row of numbers")

    def integers(self, name: str, default: Sequence[int] = ()) -> list[int]:
        """Return an attribute that is a row of integers."""
        parse = attribute_values.integers
        return self._attribute(name, [*default], parse, "a row of integers")

    def optional_integers(self, name: str) -> list[int | None]:
        """Return an attribute that is a row of integers, some of which may be None."""
        parse = attribute_values.optional_integers
        return self._attribute(name, [], parse, "a row of integers")

    def unread(self) -> list[str]:
        """Return the attributes that the reader does not know."""
        return [
            name
            for name, value in self.node.attributes.items()
            if name not in self.read
            and name not in _UNREAD
            and not name.startswith("__")
            and not any(name.endswith(f"_{noted}") for noted in ("lr_mult", "wd_mult"))
            and value not in attribute_values.MISSING
        ]

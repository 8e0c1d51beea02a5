"""The shapes for which a converted graph computes what its source does.

Everything that depends only on extents is computed while a source is converted: bounds, numbers of
elements, whole constants. The graph therefore records the shapes of its inputs, and accepts others
only if converting the source for them would yield the same operations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nnefkit.errors import InputError
from nnefkit.graph.operation import Operation

Shapes = Mapping[str, Sequence[int]]

EXTENTS = "extents"
"""The key of the record in ``Graph.provenance``."""

_MARK = "# converted for:"
_LINE = re.compile(r"^[ \t]*# converted for:(?P<shapes>.*)$", re.MULTILINE)
_INPUT = re.compile(r"\s*(?P<name>[A-Za-z_]\w*) = \[(?P<axes>[^\[\]]*)\]\s*(?:,|$)")
_AXIS = re.compile(
    r"\s*(?P<extent>[0-9]{1,18})"
    r"(?: as (?P<name>\w+))?(?: in (?P<least>[0-9]{1,18})\.\.(?P<most>[0-9]{1,18}))?\s*"
)
_AGAIN = "Convert the source with an example of these shapes"


class Range(NamedTuple):
    """The extents that an axis may have."""

    least: int
    most: int
    name: str = ""
    """Axes with the same name have the same extent."""


@dataclass(frozen=True, eq=False)
class ConvertedExtents:
    """The shapes that a graph was converted for, by the names of its inputs."""

    shapes: Mapping[str, tuple[int, ...]]
    ranges: Mapping[tuple[str, int], Range] = field(default_factory=dict)
    """(input, axis) -> the smallest and the largest extent that were declared and checked."""
    difference: Callable[[Shapes], str] | None = field(default=None, repr=False)
    """Converts the source for other shapes; returns where the result differs, or an empty string.
    None without a source, as after saving and loading the graph."""
    is_declarable: Callable[[Shapes], bool] = field(default=lambda _: False, repr=False)
    """Returns whether one graph is valid for both shapes, if the axes are declared."""

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the source, which may not be picklable."""
        return {"shapes": self.shapes, "ranges": self.ranges, "difference": None}

    def __deepcopy__(self, memo: Any) -> ConvertedExtents:
        """Return the record itself, since it does not change."""
        return self

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)

    def check(self, wanted: Shapes, current: Shapes) -> None:
        """Check that a graph is valid for other shapes of its inputs.

        Args:
            wanted: The new shapes of some inputs.
            current: The shapes of all inputs of the graph, which may be a part of the one that was
                converted.

        Raises:
            InputError: It is not, or it is not known.
        """
        new = {name: shape for name, shape in wanted.items() if shape != current.get(name)}
        inner = [name for name in new if name not in self.shapes]
        if inner:
            raise InputError(
                f"'{inner[0]}' is not an input of the graph that was converted, so it is not "
                "known whether the results are valid for another shape of it",
                hint="Set the shapes of the inputs of the whole graph before cutting it.",
            )
        asked = self._asked(new, current)
        changed = [*self._changed(asked)]
        if not changed:
            return
        if self.difference is None:
            name, axis = changed[0]
            raise InputError(
                f"the graph was converted for {described(self.shapes)}, and it is not recorded "
                f"which results depend on axis {axis} of '{name}'",
                hint=f"{_AGAIN}, or with dynamic_shapes=... for the axes that may change.",
                section="4.1.1",
            )
        if place := self.difference(asked):
            hint = f"{_AGAIN}: these operations are valid for one shape only."
            if self.is_declarable(asked):
                axes: dict[str, list[int]] = {}
                for name, axis in changed:
                    axes.setdefault(name, []).append(axis)
                hint = (
                    f"{_AGAIN}, or with dynamic_shapes={axes} for a graph that is valid for both."
                )
            raise InputError(
                f"the graph was converted for {described(self.shapes)}, and is not valid for "
                f"{described(asked)}: {place}",
                hint=hint,
                section="4.1.1",
            )

    def allows(self, wanted: Shapes, current: Shapes) -> bool:
        """Return whether shapes of inputs are recorded as valid; see `check`."""
        known = all(name in self.shapes for name, shape in wanted.items() if shape != current[name])
        return known and not any(self._changed(self._asked(wanted, current)))

    def _asked(self, wanted: Shapes, current: Shapes) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all inputs that were converted."""
        return {n: tuple(wanted.get(n, current.get(n, s))) for n, s in self.shapes.items()}

    def _changed(self, asked: Shapes) -> Iterator[tuple[str, int]]:
        """Yield the axes whose extents are neither those of the conversion nor in a range."""
        tied: dict[str, int] = {}
        for name, shape in asked.items():
            known = self.shapes[name]
            if len(shape) != len(known):
                yield name, min(len(shape), len(known))
                continue
            for axis, extent in enumerate(shape):
                allowed = self.ranges.get((name, axis), Range(known[axis], known[axis]))
                tie = extent if not allowed.name else tied.setdefault(allowed.name, extent)
                if not allowed.least <= extent <= allowed.most or extent != tie:
                    yield name, axis

    def covers(self, name: str, shape: Sequence[int]) -> bool:
        """Return whether the shape of an input in a text is recorded."""
        return name in self.shapes and not [*self._changed({name: shape})]

    def comment(self, current: Shapes) -> str:
        """Return the comment that records the shapes of the inputs in a text."""
        parts = []
        for name, shape in current.items():
            axes = [
                f"{extent}{_range(self.ranges.get((name, axis)))}"
                for axis, extent in enumerate(shape)
            ]
            parts.append(f"{name} = [{', '.join(axes)}]")
        return f"{_MARK} {', '.join(parts)}"


def _range(allowed: Range | None) -> str:
    if allowed is None:
        return ""
    tie = f" as {allowed.name}" if allowed.name else ""
    return f"{tie} in {allowed.least}..{allowed.most}"


def described(shapes: Shapes) -> str:
    """Return shapes by name, as in ``x = [2, 3]``."""
    return ", ".join(f"{name} = {[*shape]}" for name, shape in shapes.items())


def recorded(text: str) -> ConvertedExtents | None:
    """Return the record in the comments of a text; None if it has none.

    A record that cannot be read counts as one without shapes.
    """
    if _MARK not in text:
        return None
    line = _LINE.search(text)
    if line is None:
        return None
    shapes: dict[str, tuple[int, ...]] = {}
    ranges: dict[tuple[str, int], Range] = {}
    for given in _INPUT.finditer(line["shapes"]):
        axes = [_AXIS.fullmatch(axis) for axis in given["axes"].split(",") if axis.strip()]
        shapes[given["name"]] = tuple(0 if axis is None else int(axis["extent"]) for axis in axes)
        for number, axis in enumerate(axes):
            if axis is not None and axis["least"]:
                bounds = int(axis["least"]), int(axis["most"])
                ranges[given["name"], number] = Range(*bounds, axis["name"] or "")
    return ConvertedExtents(shapes, ranges)


def input_shapes(operations: Sequence[Operation]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the inputs among some operations, by name."""
    return {
        op.output_names[0]: tuple(op.attribs["shape"])
        for op in operations
        if op.name == "external" and op.output_names
    }


def converted_for(provenance: Mapping[str, Any], operations: Sequence[Operation]) -> str:
    """Return the comment that records the shapes that a graph was converted for, if it was."""
    record = provenance.get(EXTENTS)
    return record.comment(input_shapes(operations)) if record else ""

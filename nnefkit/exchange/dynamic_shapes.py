"""Axes that may have other extents: declared by the user, and checked by converting again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from nnefkit.arguments import expected_mapping
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.exchange.names import identifier
from nnefkit.graph.extents import Range, Shapes, described

LARGEST = 1024
"""The largest extent that is checked for an axis without a stated range."""

_UNBOUNDED = 2**31

Axis = tuple[str, int]


class Convertible(Protocol):
    """A source that can be converted for other shapes of its inputs."""

    shapes: Mapping[str, tuple[int, ...]]

    def difference(self, wanted: Shapes) -> str:
        """Return where the graph for other shapes differs; an empty string if it does not."""


class _DynamicAxes(NamedTuple):
    """Axes that have the same extent."""

    axes: list[Axis]
    extent: int
    least: int
    most: int

    def shapes(self, shapes: Shapes, extent: int) -> dict[str, tuple[int, ...]]:
        """Return shapes with another extent of these axes."""
        new = {name: [*shape] for name, shape in shapes.items()}
        for name, axis in self.axes:
            new[name][axis] = extent
        return {name: tuple(shape) for name, shape in new.items()}


def checked_ranges(
    source: Convertible, names: Mapping[str, str], declared: Any
) -> dict[Axis, Range]:
    """Return the extents that the declared axes may have.

    Args:
        source: The source, which can be converted again.
        names: The name of each input in the source -> its name in the graph.
        declared: As in `nnefkit.from_torch`.

    Raises:
        InputError: An axis does not exist, or the graph is not valid for other extents of it.
        UnknownNameError: There is no such input.
    """
    if declared is None:
        return {}
    groups = _groups(source.shapes, names, declared)
    ranges: dict[Axis, Range] = {}
    ends: list[Shapes] = [source.shapes, source.shapes]
    for name, group in groups.items():
        least = _least(source, group)
        for extent in sorted({group.extent + 1, 2 * group.extent + 1, group.most}):
            if group.extent < extent <= group.most:
                _require(source, group.shapes(source.shapes, extent))
        tie = name if len(group.axes) > 1 else ""
        ranges.update(dict.fromkeys(group.axes, Range(least, group.most, tie)))
        ends = [group.shapes(ends[0], least), group.shapes(ends[1], group.most)]
    if len(groups) > 1:
        for shapes in ends:
            _require(source, shapes)
    return ranges


def _least(source: Convertible, group: _DynamicAxes) -> int:
    """Return the smallest extent from which the graph is valid."""
    least = group.extent
    for extent in sorted({group.least, 2, group.extent - 1}, reverse=True):
        if group.least <= extent < group.extent:
            if source.difference(group.shapes(source.shapes, extent)):
                break
            least = extent
    return least


def _require(source: Convertible, shapes: Shapes) -> None:
    if place := source.difference(shapes):
        raise InputError(
            f"the graph for {described(source.shapes)} is not valid for {described(shapes)}, "
            f"which 'dynamic_shapes' declares: {place}",
            hint="Declare fewer axes, or a smaller range as in {axis: (1, 64)}; for other extents "
            "convert the source with an example of them.",
            section="4.1.1",
        )


def _groups(shapes: Shapes, names: Mapping[str, str], declared: Any) -> dict[str, _DynamicAxes]:
    """Return the declared axes by their names; each axis without one is alone."""
    expected_mapping(declared, "dynamic_shapes", "names of inputs to their dynamic axes")
    groups: dict[str, _DynamicAxes] = {}
    for given, axes in declared.items():
        name = given if given in shapes else names.get(given, "")
        if name not in shapes:
            raise UnknownNameError(
                f"'dynamic_shapes' names '{given}', which is not an input",
                hint=did_you_mean(str(given), names) or f"The inputs are {', '.join(shapes)}.",
            )
        for number, meaning in _axes(given, axes, len(shapes[name])).items():
            if meaning is None:
                continue
            axis = number % len(shapes[name])
            word, least, most = _declared(meaning)
            extent = shapes[name][axis]
            label = word or f"{name}_{axis}"
            group = groups.setdefault(label, _DynamicAxes([], extent, least, max(most, extent)))
            if group.extent != extent:
                raise InputError(
                    f"axis {number} of '{given}' has extent {extent}, but '{word}' is "
                    f"{group.extent} elsewhere",
                    hint="Axes with the same name must have the same extent.",
                )
            group.axes.append((name, axis))
    return groups


def _axes(name: str, axes: Any, rank: int) -> dict[int, Any]:
    """Return the meaning of each declared axis of an input."""
    if isinstance(axes, Mapping):
        meanings = dict(axes)
    elif isinstance(axes, Sequence) and not isinstance(axes, str):
        meanings = dict.fromkeys(axes, True)
    else:
        raise InputError(
            f"'dynamic_shapes' declares {axes!r} for '{name}'",
            hint="Pass a list of axes, or a mapping of axes to names or ranges: {0: 'batch'}.",
        )
    for axis in meanings:
        if isinstance(axis, bool) or not isinstance(axis, int) or not -rank <= axis < rank:
            raise InputError(f"input '{name}' has no axis {axis!r}; its rank is {rank}")
    return meanings


def _declared(meaning: Any) -> tuple[str, int, int]:
    """Return the name and the range of an axis: a string, a pair, or a ``torch.export.Dim``."""
    if isinstance(meaning, str):
        return identifier(meaning), 1, LARGEST
    if isinstance(meaning, tuple):
        if len(meaning) == 2 and all(type(end) is int and end > 0 for end in meaning):
            return "", meaning[0], meaning[1]
        raise InputError(
            f"{meaning!r} is not a range of extents",
            hint="Pass the smallest and the largest extent, as in (1, 64).",
        )
    least, most = getattr(meaning, "min", None), getattr(meaning, "max", None)
    name = getattr(meaning, "__name__", "")
    return (
        identifier(name) if name else "",
        max(1, least) if type(least) is int else 1,
        most if type(most) is int and most < _UNBOUNDED else LARGEST,
    )

"""The titles and lines of boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from nnefkit.arrays import Shape
from nnefkit.display.folding.network import Group
from nnefkit.display.folding.picture import Box
from nnefkit.display.folding.plain_operation import PlainOperation
from nnefkit.display.numbers import product
from nnefkit.display.vocabulary import PRODUCTS, entry, family

DOT = " · "
NAMED = 5
"""Operations that a line names before it counts the rest."""
MAX_SIZES = 4


def make_box(
    group: Group, operations: Sequence[PlainOperation], shape_of: Mapping[str, Shape | None]
) -> Box:
    """Return the box of a group."""
    if group.kind in ("input", "output"):
        return _end(group, shape_of)
    whole = group
    count, parallel = group.count, group.kind == "siblings"
    while group.kind in ("repeat", "siblings"):
        group = group.parts[0]
        if group.count > 1 and (group.kind == "siblings") == parallel:
            count *= group.count
        elif group.count > 1:
            break
    main = max(group.operations, key=lambda n: (_weight(operations[n]), -n))
    title, lines = _words(group, operations, main)
    times = f", {count} {'side by side' if parallel else 'in a row'}" if count > 1 else ""
    detail = f" ({'; '.join(lines)})" if lines else ""
    return Box(
        "operation",
        title,
        lines,
        operations[main].name,
        tuple(whole.operations),
        count,
        parallel,
        f"{title}{detail}{times}",
    )


def _end(group: Group, shape_of: Mapping[str, Shape | None]) -> Box:
    kind: Literal["input", "output"] = "input" if group.kind == "input" else "output"
    operations = tuple(group.operations)
    if len(group.names) == 1:
        name = group.names[0]
        shape = shape_of.get(name)
        lines = ["scalar" if not shape else product(shape)] if shape is not None else []
        return Box(
            kind, name, lines, "", operations, description=DOT.join([f"{kind} {name}", *lines])
        )
    title = f"{len(group.names)} {kind}s"
    names = f"{group.names[0]} … {group.names[-1]}"
    return Box(kind, title, [names], "", operations, description=f"{title}: {names}")


def _weight(operation: PlainOperation) -> int:
    return entry(operation.name).weight


def _words(group: Group, operations: Sequence[PlainOperation], main: int) -> tuple[str, list[str]]:
    """Title and lines of a box; `main` is the number of the operation that matters most in it."""
    if group.kind == "unit":
        return _unit_words(group, operations, main)
    inside = [operations[n] for n in group.operations]
    if group.kind == "fragment":
        return group.names[0], [DOT.join(_counted(operation.name for operation in inside))]
    if group.kind == "rest":
        return f"{len(inside)} operations", [DOT.join(_by_weight(inside))]
    sizes = _sizes(inside)
    rest = [one for one in inside if not sizes or family(one.name) is not PRODUCTS]
    lines = [line for line in (sizes, DOT.join(_by_weight(rest))) if line]
    return _title(group, operations, main), lines


def _unit_words(
    group: Group, operations: Sequence[PlainOperation], main: int
) -> tuple[str, list[str]]:
    """Title and lines of one operation and its helpers."""
    operation = operations[main]
    helpers = [operations[n].name for n in group.operations if n != main]
    if not entry(operation.name).rearranges:
        helpers = [name for name in helpers if not entry(name).rearranges]
    words = ([operation.attributes] if operation.attributes else []) + _counted(helpers)
    return operation.name, [DOT.join(words)] if words else []


def _title(group: Group, operations: Sequence[PlainOperation], main: int) -> str:
    """Return a name for the kind of block."""
    names = Counter(operations[n].name for n in group.operations)
    if names["softmax"] and names["matmul"] > 1:
        return "attention block"
    if family(operations[main].name) is not PRODUCTS and _normalizes(names):
        return "normalization"
    if group.kind == "block" and family(operations[main].name) is PRODUCTS:
        merge = operations[group.parts[-1].operations[0]].name
        if merge == "add":
            return "residual block"
        if merge == "concat":
            return f"{operations[main].name} branches"
    return f"{operations[main].name} block"


def _normalizes(names: Mapping[str, int]) -> bool:
    """Return whether operations divide their input by its deviation."""
    roots = {"sqrt", "rsqrt", "pow"} & {name for name, n in names.items() if n}
    return bool(roots and names["mean_reduce"] > 1 and (names["div"] or names["mul"]))


def _sizes(inside: Sequence[PlainOperation]) -> str:
    """Return the windows of a block, if they are few and alike: ``conv 1×1 · 3×3 dw /2``."""
    products = [operation for operation in inside if family(operation.name) is PRODUCTS]
    if not 0 < len(products) <= MAX_SIZES or len({operation.name for operation in products}) > 1:
        return ""
    if not all(operation.attributes for operation in products):
        return ""
    sizes = DOT.join(operation.attributes for operation in products)
    return f"{products[0].name} {sizes.replace('depthwise', 'dw').replace('stride ', '/')}"


def _by_weight(inside: Sequence[PlainOperation]) -> list[str]:
    ordered = sorted(inside, key=lambda operation: -_weight(operation))
    return _counted(operation.name for operation in ordered)


def _counted(names: Iterable[str]) -> list[str]:
    """Names in order, with their numbers; if there are many, the last ones only as a sum."""
    numbers = Counter(name.replace("_normalization", "_norm") for name in names)
    words = [name if n == 1 else f"{n} {name}" for name, n in numbers.items()]
    if len(words) > NAMED + 1:
        rest = sum(list(numbers.values())[NAMED:])
        words = [*words[:NAMED], f"{rest} more"]
    return words

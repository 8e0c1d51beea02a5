"""The inspector: everything about the selected operation, tensor or block, as plain values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from nnefkit.custom_operations import declarations_in_effect
from nnefkit.display import numbers
from nnefkit.display.elements import LONGEST_NAME
from nnefkit.display.nnef_text import abbreviated
from nnefkit.display.visible_text import visible
from nnefkit.errors import NnefError
from nnefkit.graph import Identifier
from nnefkit.language import declarations
from nnefkit.pictures.evidence import TensorSides, ViewEvidence
from nnefkit.pictures.known_overlays import Overlays
from nnefkit.pictures.outline import Outline, OutlineBlock
from nnefkit.pictures.overlays import decibels
from nnefkit.pictures.viewed_graph import written
from nnefkit.widgets.workbench import tensor_pictures

STATEMENT = 1_200
"""Maximum number of characters of a statement."""
LISTED = 40
"""Maximum number of operations, of jumps and of attributes that are listed."""
VALUE = 120
"""Maximum length of a value."""
_VERDICTS = {
    "equal": ("right", "equal in both runs"),
    "within": ("right", "within the tolerance"),
    "introduces": ("wrong", "introduces a difference"),
    "inherits": ("warning", "inherits a difference"),
    "differs": ("wrong", "differs"),
    "guilty": ("wrong", "introduces the difference"),
    "passes it on": ("warning", "only passes the difference on"),
    "clean": ("right", "introduces no error"),
}
"""Verdict of a comparison or a blame -> tone, words."""

Content = dict[str, Any]


class Inspector:
    """Describes what is selected."""

    def __init__(self, evidence: ViewEvidence, known_overlays: Overlays) -> None:
        self.evidence = evidence
        self.known_overlays = known_overlays
        self.viewed = evidence.viewed

    # -- one operation or tensor ------------------------------------------------------------------

    def operation(self, number: int, tensor: str, outline: Outline) -> Content:
        """Return the description of an operation, and of one of its results."""
        viewed = self.viewed
        plain = viewed.operations[number]
        line = viewed.line(number)
        graph = viewed.originals[number].graph
        where = [plain.name]
        if viewed.other is not None and graph is viewed.other:
            where.append(f"in {visible(viewed.labels[1], LONGEST_NAME)}")
        if line is not None:
            name = graph.source.name if graph.source is not None else ""
            where.append(f"line {line:,}")
            where.append(numbers.shorten_path(name.rsplit("/", 1)[-1], 40))
        return {
            "name": visible(tensor or plain.name, LONGEST_NAME * 2),
            "tensor": tensor,
            "where": visible(" · ".join(filter(None, where)), VALUE),
            "crumbs": crumbs(outline, outline.visible(outline.drawn(number))),
            "statement": visible_lines(viewed.statement(number)),
            "other": self._other_statement(number),
            "verdict": self.verdict(number, tensor),
            "facts": list(self._facts(number, tensor)),
            "results": self._links(plain.outputs) if len(plain.outputs) > 1 else [],
            "reads": list(self._reads(number)),
            "feeds": self._feeds(plain.outputs),
            "attributes": self._attributes(number),
            **self._tabs(tensor),
        }

    def _other_statement(self, number: int) -> list[str]:
        """Return label and statement of the operation in the second graph, if it has changed."""
        viewed = self.viewed
        if number not in viewed.changes or number not in viewed.counterparts:
            return []
        statement = written(viewed.counterparts[number])
        if statement == viewed.statement(number):
            return []
        return [visible(viewed.labels[1], LONGEST_NAME), visible_lines(statement)]

    def _tabs(self, tensor: str) -> Content:
        sides, note = self.values(tensor)
        return {"tabs": tensor_pictures.tabs(sides), "note": note}

    def values(self, tensor: str) -> tuple[Sequence[Any], str]:
        """Return the sides of a tensor that are at hand, and why there are none."""
        if not tensor or tensor not in self.viewed.numbers:
            return (), ""
        try:
            found: TensorSides = self.evidence.sides(tensor)
        except NnefError as error:
            return (), str(error)
        return found.known, found.missing

    def _facts(self, number: int, tensor: str) -> Iterator[list[str]]:
        viewed = self.viewed
        if tensor in viewed.numbers:
            found = viewed.tensor(tensor)
            sides, _ = self.values(tensor)
            dtype = str(sides[0].values.dtype) if sides else found.dtype
            parts = [numbers.typed_shape(dtype, found.shape)]
            if sides:
                parts.append(numbers.size(sides[0].values.nbytes))
            yield ["result", " · ".join(parts)]
            if found.label:
                yield ["label", visible(found.label, VALUE)]
            if found.origin:
                yield ["from", visible(found.origin, VALUE)]
            if found.quantization:
                words = ", ".join(
                    f"{key} {value if isinstance(value, str) else abbreviated(value)}"
                    for key, value in list(found.quantization.items())[:8]
                )
                yield ["quantization", visible(words, VALUE)]
        cost = self.cost([number])
        if cost:
            yield ["cost", cost]
        scope = viewed.operations[number].scope
        if scope:
            yield ["fragment", visible(" › ".join(scope), VALUE)]

    def cost(self, operations: Sequence[int]) -> str:
        """Return MACs, parameters and time of some operations in words."""
        parts = []
        for key, unit in (("macs", "MACs"), ("parameters", "parameters")):
            value = self.known_overlays.overlay(key).value(operations)
            if value and not math.isnan(value):
                parts.append(f"{numbers.quantity(value)} {unit}")
        value = self.known_overlays.overlay("bytes").value(operations)
        if value and not math.isnan(value):
            parts.append(f"{numbers.size(round(value))} moved")
        if "time" in self.known_overlays.available():
            value = self.known_overlays.overlay("time").value(operations)
            if not math.isnan(value):
                parts.append(numbers.duration(value))
        return " · ".join(parts)

    def verdict(self, number: int, tensor: str) -> Content | None:
        """Return what a comparison, a blame or another graph says about an operation."""
        change = self.viewed.changes.get(number)
        if change is not None:
            tone = {"added": "right", "removed": "wrong"}.get(change.kind, "warning")
            words = visible(change.words, STATEMENT)
            second = visible(self.viewed.labels[1], LONGEST_NAME)
            titles = {"added": f"only in {second}", "removed": f"not in {second}"}
            lines = [words] if words else []
            return {"tone": tone, "title": titles.get(change.kind, "changed"), "lines": lines}
        blamed = self.evidence.blamed.get(number)
        if blamed is not None:
            tone, title = _VERDICTS[blamed.verdict]
            lines = [
                f"own error {_ratio(blamed.own_snr)} · inherited {_ratio(blamed.inherited_snr)}"
            ]
            if blamed.share is not None:
                share = numbers.percent(max(blamed.share, 0.0))
                lines.append(f"fixing it alone removes {share} of the error of the outputs")
            if blamed.cause:
                lines.append(_plain(blamed.cause))
            return {"tone": tone, "title": title, "lines": lines}
        row = self.evidence.compared.get(tensor)
        if row is None:
            return None
        tone, title = _VERDICTS[row.verdict]
        lines = []
        measured = row.metrics
        if measured is None:
            lines.append(f"shapes {list(row.shapes[0])} and {list(row.shapes[1])} do not match")
        elif measured.different:
            outside = numbers.percent(measured.outside_share) or "none"
            lines.append(
                f"SNR {decibels(measured.snr)} · largest difference "
                f"{numbers.number(measured.max_abs)} · {outside} out of tolerance"
            )
        if row.causes:
            names = ", ".join(row.causes[:3])
            lines.append(f"weights differ: {visible(names, VALUE)}")
        if row.altered:
            lines.append(_plain(row.altered))
        if row.note:
            lines.append(_plain(row.note))
        return {"tone": tone, "title": title, "lines": lines}

    # -- jumps ------------------------------------------------------------------------------------

    def _reads(self, number: int) -> Iterator[Content]:
        """Yield the arguments of an operation; tensors among them are jumps."""
        operation, graph = self.viewed.originals[number]
        own = iter(self.viewed.operations[number].inputs)
        listed = 0
        for parameter, value in operation.inputs.items():
            for one in _flat(value):
                jump = next(own, "") if isinstance(one, Identifier) else ""
                if listed >= LISTED:
                    continue
                listed += 1
                if not jump:
                    yield {"parameter": parameter, "words": visible(abbreviated(one), VALUE)}
                    continue
                tensor = graph.tensors.get(one)
                shape = None if tensor is None else tensor.shape
                weight = tensor is not None and tensor.data is not None
                yield {
                    "parameter": visible(parameter, LONGEST_NAME),
                    "tensor": jump,
                    "words": numbers.shape(shape) + (" · weight" if weight else ""),
                }

    def _feeds(self, outputs: Sequence[str]) -> list[Content]:
        viewed = self.viewed
        found: list[Content] = []
        for number, operation in enumerate(viewed.operations):
            if not found and number < min((viewed.numbers[n] for n in outputs), default=0):
                continue
            if any(name in operation.inputs for name in outputs) and operation.outputs:
                name = operation.outputs[0]
                found.append({"tensor": name, "words": operation.name})
                if len(found) >= LISTED:
                    break
        found += [
            {"tensor": "", "words": f"output {visible(name, LONGEST_NAME)}"}
            for name in outputs
            if name in viewed.outputs
        ]
        return found

    def _links(self, names: Sequence[str]) -> list[Content]:
        shapes = [self.viewed.tensor(name).shape for name in names[:LISTED]]
        return [
            {"tensor": name, "words": numbers.shape(shape)}
            for name, shape in zip(names[:LISTED], shapes, strict=True)
        ]

    def _attributes(self, number: int) -> list[list[Any]]:
        """Return name, value and whether it is the default of each attribute."""
        operation = self.viewed.originals[number].operation
        declared = declarations_in_effect().get(operation.name) or declarations().get(
            operation.name
        )
        defaults = {p.name: p.default for p in declared.parameters} if declared else {}
        return [
            [
                visible(name, LONGEST_NAME),
                visible(abbreviated(value), VALUE),
                name in defaults and _equal(defaults[name], value),
            ]
            for name, value in list(operation.attribs.items())[:LISTED]
        ]

    # -- a block ----------------------------------------------------------------------------------

    def block(self, block: OutlineBlock, tensor: str, outline: Outline) -> Content:
        """Return the description of a block of several operations."""
        viewed = self.viewed
        inside = block.group.operations
        box = outline.box(block)
        lines = [line for n in inside if (line := viewed.line(n)) is not None]
        where = [f"{len(inside):,} operations"]
        if lines:
            where.append(f"lines {min(lines):,}–{max(lines):,}")
        facts: list[list[str]] = []
        cost = self.cost(inside)
        if cost:
            facts.append(["cost", cost])
        if tensor in viewed.numbers:
            found = viewed.tensor(tensor)
            name = visible(tensor, LONGEST_NAME)
            facts.append(["result", f"{name} · {numbers.typed_shape(found.dtype, found.shape)}"])
        listed = [n for n in inside if viewed.operations[n].outputs][:LISTED]
        operations = [
            {"tensor": viewed.operations[n].outputs[0], "words": viewed.operations[n].name}
            for n in listed
        ]
        guilty = [n for n in inside if n in set(self.evidence.suspicious)]
        verdict: Content | None = None
        if guilty:
            names = ", ".join(viewed.operations[n].outputs[0] for n in guilty[:6])
            count = numbers.plural(len(guilty), "operation")
            verdict = {
                "tone": "wrong" if not viewed.changes else "warning",
                "title": f"{count} here to look at",
                "lines": [visible(names, VALUE)],
            }
        return {
            "name": visible(box.title, LONGEST_NAME * 2),
            "tensor": tensor,
            "block": True,
            "where": " · ".join(where),
            "crumbs": crumbs(outline, block),
            "lines": [visible(line, VALUE) for line in box.lines],
            "verdict": verdict,
            "facts": facts,
            "operations": operations,
            "rest": len(inside) - len(listed),
            **self._tabs(tensor),
        }


def crumbs(outline: Outline, block: OutlineBlock | None) -> list[list[str]]:
    """Return key and title of the blocks around a block, the outermost first.

    A block that repeats is named with its number, each repetition by its place; a block that has
    the title of the one around it adds nothing, and is left out.
    """
    found: list[list[str]] = []
    if block is None:
        return found
    before = ""
    for one in block.ancestors():
        box, around = outline.box(one), one.parent
        title = box.title
        if around is not None and around.group.kind == "repeat":
            siblings = outline.children(around)
            found.append([one.key, f"{siblings.index(one) + 1:,} of {len(siblings):,}"])
        elif title != before:
            badge = f" × {box.count:,}" if box.count > 1 else ""
            found.append([one.key, f"{visible(title, 40)}{badge}"])
        before = title
    return found


def visible_lines(text: str) -> str:
    """Return a statement with its lines, of bounded length."""
    short = numbers.shorten(text, STATEMENT)
    return "\n".join(visible(line, STATEMENT) for line in short.splitlines()[:16])


def _plain(words: str) -> str:
    return visible(words.replace("`", ""), STATEMENT)


def _ratio(ratio: float) -> str:
    if math.isnan(ratio):
        return "not measured"
    return "none" if ratio == math.inf else f"SNR {decibels(ratio)}"


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _flat(one)
    else:
        yield value


def _equal(default: Any, value: Any) -> bool:
    try:
        if isinstance(default, (list, tuple)) or isinstance(value, (list, tuple)):
            return list(default) == list(value)
        return type(default) is type(value) and bool(default == value)
    except TypeError:
        return False

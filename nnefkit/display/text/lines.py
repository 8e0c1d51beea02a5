"""Tensors and operations in one line, as lists of them are printed."""

from __future__ import annotations

from nnefkit.display import cards, numbers
from nnefkit.display.elements import Paragraph
from nnefkit.display.excerpt import printable
from nnefkit.display.summary import OperationSummary, TensorSummary
from nnefkit.display.text.write import phrases

ARGUMENT = 40
LENGTH = 240
"""How long an argument, and a whole line, may be."""


def tensor_line(of: TensorSummary) -> str:
    """``<Tensor add1: scalar 1×24×64×64 · 98,304 items · [-6.36 ▁▂█▃ 5.31]  μ 0.113 ...>``."""
    card = cards.tensor(of, brief=True)
    parts = [*map(printable, card.facts)]
    parts += (phrases(block.line) for block in card.blocks if isinstance(block, Paragraph))
    return f"<Tensor {printable(numbers.shorten(of.name, 60))}: {' · '.join(parts)}>"


def operation_line(of: OperationSummary) -> str:
    """``<Operation conv1 = conv(input = external1, filter = ..., groups = 1) · 7.37 M MACs>``."""
    results = ", ".join(_short(result) for result in of.outputs.values())
    given = {**of.inputs, **of.attributes}
    arguments = ", ".join(f"{name} = {_short(value)}" for name, value in given.items())
    generic = f"<{of.dtype}>" if of.dtype else ""
    call = f"{results} = {of.operation}{generic}({numbers.shorten(arguments, LENGTH)})"
    facts = [f"from {numbers.shorten('/'.join(of.scope), 60)}"] if of.scope else []
    if of.macs is not None:
        facts.insert(0, f"{numbers.quantity(of.macs)} MACs")
    return f"<Operation {printable(' · '.join([call, *facts]))}>"


def _short(value: str) -> str:
    return numbers.shorten(value, ARGUMENT)

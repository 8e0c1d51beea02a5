"""The ONNX operators that are read, by the test cases of the package `onnx`."""

import re
from collections import Counter
from importlib.metadata import version

from oracles.onnx_conformance import Verdict, verdicts

from documentation.generated import markdown, table

FILE = "docs/reference/support/onnx.md"
SETS = {
    "node": "single operators, most of them also expanded by their definition in ONNX",
    "pytorch-converted": "layers as PyTorch wrote them",
    "pytorch-operator": "operators as PyTorch wrote them",
    "simple": "small models",
}
_MAX_REASONS = 3


@table("onnx_sets", FILE)
def sets() -> str:
    rows = []
    for name, what in SETS.items():
        found = Counter(verdict.result for verdict in verdicts(name))
        wrong = found["wrong"] + found["crashed"]
        total = sum(found.values())
        row = [f"`{name}`", what, total, found["passed"], found["fixed"], found["refused"], wrong]
        rows.append(row)
    header = ["set", "cases", "all", "right", "right, parameters fixed", "refused", "wrong"]
    return f"Of onnx {version('onnx')}:\n\n" + markdown(header, rows)


@table("onnx_operators", FILE)
def operators() -> str:
    by_operator: dict[str, list[Verdict]] = {}
    for verdict in verdicts("node"):
        by_operator.setdefault(verdict.operator, []).append(verdict)
    several = by_operator.pop("", [])
    rows = [_row(f"`{name}`", by_operator[name]) for name in sorted(by_operator)]
    rows.append(_row("several operators in one case", several))
    return markdown(["operator", "cases", "right", "refused", "why"], rows)


@table("onnx_domains", FILE)
def domains() -> str:
    from nnefkit.exchange.onnx import nodes  # noqa: F401  (it registers the operators)
    from nnefkit.exchange.onnx.call import READERS

    several: dict[tuple[str, str], list[str]] = {}
    for name in sorted(name for name in READERS if "." in name):
        domain, _, operator = name.rpartition(".")
        line = str(READERS[name].__doc__).splitlines()[0]
        if line.startswith("Read "):
            description = re.sub(r"`+", "`", line.removeprefix("Read ").rstrip("."))
            several.setdefault((domain, description), []).append(f"`{operator}`")
    rows = [
        [f"`{domain}`", ", ".join(names), description]
        for (domain, description), names in several.items()
    ]
    return markdown(["domain", "operators", "what they compute"], rows)


def _row(name: str, found: list[Verdict]) -> list[object]:
    right = sum(verdict.result in ("passed", "fixed") for verdict in found)
    refused = [verdict for verdict in found if verdict.result == "refused"]
    reasons = Counter(_reason(verdict.reason) for verdict in refused)
    ranked = [reason for reason, _ in sorted(reasons.items(), key=lambda r: (-r[1], r[0]))]
    more = len(ranked) - _MAX_REASONS
    why = "; ".join(ranked[:_MAX_REASONS]) + (f"; and {more} more" if more > 0 else "")
    return [name, len(found), right or "–", len(refused) or "–", why]


def _reason(message: str) -> str:
    """A reason without names of nodes and tensors."""
    message = message.split(": ")[-1]
    if (
        "elements of type" in message
        or "it casts to" in message
        or message.startswith("codes of type")
    ):
        return "dtypes that NNEF does not have"
    if "operator of the domain" in message:
        return "an operator of another domain"
    message = re.sub(r"\(?'[^']*'\)? ?", "", message)
    message = re.sub(r"^input (has )?", "", message)
    if message.startswith("the shape for"):
        return "empty tensors"
    if "outputs are constant" in message:
        return "all outputs are constant"
    return message.strip()

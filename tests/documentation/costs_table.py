"""The formulas of the costs of each operation of chapter 4."""

from documentation.generated import markdown, table
from documentation.operations_table import sections
from nnefkit.operations.registry import COSTS, FLOPS, READS, VIEWS


def formula(name: str) -> str:
    """FLOPs, in words."""
    text = (FLOPS[name].__doc__ or "").partition("\n")[0].removesuffix(".")
    return text[:1].lower() + text[1:]


def multiplied(name: str) -> str:
    """What a multiply-accumulate is counted for."""
    if name not in COSTS:
        return "0"
    text = (COSTS[name].__doc__ or "").partition("\n")[0].removesuffix(".")
    return text.replace("Count one", "1").replace("Add the counts", "the sum")


def read(name: str) -> str:
    """The elements that it reads."""
    if name in VIEWS:
        return "none"
    if name not in READS:
        return "all"
    text = (READS[name].__doc__ or "").partition("\n")[0].removesuffix(".")
    return text[:1].lower() + text[1:]


@table("costs", "docs/reference/costs.md")
def costs() -> str:
    parts = []
    for heading, names in sections().items():
        rows: dict[tuple[str, str, str], list[str]] = {}
        for name in names:
            key = multiplied(name), formula(name), read(name)
            rows.setdefault(key, []).append(f"`{name}`")
        lines = [[", ".join(alike), *key] for key, alike in rows.items()]
        header = ["operation", "MACs", "FLOPs", "reads of its arguments"]
        parts.append(f"### {heading}\n\n{markdown(header, lines)}")
    return "\n\n".join(parts)

"""The engines that run each operation of chapter 4, and the references that check it."""

import re
import tomllib
from importlib.resources import files

from oracles.foreign import FOREIGN
from oracles.formulas import FORMULAS

import nnefkit as nk
from documentation.generated import ROOT, markdown, table
from nnefkit.execution.engine_list import find_engine
from nnefkit.language import declarations
from nnefkit.language.types import dtype_of

RUNS = {"yes": "✓", "in part": "in part", "no": "–"}
SOURCES = {"external", "variable"}


def sections() -> dict[str, list[str]]:
    """Heading -> operations, in the order of the specification."""
    text = (files("nnefkit.language.declarations") / "standard.nnef").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    heading = ""
    for line in text.splitlines():
        if title := re.match(r"# (4\.[\d.]+ .+)", line):
            heading = title.group(1)
        elif name := re.match(r"fragment (\w+)", line):
            found.setdefault(heading, []).append(name.group(1))
    return found


def kinds(name: str) -> str:
    """The data types of the arguments that are tensors."""
    declaration = declarations()[name]
    types = [dtype_of(parameter.type) for parameter in declaration.parameters]
    tensors = [p.is_tensor or str(p.type).endswith(">[]") for p in declaration.parameters]
    given = [kind or "any" for kind, tensor in zip(types, tensors, strict=True) if tensor]
    given = given or [dtype_of(declaration.results[0].type) or ""]
    return ", ".join(dict.fromkeys("any" if kind == "?" else kind for kind in given))


def checks(name: str) -> list[str]:
    """The references that results are checked against."""
    if name in SOURCES:
        return ["is fed", *["–"] * len(FOREIGN)]
    formula = "loop" if name in FORMULAS else "–"
    return [formula, *(table[name].words if name in table else "–" for table in FOREIGN.values())]


@table("operations", "docs/reference/support/operations.md")
def operations() -> str:
    frame = nk.engines().to_frame()
    header = ["operation", "takes", *frame.columns, "formula", *FOREIGN]
    parts = []
    for heading, names in sections().items():
        rows = [
            [f"`{name}`", kinds(name), *(RUNS[value] for value in frame.loc[name]), *checks(name)]
            for name in names
        ]
        parts.append(f"### {heading}\n\n{markdown(header, rows)}")
    return "\n\n".join(parts)


@table("checks", "README.md")
def summary() -> str:
    computing = declarations().keys() - SOURCES
    by = {"Khronos": "the interpreter of the Khronos tools"}
    counted = {
        "a plain loop of the formula, in float16, float32 and float64": FORMULAS,
        **{by.get(who, who): table for who, table in FOREIGN.items()},
    }
    rows = [
        [what, f"{len(computing & names.keys())} of {len(computing)}"]
        for what, names in counted.items()
    ]
    return markdown(["the numbers of operations are checked against", "for"], rows)


@table("engines", "README.md")
def engines() -> str:
    frame = nk.engines().to_frame().loc[[*declarations()]]
    rows = []
    for name in nk.engines():
        column = frame[name]
        whole, part = (int((column == value).sum()) for value in ("yes", "in part"))
        rows.append([f"`{name}`", info_of(name), whole, part, len(column) - whole - part])
    return markdown(["engine", "what it does", "operations", "in part", "not"], rows)


DISTRIBUTIONS = {"litert": "ai-edge-litert"}
"""Engine -> its distribution, where that has another name."""


def info_of(name: str) -> str:
    """The description of an engine, from its docstring, and how to install it."""
    summary = str(type(find_engine(name)).__doc__).splitlines()[0]
    does = summary.removeprefix("The engine that ").removesuffix(".")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    package = DISTRIBUTIONS.get(name, name)
    if requires(project["dependencies"], package):
        return f"{does}; always there"
    extras = project["optional-dependencies"]
    fitting = [extra for extra in extras if requires(extras[extra], package)]
    if not fitting:
        return f"{does}; always there"
    smallest = min(fitting, key=lambda extra: len(extras[extra]))
    return f'{does}; `pip install "nnefkit[{smallest}]"`'


def requires(requirements: list[str], package: str) -> bool:
    return any(re.match(rf"{package}\b", requirement) for requirement in requirements)

"""Pages of the diagnostic codes, one for each, made from the table of the package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from example_runs import reported

from nnefkit.diagnostic_codes import QUANTIZED_GRAPH, TOPICS, DiagnosticCode, Example

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SPECIFICATION = "https://registry.khronos.org/NNEF/specs/1.0/nnef-1.0.5.html"
LANGUAGES = {"graph": "text", "quantization": "text", "python": "python", "command": "sh"}


def write_pages(app: Sphinx) -> None:
    """Write a page for each code, and the list of them."""
    folder = Path(app.srcdir) / "reference" / "diagnostics"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        old.unlink()
    for codes in TOPICS.values():
        for code in codes:
            (folder / f"{code.code}.md").write_text("\n".join(_page(code)), encoding="utf-8")
    (folder / "index.md").write_text("\n".join(_index()), encoding="utf-8")


def _index() -> Iterator[str]:
    yield "# Diagnostic codes\n"
    yield (
        "Every diagnostic carries a code. Codes are stable: scripts and CI may rely on them. "
        "`nnefkit explain CODE` prints the same text in a terminal.\n"
    )
    for topic, codes in TOPICS.items():
        yield f"## {topic}\n"
        yield "| code | meaning | severity |"
        yield "| --- | --- | --- |"
        for code in codes:
            yield f"| [`{code.code}`]({code.code}.md) | {code.title} | {code.severity} |"
        yield ""
    yield "```{toctree}\n:hidden:\n"
    yield from (code.code for codes in TOPICS.values() for code in codes)
    yield "```"


def _page(code: DiagnosticCode) -> Iterator[str]:
    yield f"# `{code.code}`: {code.title}\n"
    yield f"{code.explanation}\n"
    facts = [f"**Severity:** {code.severity}"]
    if code.sections:
        sections = ", ".join(code.sections)
        facts.append(f"**Section:** {sections} of [NNEF 1.0.5]({SPECIFICATION})")
    yield " · ".join(facts) + "\n"
    if code.fix:
        yield f"**Fix:** {code.fix}\n"
    if code.example is not None:
        yield from _example(code.code, code.example)
    else:
        yield f"**Example:** {code.without_example}\n"


def _example(code: str, example: Example) -> Iterator[str]:
    language = LANGUAGES[example.kind]
    yield "## Example\n"
    if example.kind == "quantization":
        yield f"A `graph.quant` for the graph\n\n```text\n{QUANTIZED_GRAPH}```\n"
    yield f"```{language}\n{example.wrong.rstrip()}\n```\n"
    found = [d for d in reported(example.wrong, example.kind) if d.code == code]
    if not found:
        raise RuntimeError(f"the example of '{code}' does not trigger it")
    report = "\n\n".join(map(str, found))
    yield f"What is reported:\n\n```text\n{report}\n```\n"
    yield f"Fixed:\n\n```{language}\n{example.right.rstrip()}\n```\n"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

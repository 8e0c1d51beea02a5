"""The PyTorch operators that are read, and what they become."""

import re

from oracles.torch_operators import THEMES

from documentation.generated import markdown, table
from nnefkit.exchange.torch.exported_program import READERS

FILE = "docs/reference/support/torch.md"


@table("torch_operators", FILE)
def operators() -> str:
    names: dict[object, list[str]] = {}
    for name, reader in READERS.items():
        names.setdefault((reader.__module__, reader.__doc__), []).append(name)
    rows = []
    for (module, docstring), several in sorted(
        names.items(), key=lambda item: (item[0][0], item[1])
    ):
        listed = ", ".join(f"`{name}`" for name in sorted(several))
        line = str(docstring).strip().splitlines()[0].removeprefix("Return ").rstrip(".")
        description = re.sub(r"`+", "`", line)
        rows.append([module.rpartition(".")[2].replace("_", " "), listed, description])
    cases = sum(map(len, THEMES.values()))
    header = ["about", "operators", "in NNEF"]
    return f"{len(READERS)} operators, in {cases} cases:\n\n" + markdown(header, rows)

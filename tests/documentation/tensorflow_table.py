"""The TensorFlow operators that are read, and the reference models."""

import re
from collections import Counter

from oracles.tensorflow_references import kind, names, verdict

from documentation.generated import markdown, table

FILE = "docs/reference/support/tensorflow.md"


@table("tensorflow_operators", FILE)
def operators() -> str:
    from nnefkit.exchange.tensorflow import nodes  # noqa: F401  (it registers the operators)
    from nnefkit.exchange.tensorflow.call import READERS

    several: dict[tuple[str, str], list[str]] = {}
    for name, reader in READERS.items():
        line = str(reader.__doc__).strip().splitlines()[0].removeprefix("Read ").rstrip(".")
        theme = reader.__module__.rpartition(".")[2].replace("_", " ")
        several.setdefault((theme, re.sub(r"`+", "`", line)), []).append(f"`{name}`")
    rows = [[key[0], ", ".join(sorted(found)), key[1]] for key, found in sorted(several.items())]
    return f"{len(READERS)} operators:\n\n" + markdown(["about", "operators", "in NNEF"], rows)


@table("tensorflow_models", FILE)
def models() -> str:
    groups: dict[str, list[str]] = {}
    for name in names():
        single = name.startswith("operators/")
        groups.setdefault("single operators" if single else f"networks: {kind(name)}", [])
        groups["single operators" if single else f"networks: {kind(name)}"].append(name)
    rows = []
    for about, members in groups.items():
        results = Counter(verdict(name).result for name in members)
        rows.append(
            [about, len(members), results["equal"], results["refused"] or "–", results["wrong"]]
        )
    return markdown(["models", "all", "equal to 1e-5", "refused", "wrong"], rows)

"""The operators of Caffe2 that are read and those that are not, and the reference networks."""

import re

from oracles.caffe2_references import difference, names, operators, types

from documentation.generated import markdown, table

FILE = "docs/reference/support/caffe2.md"


@table("caffe2_operators", FILE)
def read() -> str:
    from nnefkit.exchange.caffe2 import nodes  # noqa: F401  (it registers the operators)
    from nnefkit.exchange.caffe2.call import READERS

    several: dict[tuple[str, str], list[str]] = {}
    for name, reader in READERS.items():
        line = str(reader.__doc__).strip().splitlines()[0].removeprefix("Read ").rstrip(".")
        theme = reader.__module__.rpartition(".")[2].replace("_", " ")
        several.setdefault((theme, re.sub(r"`+", "`", line)), []).append(f"`{name}`")
    rows = [[key[0], ", ".join(sorted(found)), key[1]] for key, found in sorted(several.items())]
    head = markdown(["about", "operators", "in NNEF"], rows)
    return f"{len(READERS)} operators:\n\n{head}"


@table("caffe2_refused", FILE)
def refused() -> str:
    from nnefkit.exchange.caffe2 import nodes  # noqa: F401  (it registers the operators)
    from nnefkit.exchange.caffe2.call import READERS
    from nnefkit.exchange.caffe2.unread import OTHER, REASONS, WAYS_OUT, kind_of

    several: dict[str, list[str]] = {kind: [] for kind in (*REASONS, "")}
    for name in types():
        if name not in READERS:
            several[kind_of(name)].append(f"`{name}`")
    rows = [
        [REASONS.get(kind, OTHER), _as_code(WAYS_OUT[kind]), ", ".join(found)]
        for kind, found in several.items()
    ]
    return markdown(["why", "what to do", "operators"], rows)


def _as_code(text: str) -> str:
    return re.sub(r"(outputs=\[...\]|input_shapes=\{...\})", r"`\1`", text)


@table("caffe2_models", FILE)
def models() -> str:
    rows = [
        [f"`{name}`", ", ".join(operators(name)), "yes" if difference(name) <= 1e-5 else "**no**"]
        for name in names()
    ]
    return markdown(["network", "operators", "equal to 1e-5"], rows)

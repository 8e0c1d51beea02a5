"""The Keras layers and operations that are read, and the reference models."""

import re

from oracles.keras_references import difference, names, transpositions

from documentation.generated import markdown, table

FILE = "docs/reference/support/keras.md"


def _rows(prefix: str) -> list[list[str]]:
    from nnefkit.exchange.keras import nodes  # noqa: F401  (it registers the layers)
    from nnefkit.exchange.keras.call import READERS

    several: dict[tuple[str, str], list[str]] = {}
    for name, reader in READERS.items():
        if name.startswith("ops.") != bool(prefix):
            continue
        line = str(reader.__doc__).strip().splitlines()[0].removeprefix("Read ").rstrip(".")
        theme = reader.__module__.rpartition(".")[2].replace("_", " ")
        shown = f"`{name.removeprefix(prefix)}`"
        several.setdefault((theme, re.sub(r"`+", "`", line)), []).append(shown)
    return [[key[0], ", ".join(sorted(found)), key[1]] for key, found in sorted(several.items())]


@table("keras_layers", FILE)
def layers() -> str:
    return markdown(["about", "layers", "in NNEF"], _rows(""))


@table("keras_operations", FILE)
def operations() -> str:
    return markdown(["about", "operations", "in NNEF"], _rows("ops."))


@table("keras_models", FILE)
def models() -> str:
    rows = [
        [
            f"`{name.partition('/')[2]}`",
            "yes" if difference(name) < 1e-5 else "no",
            transpositions(name),
        ]
        for name in names()
    ]
    return markdown(["model", "equal to 1e-5", "transpositions inside"], rows)

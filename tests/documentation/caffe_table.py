"""The layers of Caffe that are read, and the reference networks."""

import re

from oracles.caffe_references import difference, layers, names

from documentation.generated import markdown, table

FILE = "docs/reference/support/caffe.md"


@table("caffe_layers", FILE)
def operators() -> str:
    from nnefkit.exchange.caffe import nodes  # noqa: F401  (it registers the layers)
    from nnefkit.exchange.caffe.call import READERS

    several: dict[tuple[str, str], list[str]] = {}
    for name, reader in READERS.items():
        line = str(reader.__doc__).strip().splitlines()[0].removeprefix("Read ").rstrip(".")
        theme = reader.__module__.rpartition(".")[2].replace("_", " ")
        several.setdefault((theme, re.sub(r"`+", "`", line)), []).append(f"`{name}`")
    rows = [[key[0], ", ".join(sorted(found)), key[1]] for key, found in sorted(several.items())]
    rows.append(["inputs", "`Input`", "`external`"])
    return f"{len(READERS)} layers, and Input:\n\n" + markdown(["about", "layers", "in NNEF"], rows)


@table("caffe_models", FILE)
def models() -> str:
    rows = [
        [f"`{name}`", ", ".join(layers(name)), "yes" if difference(name) <= 1e-5 else "**no**"]
        for name in names()
    ]
    return markdown(["network", "layers", "equal to 1e-5"], rows)

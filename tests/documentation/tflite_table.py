"""The TFLite operators that are read, and the reference models."""

import re
from collections import Counter

from oracles.tflite_references import SETS, names, verdict

from documentation.generated import markdown, table

FILE = "docs/reference/support/tflite.md"
ABOUT = {
    "operators": "single operators, as TensorFlow's converter wrote them",
    "networks": "networks in float32, float16, with weights as codes, and quantized",
    "written": "what converters seldom write: state, sparse weights, branches, signatures",
}


@table("tflite_operators", FILE)
def operators() -> str:
    from nnefkit.exchange.tflite import nodes  # noqa: F401  (it registers the operators)
    from nnefkit.exchange.tflite.call import READERS

    several: dict[tuple[str, str], list[str]] = {}
    for name, reader in READERS.items():
        line = str(reader.__doc__).strip().splitlines()[0].removeprefix("Read ").rstrip(".")
        theme = reader.__module__.rpartition(".")[2].replace("_", " ")
        several.setdefault((theme, re.sub(r"`+", "`", line)), []).append(f"`{name}`")
    rows = [[key[0], ", ".join(sorted(found)), key[1]] for key, found in sorted(several.items())]
    return f"{len(READERS)} operators:\n\n" + markdown(["about", "operators", "in NNEF"], rows)


@table("tflite_models", FILE)
def models() -> str:
    rows = []
    for each in SETS:
        found = [verdict(name) for name in names() if name.startswith(f"{each}/")]
        results = Counter(one.result for one in found)
        close = sum(one.result == "codes" and one.difference <= 1 for one in found)
        rows.append(
            [
                ABOUT[each],
                len(found),
                results["equal"],
                results["rounded"] or "–",
                results["codes"] or "–",
                close or "–",
                results["refused"] or "–",
                results["wrong"],
            ]
        )
    header = [
        "models",
        "all",
        "equal to 1e-5",
        "rounded by LiteRT",
        "quantized",
        "at most 1 code apart everywhere",
        "refused",
        "wrong",
    ]
    return markdown(header, rows)

"""Reads the documents named on the command line with the Khronos parser; some end the process."""

import pathlib
import re
import resource
import signal
import sys

import nnef


def verdict(path):
    text = pathlib.Path(path).read_bytes().decode()
    # It expands fragments only on request.
    bodies = re.findall(r"fragment\s+(\w+)[^{;]*{", text)
    opaque = re.search(r"fragment\s+\w+[^{;]*;", text)
    try:
        graph = nnef.parse_string(text, lowered=bodies)
        if not opaque:
            nnef.infer_shapes(graph)
    except Exception as error:  # noqa: BLE001 - of any kind: it is the verdict that counts
        return f"refuses {str(error).splitlines()[0][:100] if str(error) else type(error).__name__}"
    return "accepts"


# Excessive time or memory also ends the process.
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
for name in sys.argv[1:]:
    print(f"{name}\t", end="", flush=True)
    signal.alarm(5)
    print(verdict(name), flush=True)
    signal.alarm(0)

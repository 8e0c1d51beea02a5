"""Tab in a notebook offers public names, the names of tensors, and nothing private."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

import nnefkit as nk

SETUP = """
import numpy as np, nnefkit as nk
graph = nk.parse("version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = relu(x); }")
trace = nk.trace(graph, np.ones(2))
comparison = nk.compare(trace, trace)
nk.plot.heat_map, nk.widgets
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[BlockingKernelClient]:
    manager, client = start_new_kernel(kernel_name="python3")
    reply = client.execute_interactive(SETUP, output_hook=lambda _: None, timeout=120)
    assert reply["content"]["status"] == "ok"
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def offered(kernel: BlockingKernelClient, code: str) -> list[str]:
    message = kernel.complete(code, len(code))
    while True:
        reply = kernel.get_shell_msg(timeout=60)
        if reply["parent_header"].get("msg_id") == message:
            return [word.strip("\"'").removeprefix(code) for word in reply["content"]["matches"]]


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("nk.", nk.__all__),
        ("nk.plot.", nk.plot.__all__),
        ("nk.widgets.", nk.widgets.__all__),
        ("graph.", [name for name in dir(nk.Graph) if not name.startswith("_")]),
    ],
)
def test_attributes_are_the_public_ones(
    kernel: BlockingKernelClient, code: str, names: list[str]
) -> None:
    found = offered(kernel, code)
    assert not [name for name in found if name.startswith("_")]
    assert set(found) - {"version"} <= {*names, *GRAPH_FIELDS}
    assert set(names) <= {*found, "version"}


GRAPH_FIELDS = set(nk.Graph.__dataclass_fields__)


@pytest.mark.parametrize(
    ("code", "names"),
    [('graph["', {"x", "y"}), ('trace["', {"x", "y"}), ('comparison["', {"x", "y"})],
)
def test_keys_are_the_names_of_tensors(
    kernel: BlockingKernelClient, code: str, names: set[str]
) -> None:
    assert names <= set(offered(kernel, code))

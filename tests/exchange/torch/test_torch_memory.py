"""Weights of PyTorch modules are in memory once, in the module and in the graph together."""

import subprocess
import sys

import pytest

_MEASURED = """
import gc, sys, threading
import torch
from torch import nn
import nnefkit as nk

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

call, side = sys.argv[1], int(sys.argv[2])
x = torch.zeros(1, 8)
small = nk.from_torch(nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)), x)
nk.to_torch(small)(x)
net, x = nn.Sequential(*(nn.Linear(side, side) for _ in range(4))), torch.zeros(1, side)
graph = nk.from_torch(net, x, verify=False) if call == "to" else None
gc.collect()
before, peak, done = resident(), [0], threading.Event()

def watch():
    while not done.wait(0.002):
        peak[0] = max(peak[0], resident())

thread = threading.Thread(target=watch)
thread.start()
result = nk.to_torch(graph) if call == "to" else nk.from_torch(net, x, verify=call == "from")
done.set()
thread.join()
print((peak[0] - before) / (16 * side * side))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("call", ["from", "from without proof", "to"])
def test_conversions_take_at_most_one_and_a_half_times_the_weights(call):
    run = subprocess.run(
        [sys.executable, "-c", _MEASURED, call, "3000"], capture_output=True, text=True, check=True
    )
    assert float(run.stdout) <= 1.5

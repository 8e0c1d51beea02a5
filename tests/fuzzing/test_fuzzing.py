"""Fuzzers: what ever failed passes, a few inputs with a fixed seed, and the fuzzer itself."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import pytest

import nnefkit as nk

from .__main__ import _HANGS, ROOT, _watched, main
from .journal import Journal
from .mutation import smaller_bytes, smaller_text
from .running import CORPUS, keep, peak_memory, replay, run, smallest, try_input
from .target import READ, REFUSED, Fault, Target
from .targets import TARGETS

FEW = {
    "tensor_file": 1500,
    "graph": 25,
    "onnx": 60,
    "onnx_proof": 40,
    "trace": 100,
    "tflite": 100,
    "tensorflow": 100,
    "caffe": 100,
    "torch7": 100,
    "chainer": 100,
    "theano": 100,
    "mxnet": 100,
    "caffe2": 60,
    "keras": 60,
}
"""Inputs of a target in the standard suite; 200 of the others."""


@pytest.mark.parametrize(
    "path",
    sorted(path for path in CORPUS.glob("*/*") if path.is_file()),
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_inputs_that_ever_failed_pass(path):
    replay(TARGETS[path.parent.name], path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_drawn_inputs_keep_all_promises(name):
    tally = run(TARGETS[name], seed=1, inputs=FEW.get(name, 200))
    assert not tally.findings
    assert {READ, REFUSED} & {*tally.outcomes}


@pytest.mark.slow
def test_many_drawn_models_are_read_right():
    # The gate runs the other targets for minutes, with a new seed.
    assert not run(TARGETS["onnx_proof"], seed=2, inputs=4 * FEW.get("onnx_proof", 200)).findings


def test_the_same_seed_draws_the_same_inputs():
    target = TARGETS["text"]
    seen = []
    watched = replace(target, check=lambda data, chance: seen.append(data) or READ)
    run(watched, seed=3, inputs=20)
    run(watched, seed=3, first=10, inputs=10)
    run(watched, seed=4, inputs=20)
    assert seen[10:20] == seen[20:30]
    assert seen[:20] != seen[30:]


# -- faults that are planted ---------------------------------------------------------------------


def planted(check, draw=lambda chance: chance.randbytes(40)):
    return Target("planted", ".bin", draw, lambda data, chance: check(data), smaller_bytes)


def crashing(data):
    if b"\x07" in data:
        raise IndexError(f"byte {data.index(7)}")
    if data[:1] == b"\x01":
        raise nk.InputError("escaped")
    return READ


def test_exceptions_are_found_and_counted_by_their_place():
    tally = run(planted(crashing), seed=1, inputs=300)
    assert set(tally.findings) == {"IndexError", "InputError"}
    assert tally.again["IndexError"] > 10
    assert tally.inputs == 300
    assert tally.outcomes["fault"] == tally.again.total()


def test_findings_become_smaller_and_are_stored(tmp_path):
    target = planted(crashing)
    finding = run(target, seed=1, inputs=300).findings["IndexError"]
    found = smallest(target, finding)
    assert found.data == b"\x07"
    path = keep(target, found, tmp_path)
    assert path.parent == tmp_path / "planted"
    assert path.name.startswith("indexerror_")
    with pytest.raises(Fault, match="IndexError"):
        replay(target, path.read_bytes())


def test_texts_become_smaller_by_tokens():
    def check(data):
        if b"boom" in data:
            raise KeyError
        return READ

    target = replace(planted(check), smaller=smaller_text)
    _, finding, _ = try_input(target, b"one two boom (three) # boom")
    assert smallest(target, finding).data == b"boom"


def test_an_endless_input_is_stopped():
    def check(data):
        while True:
            try:
                sum(range(1000))
            except Exception:  # noqa: BLE001 - code that catches too much does not stop the alarm
                continue

    target = replace(planted(check), seconds=0.0, seconds_per_byte=0.0, patience=0.1)
    outcome, finding, _ = try_input(target, b"x")
    assert (outcome, finding.kind) == ("too long", "endless")


def test_slow_inputs_are_found_and_slow_machines_are_not():
    def check(data):
        end = time.thread_time() + 0.2
        while data == b"slow" and time.thread_time() < end:
            pass
        if data == b"busy":
            time.sleep(0.2)
        return READ

    target = replace(planted(check), seconds=0.02, seconds_per_byte=0.0)
    assert try_input(target, b"slow")[1].kind == "slow"
    assert try_input(target, b"busy")[1] is None


def test_inputs_that_take_much_memory_are_found():
    # More than the process ever held: other tests may have needed and freed much.
    size = (peak_memory() << 10) + (400 << 20)
    target = replace(planted(lambda data: READ if bytearray(b"\1") * size else ""))
    assert try_input(target, b"x")[1].kind == "memory"


# -- the command ---------------------------------------------------------------------------------


def test_the_command_prints_how_to_repeat_it(tmp_path, capsys):
    options = ["--target", "quantization", "--inputs", "30", "--corpus", str(tmp_path)]
    assert main([*options, "--in-process", "--seed", "77"]) == 0
    printed = capsys.readouterr().out
    assert "--target quantization --seed 77 --inputs 30" in printed
    assert "quantization: 30 inputs" in printed
    assert not [*tmp_path.iterdir()]


def test_the_command_watches_over_another_process(tmp_path):
    command = [sys.executable, "-m", "tests.fuzzing", "--target", "tensor_file", "--seed", "1"]
    run = subprocess.run(
        [*command, "--inputs", "40", "--corpus", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith("40 inputs: {'tensor_file': 40}\n")


def test_inputs_that_kill_or_stop_their_process_are_known(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal", ["text", "graph"])
    journal.begin("text", 3)
    journal.begin("graph", 41)
    assert journal.current == ("graph", 41)
    assert (journal.next("text"), journal.next("graph")) == (4, 42)
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert _watched([sys.executable, "-c", script], journal) == -9
    monkeypatch.setitem(_watched.__globals__, "SILENCE", 1.0)
    assert _watched([sys.executable, "-c", "import time; time.sleep(60)"], journal) == _HANGS
    assert Journal(tmp_path / "journal", ["text", "graph"]).current == ("graph", 41)

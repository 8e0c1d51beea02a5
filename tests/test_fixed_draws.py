"""The standard test command draws the same examples in every run, process and environment."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

DRAWN = """
import json, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
{imports}
import conftest
conftest.pytest_configure(None)
from hypothesis import given, settings, strategies as st
drawn = []

@settings(max_examples=200)
@given(st.lists(st.integers()), st.floats(), st.text(), st.sampled_from(range(100)))
def draw(a, b, c, d):
    drawn.append(repr((a, b, c, d)))

draw()
print(len(drawn), *drawn, sep="\\n")
"""


def _drawn(imports: str, hash_seed: str) -> str:
    code = DRAWN.format(tests=str(Path(__file__).parent), imports=imports)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONIOENCODING": "utf-8:backslashreplace",
        },
        capture_output=True,
        check=True,
    )
    return hashlib.sha256(done.stdout).hexdigest()


def test_draws_do_not_depend_on_what_is_imported_or_on_hash_seeds() -> None:
    alone = _drawn("", "1")
    crowded = _drawn("import nnefkit.operations, nnefkit.language, nnefkit.storage", "2")
    assert alone == crowded


@pytest.mark.skipif("'fresh' in ' '.join(sys.argv)", reason="examples are drawn again on request")
def test_the_fixed_profile_is_the_standard_one() -> None:
    assert settings.default.derandomize
    assert settings.default.database is None


@pytest.mark.skipif("'fresh' in ' '.join(sys.argv)", reason="examples are drawn again on request")
def test_a_property_sees_the_same_examples_each_time() -> None:
    rounds = []
    for _ in range(2):
        drawn: list[object] = []

        @given(st.lists(st.floats()), st.binary())
        def draw(numbers: list[float], code: bytes) -> None:
            drawn.append(repr((numbers, code)))  # noqa: B023 - called in this round

        draw()
        rounds.append(drawn)
    assert rounds[0] == rounds[1]
    assert len(rounds[0]) > 10

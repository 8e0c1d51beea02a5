"""``.npz`` files: arrays by name."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from nnefkit.arrays import Array
from nnefkit.storage.atomic_write import replacing_file


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays to an ``.npz`` file; `numpy.savez` cannot write one called ``file``.

    Raises:
        StorageError: It cannot be written.
    """
    with replacing_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, np.asarray(array), allow_pickle=False)

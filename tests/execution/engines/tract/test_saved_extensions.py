"""Documents with tract's extensions, which tract still reads after they were saved."""

import numpy as np
import pytest

import nnefkit as nk

tract = pytest.importorskip("tract")

TEXT = """
version 1.0;
extension tract_registry tract_core;
extension tract_symbol N;
extension tract_assert N>=1;
graph net( x ) -> ( y ) { x = external(shape = [1, 2]); y = tract_core_erf(x); }
"""


def test_tract_runs_a_saved_document_with_its_extensions(tmp_path):
    nk.save(nk.parse(TEXT, strict=False), tmp_path / "model.nnef.tgz")
    model = tract.nnef().load(tmp_path / "model.nnef.tgz").into_runnable()
    (result,) = model.run([np.float32([[0.0, 1.0]])])
    np.testing.assert_allclose(result.to_numpy(), [[0.0, 0.8427008]], rtol=1e-5)

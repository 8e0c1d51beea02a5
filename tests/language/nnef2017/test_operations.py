"""The declarations of the provisional operations, compared with the present ones."""

from __future__ import annotations

import pytest

from nnefkit.language import declarations
from nnefkit.language.declarations.declaration import REQUIRED
from nnefkit.language.nnef2017.declarations import provisional_operations
from nnefkit.language.nnef2017.upgrades import UPGRADES

RENAMED = {"idn": "copy", "planewise_conv": "conv", "planewise_deconv": "deconv"}
ATTRIBUTES = {"perm": "axes", "trA": "transposeA", "trB": "transposeB"}


def test_all_operations_of_chapter_4_are_declared() -> None:
    assert len(provisional_operations()) == 85


@pytest.mark.parametrize("name", provisional_operations())
def test_parameters_have_successors_with_the_same_defaults(name: str) -> None:
    then, now = provisional_operations()[name], declarations()[RENAMED.get(name, name)]
    for parameter in then.parameters:
        successor = now.by_name[ATTRIBUTES.get(parameter.name, parameter.name)]
        assert successor.is_tensor == parameter.is_tensor
        assert repr(successor.default) == repr(parameter.default)
    known = {ATTRIBUTES.get(parameter, parameter) for parameter in then.by_name}
    added = [parameter for parameter in now.parameters if parameter.name not in known]
    assert all(parameter.default is not REQUIRED for parameter in added)


@pytest.mark.parametrize("name", provisional_operations())
def test_operations_without_an_upgrade_have_the_same_parameters(name: str) -> None:
    then = provisional_operations()[name]
    if name in UPGRADES:
        assert name in RENAMED or name in declarations()
        return
    now = declarations()[name]
    assert [p.name for p in then.parameters] == [p.name for p in now.parameters][
        : len(then.parameters)
    ]
    assert [r.name for r in then.results] == [r.name for r in now.results]


def test_every_upgrade_is_of_a_provisional_operation() -> None:
    assert UPGRADES.keys() <= provisional_operations().keys()

"""File `x.py` defines `x`; `_x.py` is machinery."""

from __future__ import annotations

import pytest

from perfkit.base import plugins
from perfkit.base.errors import PerfkitError


def test_machinery_is_no_plugin():
    assert "_call" not in plugins.names("perfkit.catalogue")
    assert "nonzero" in plugins.names("perfkit.catalogue")


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(PerfkitError, match="nonzero"):
        plugins.module("perfkit.catalogue", "nonsense")


def test_modules_come_by_name():
    found = plugins.modules("perfkit.catalogue")
    assert found["nonzero"].__name__ == "perfkit.catalogue.nonzero"

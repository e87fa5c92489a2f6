"""Contract of every page of the catalogue."""

from __future__ import annotations

import pytest

from perfkit.base import plugins
from perfkit.base.errors import PerfkitError
from perfkit.catalogue import _index
from perfkit.detectors.places import TORCH_VERSION

KINDS = plugins.names("perfkit.catalogue")


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_says_when_what_looks_alike_and_what_instead(kind):
    page = _index.page(kind)
    for heading in ("**Synchronises**", "**Looks alike, does not**", "**Instead**"):
        assert heading in page.text
    assert page.direction in ("d2h", "h2d", "none")
    assert 10 < len(page.fix) <= 120 and "\n" not in page.fix


@pytest.mark.skipif(TORCH_VERSION < (2, 13), reason="some operators are newer than this torch")
def test_operators_of_the_pages_exist_in_this_torch():
    import torch

    known = {name.removesuffix(".") for name in torch._C._dispatch_get_all_op_names()}
    assert set(_index.rules()) - known == set()


def test_an_unknown_kind_is_answered_with_the_known_ones():
    with pytest.raises(PerfkitError, match="nonzero"):
        _index.page("no-such-kind")

"""One torch thread for these tests: small tensors on shared cores lose more to threads than they win."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from perfkit.rewrites._timing import one_thread


@pytest.fixture(autouse=True)
def _one_torch_thread() -> Iterator[None]:
    with one_thread():
        yield

"""The warnings of torch's sync-debug mode are counted, other warnings pass."""

from __future__ import annotations

import warnings

import pytest

from perfkit.detectors.sync_debug import sync_warnings


def test_other_warnings_pass():
    seen = []
    with pytest.warns(UserWarning, match="mind the gap"), sync_warnings(lambda: seen.append(1)):
        warnings.warn("mind the gap", stacklevel=1)
    assert seen == []


def test_each_sync_warning_is_a_witness_and_is_not_shown(capsys):
    seen = []
    with sync_warnings(lambda: seen.append(1)):
        for _ in range(2):
            warnings.warn(
                "called a synchronizing CUDA operation (Triggered internally)", stacklevel=1
            )
    assert len(seen) == 2
    assert "synchronizing" not in capsys.readouterr().err

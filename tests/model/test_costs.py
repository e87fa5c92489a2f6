from __future__ import annotations

from perfkit.model.costs import OpCost


def test_intensity_is_flops_over_bytes_and_unknown_stays_unknown() -> None:
    assert OpCost("aten::mm", "", 1, flops=60, read=20, written=10).intensity == 2.0
    assert OpCost("aten::mm", "", 1, unknown="no shapes").intensity is None
    assert OpCost("aten::mm", "", 1, unknown="no shapes").nbytes is None
    assert OpCost("aten::view", "", 1, flops=0, read=0, written=0).intensity is None

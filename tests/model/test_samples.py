from __future__ import annotations

import numpy as np

from perfkit.model.samples import Samples, Series


def test_samples_count_their_moments() -> None:
    power = Series("watt", np.array([1.0, np.nan]))
    found = Samples("device 0", np.array([1, 2]), 0, {"power": power})
    assert len(found) == 2
    assert np.isnan(found.series["power"].values[1])

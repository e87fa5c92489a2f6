from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.io.peaks import from_json, to_json
from perfkit.model.peaks import Peak, Peaks

PEAK = Peak(2.5e9, "measured", "a test")


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "perfkit.peaks/0"},
        {"device": None},
        {"compute_units": -1},
        {"compute_units": "132"},
        {"matmul": []},
        {"bandwidth": 5},
        {"bandwidth": {"value": float("nan"), "origin": "measured", "source": ""}},
        {"bandwidth": {"value": 0, "origin": "measured", "source": ""}},
        {"bandwidth": {"value": True, "origin": "measured", "source": ""}},
        {"bandwidth": {"value": 1, "origin": "guessed", "source": ""}},
        {"bandwidth": {"value": 1, "origin": "measured"}},
        {"bandwidth": {"value": 1, "origin": [], "source": ""}},
    ],
)
def test_what_is_no_figure_is_refused(change):
    with pytest.raises(ValueError):
        from_json({**to_json(Peaks("a CPU")), **change})


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_anything_else_is_refused_with_one_error(data):
    with pytest.raises(ValueError):
        from_json(data)


def test_peaks_come_back_as_they_were():
    peaks = Peaks(
        "a GPU", {"bfloat16": PEAK}, {"float32": PEAK}, bandwidth=PEAK, h2d_pageable=PEAK,
        compute_units=132, clock="1980 MHz",
    )  # fmt: skip
    assert from_json(json.loads(json.dumps(to_json(peaks)))) == peaks
    assert from_json(to_json(Peaks("nothing known"))) == Peaks("nothing known")

"""Where a call comes from."""

from __future__ import annotations

import json
import os

import torch

from perfkit.detectors.places import is_installed, is_machinery, origin, refine, resolve


def test_torch_and_the_standard_library_never_are_the_site():
    assert (
        is_machinery(torch.__file__)
        and is_machinery(json.__file__)
        and is_machinery("<frozen runpy>")
    )
    assert not is_machinery(__file__) and not is_machinery("/somewhere/model.py")


def test_shipped_workloads_are_programs_like_any_other():
    import perfkit

    assert not is_machinery(
        os.path.join(os.path.dirname(perfkit.__file__), "workloads", "ctr", "model.py")
    )
    assert is_machinery(perfkit.__file__)


def test_installed_libraries_are_told_from_the_users_own():
    assert is_installed(torch.__file__) and not is_installed(__file__)


def test_the_innermost_frame_outside_machinery_comes_first():
    def inner():
        return origin()

    frames = resolve(inner().place)
    assert [frame.function for frame in frames[:2]] == [
        "inner",
        "test_the_innermost_frame_outside_machinery_comes_first",
    ]
    assert frames[0].line == inner.__code__.co_firstlineno + 1
    assert os.path.isabs(frames[0].file)


def test_a_read_inside_a_torch_function_takes_its_kind_only_where_directions_agree():
    assert refine("item", "d2h", None) == "item"
    assert refine("item", "d2h", "grad_scaler") == "grad_scaler"
    assert refine("h2d", "h2d", "optimizer_read") == "h2d"
    assert refine("h2d", "h2d", "packed_sequence") == "packed_sequence"

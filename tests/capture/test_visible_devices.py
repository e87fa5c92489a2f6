"""CUDA_VISIBLE_DEVICES as CUDA reads it."""

from __future__ import annotations

import pytest

from perfkit.capture.visible_devices import Chosen, Gpu, MigPart, visible

TWO = (Gpu("GPU-aaaa-1", "H100"), Gpu("GPU-aabb-2", "H100"))
DIVIDED = (
    Gpu("GPU-aaaa-1", "H100", (MigPart("MIG-1111", 3, 0), MigPart("MIG-2222", 5, 0))),
    TWO[1],
)


def numbers(variable: str | None, gpus: tuple[Gpu, ...] = TWO) -> list[int]:
    environment = {} if variable is None else {"CUDA_VISIBLE_DEVICES": variable}
    chosen, _ = visible(environment, gpus)
    return [one.gpu for one in chosen]


@pytest.mark.parametrize(
    ("variable", "why"),
    [
        ("", "empty hides all"),
        ("-1", "the usual way to hide all"),
        ("-1,0", "CUDA stops at the first that names nothing"),
        ("2", "there is no third"),
        ("0,0", "named twice"),
        ("GPU-aaaa-1,GPU-aaaa-1", "a UUID named twice"),
        ("GPU-aa", "shared by two"),
        ("GPU-", "shared by all"),
        ("GPU-zzzz", "nobody's"),
        ("gpu-aaaa-1", "neither a number nor a UUID"),
        ("MIG-1111", "no part of an undivided GPU"),
        ("none", "no number"),
    ],
)
def test_these_show_no_device_and_say_so(variable: str, why: str) -> None:
    chosen, gaps = visible({"CUDA_VISIBLE_DEVICES": variable}, TWO)
    assert chosen == (), why
    assert [gap.what for gap in gaps] == ["devices"]
    assert repr(variable) in gaps[0].why


def test_a_machine_without_a_gpu_says_so() -> None:
    chosen, gaps = visible({}, ())
    assert (chosen, gaps[0].why) == ((), "NVML lists no GPU")


@pytest.mark.parametrize(
    ("variable", "gpus"),
    [
        (None, [0, 1]),
        ("0,1", [0, 1]),
        ("1,0", [1, 0]),
        (" 1 , 0", [1, 0]),
        ("1", [1]),
        ("0,-1,1", [0]),
        ("0,7,1", [0]),
        ("1gpu", [1]),
        ("GPU-aabb-2", [1]),
        ("GPU-aabb", [1]),
        ("GPU-aabb,GPU-aaaa", [1, 0]),
        ("GPU-aabb,0", [1]),
    ],
)
def test_these_show_devices_in_this_order(variable: str | None, gpus: list[int]) -> None:
    assert numbers(variable) == gpus
    assert visible({"CUDA_VISIBLE_DEVICES": variable} if variable else {}, TWO)[1] == ()


@pytest.mark.parametrize(
    ("variable", "chosen"),
    [
        (None, Chosen(0, 0)),
        ("0", Chosen(0, 0)),
        ("MIG-2222", Chosen(0, 1)),
        ("MIG-GPU-aaaa-1/5/0", Chosen(0, 1)),
        ("MIG-2222,MIG-1111", Chosen(0, 1)),
        ("1", Chosen(1, None)),
    ],
)
def test_of_a_divided_gpu_a_program_sees_one_part(variable: str | None, chosen: Chosen) -> None:
    environment = {} if variable is None else {"CUDA_VISIBLE_DEVICES": variable}
    assert visible(environment, DIVIDED)[0] == (chosen,)


def test_a_part_that_is_not_there_is_none() -> None:
    assert numbers("MIG-GPU-aaaa-1/9/0", DIVIDED) == []


def test_different_gpus_may_be_numbered_differently() -> None:
    mixed = (Gpu("GPU-a", "T4"), Gpu("GPU-b", "H100"))
    assert [gap.what for gap in visible({}, mixed)[1]] == ["device numbers"]
    assert visible({"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, mixed)[1] == ()
    assert visible({"CUDA_VISIBLE_DEVICES": "GPU-b"}, mixed)[1] == ()

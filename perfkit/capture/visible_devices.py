"""Which GPUs a CUDA program sees, and under which number: CUDA_VISIBLE_DEVICES read as CUDA reads it.

Numbers, full or shortened UUIDs, MIG parts. CUDA stops at the first entry that names nothing, and
sees no device at all where one is named twice (CUDA C++ Programming Guide, "CUDA Environment
Variables"). Pure: knows no driver.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from perfkit.model.run import Gap

VARIABLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
_NUMBER = re.compile(r"\s*[+]?(\d+)")
_OLD_MIG = re.compile(r"MIG-(GPU-[^/]+)/(\d+)/(\d+)")


@dataclass(frozen=True)
class MigPart:
    """One MIG compute instance of a GPU."""

    uuid: str
    gpu_instance: int = -1
    compute_instance: int = -1


@dataclass(frozen=True)
class Gpu:
    """One GPU as NVML lists it; `parts` is empty where it is not divided."""

    uuid: str
    name: str = ""
    parts: tuple[MigPart, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """A device that CUDA sees: NVML's index of the GPU, and of its MIG part, if it is one."""

    gpu: int
    part: int | None = None


def visible(
    environment: Mapping[str, str], gpus: Sequence[Gpu]
) -> tuple[tuple[Chosen, ...], tuple[Gap, ...]]:
    """The devices in CUDA's order, so that the first is `cuda:0`; and what is doubtful about it."""
    variable = environment.get(VARIABLE)
    if variable is None:
        chosen: tuple[Chosen, ...] = tuple(_whole(index, gpus) for index in range(len(gpus)))
        by_number = True
    else:
        words = variable.split(",")
        by_number = not words[0].strip().startswith(("GPU-", "MIG-"))
        chosen = _named(words, gpus, by_number)
    return _one_part_only(chosen), _doubts(chosen, gpus, environment, by_number)


def _named(words: Sequence[str], gpus: Sequence[Gpu], by_number: bool) -> tuple[Chosen, ...]:
    found: list[Chosen] = []
    for word in words:
        one = _numbered(word, gpus) if by_number else _by_uuid(word.strip(), gpus)
        if one is None:
            break
        if one in found:
            return ()
        found.append(one)
    return tuple(found)


def _numbered(word: str, gpus: Sequence[Gpu]) -> Chosen | None:
    """A number, and whatever stands behind its digits is ignored, as by C's strtol."""
    match = _NUMBER.match(word)
    if match is None or int(match[1]) >= len(gpus):
        return None
    return _whole(int(match[1]), gpus)


def _by_uuid(word: str, gpus: Sequence[Gpu]) -> Chosen | None:
    """A UUID, or as much of its beginning as no other device shares."""
    old = _OLD_MIG.fullmatch(word)
    if old is not None:
        at = (int(old[2]), int(old[3]))
        for index, gpu in enumerate(gpus):
            places = [(part.gpu_instance, part.compute_instance) for part in gpu.parts]
            if gpu.uuid == old[1] and at in places:
                return Chosen(index, places.index(at))
        return None
    if len(word) <= len("GPU-"):
        return None
    matches = [_whole(i, gpus) for i, gpu in enumerate(gpus) if gpu.uuid.startswith(word)]
    matches += [
        Chosen(index, number)
        for index, gpu in enumerate(gpus)
        for number, part in enumerate(gpu.parts)
        if part.uuid.startswith(word)
    ]
    return matches[0] if len(matches) == 1 else None


def _whole(index: int, gpus: Sequence[Gpu]) -> Chosen:
    """A GPU; of a divided one CUDA takes the first part."""
    return Chosen(index, 0 if gpus[index].parts else None)


def _one_part_only(chosen: tuple[Chosen, ...]) -> tuple[Chosen, ...]:
    """A process sees one MIG part and nothing else (MIG User Guide, "Device names")."""
    first_part = next((one for one in chosen if one.part is not None), None)
    return chosen if first_part is None else (first_part,)


def _doubts(
    chosen: tuple[Chosen, ...],
    gpus: Sequence[Gpu],
    environment: Mapping[str, str],
    by_number: bool,
) -> tuple[Gap, ...]:
    variable = environment.get(VARIABLE)
    if not chosen:
        why = "NVML lists no GPU" if not gpus else f"{VARIABLE}={variable!r} shows the program none"
        return (Gap("devices", why),)
    named = by_number and environment.get(ORDER, "FASTEST_FIRST") != "PCI_BUS_ID"
    if named and len({gpu.name for gpu in gpus}) > 1:
        why = (
            f"the GPUs differ and {ORDER} is not PCI_BUS_ID: CUDA may number them differently than "
            "NVML, which is followed here"
        )
        return (Gap("device numbers", why),)
    return ()

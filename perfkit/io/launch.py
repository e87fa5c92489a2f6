"""One launch of many processes: which rank this one is, and the folder that all of them share.

A launch lies in one folder, `<name>/rank0`, `<name>/rank1` and so on, each a run of its own; what all
ranks say together is the folder's own `diagnosis.json`. Ranks agree on the name without a word to each
other: it holds when their launcher started. Several nodes agree by the id given to it (torchrun
--rdzv-id), else each node makes a folder.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

_FOLDER = re.compile(r"rank(\d+)")


@dataclass(frozen=True)
class Rank:
    """One of the `world` processes of a launch, counted from 0."""

    index: int
    world: int

    @property
    def folder(self) -> str:
        """Its place in the launch's folder."""
        return f"rank{self.index}"


def this_rank() -> Rank | None:
    """Which rank this process is: as the launcher says, or the process group; None where it is alone."""
    rank: Rank | None
    try:
        rank = Rank(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    except (KeyError, ValueError):
        rank = _in_process_group()
    return rank if rank is not None and rank.world > 1 else None


def launch_name(program: str) -> str:
    """The same on all ranks of a launch, and another one for the next launch and after a restart."""
    several_nodes = os.environ.get("LOCAL_WORLD_SIZE") != os.environ.get("WORLD_SIZE")
    shared = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    when = shared if several_nodes and shared != "none" else f"{_launched():%Y%m%d-%H%M%S}"
    restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return f"{program}-{when}" + ("" if restarts == "0" else f"-restart{restarts}")


def rank_folders(launch: Path) -> list[Path]:
    """The runs of a launch by rank; empty where `launch` is none."""
    found = {
        int(match[1]): path
        for path in (launch.iterdir() if launch.is_dir() else ())
        if (match := _FOLDER.fullmatch(path.name)) and (path / "run.json").is_file()
    }
    return [path for _, path in sorted(found.items())]


def _in_process_group() -> Rank | None:
    group = sys.modules.get("torch.distributed")
    if group is None or not group.is_available() or not group.is_initialized():
        return None
    return Rank(group.get_rank(), group.get_world_size())


def _launched() -> datetime:
    """When the process that started this one began."""
    try:
        return datetime.fromtimestamp(psutil.Process(os.getppid()).create_time())
    except psutil.Error:
        return datetime.now()

"""NUMA nodes of processors and devices, as Linux tells them under /sys; None where it does not."""

from __future__ import annotations

from pathlib import Path

SYSFS = Path("/sys")


def of_bus(bus_id: str, sysfs: Path | None = None) -> int | None:
    """The node nearest to a PCI device; None where unknown (-1 in Linux) or not readable.

    Args:
        bus_id: as NVML writes it, "00000000:3B:00.0"; Linux writes four digits of domain.
    """
    domain, _, rest = bus_id.lower().partition(":")
    folder = (sysfs or SYSFS) / "bus/pci/devices" / f"{domain[-4:]}:{rest}"
    try:
        node = int((folder / "numa_node").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return node if node >= 0 else None


def of_processors(sysfs: Path | None = None) -> dict[int, int]:
    """The node of each processor; empty where Linux does not tell."""
    found: dict[int, int] = {}
    for folder in sorted(((sysfs or SYSFS) / "devices/system/node").glob("node[0-9]*")):
        try:
            text = (folder / "cpulist").read_text(encoding="ascii")
        except OSError:
            continue
        node = int(folder.name[len("node") :])
        found |= dict.fromkeys(processors(text), node)
    return found


def processors(text: str) -> list[int]:
    """Linux's lists: "0-2,8" is 0, 1, 2 and 8."""
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdecimal():
            found += range(int(first), int(last or first) + 1)
    return found

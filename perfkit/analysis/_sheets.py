"""What one data sheet says of a device, and the figures that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from perfkit.analysis.sync_costs import CALL_NS
from perfkit.model.peaks import Peak, Peaks

TERA, GIGA = 1e12, 1e9

LAUNCH_NS = (3_000, 5_000, 10_000)
LAUNCH_SOURCE = (
    "3 to 10 µs: medians of the launch call, profiler included, in public traces of A100, H100, B200, "
    "V100 and MI300X"
)
HOST_OP_NS = (5_000, 10_000, 30_000)
HOST_OP_SOURCE = (
    "5 to 30 µs, launch included: in the same traces, profiler included, the tenth percentile of the "
    "time between two launches is 6 to 17 µs and its median 16 to 84 µs; it depends on the host"
)
SYNC_SOURCE = "10 to 20 µs: dispatch, the driver's wait, the wake-up; see analysis/sync_costs.py"

_PCIE = {3: 15.75, 4: 31.51, 5: 63.02}
"""GB/s one way over 16 lanes after the 128b/130b line code (PCI Express Base Specification 3 to 5)."""

Figure = float | tuple[float, float]


@dataclass(frozen=True)
class Architecture:
    """What all devices of one design share.

    Attributes:
        paper: the document that states the rates below.
        ratios: vector FLOP/s by dtype as multiples of float32's, where a sheet leaves them out.
    """

    name: str
    paper: str
    ratios: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sheet:
    """One device as its maker describes it.

    Attributes:
        device: vendor, model, form and memory.
        model: the word that names it: "h100".
        source: title and year of the data sheet.
        matmul: TFLOP/s by dtype; a pair is dense and 2:4 sparse, as far as both are stated or one
            is stated to be half of the other.
        vector: TFLOP/s by dtype, as the sheet states them.
        bandwidth: GB/s.
        units: SMs or CUs.
        mhz: boost clocks of the matrix and of the vector figures; None where not stated.
        pcie: generation of a 16-lane link to the host; None where that is not how it is attached.
        link: NVLink, GB/s in both directions together.
        words: what else a name may say of this one: form, memory, board.
        needs: words without which the model is not meant.
        driver: how the driver calls it, where others' names say no more.
        note: what to know about the figures.
    """

    device: str
    model: str
    design: Architecture
    source: str
    matmul: Mapping[str, Figure]
    vector: Mapping[str, float]
    bandwidth: float
    units: int | None = None
    mhz: tuple[int, int] | None = None
    pcie: int | None = None
    link: float | None = None
    words: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    driver: str = ""
    note: str = ""

    @property
    def dense(self) -> dict[str, float]:
        """Matrix FLOP/s by dtype as they count: without sparsity."""
        return {d: (v if isinstance(v, float) else v[0]) * TERA for d, v in self.matmul.items()}

    @property
    def sparse(self) -> dict[str, float]:
        """Matrix FLOP/s with 2:4 sparsity, where stated. No roof: dense operands never reach it."""
        return {d: v[1] * TERA for d, v in self.matmul.items() if isinstance(v, tuple)}

    @property
    def clock(self) -> str:
        """The clocks in words."""
        if self.mhz is None:
            return "clock not stated"
        matrix, vector = self.mhz
        return f"{vector} MHz" + (f", matrix units {matrix} MHz" if matrix != vector else "")

    def peaks(self, assumption: str = "") -> Peaks:
        """The figures with their sources; `assumption` says what the name had left open."""
        return Peaks(
            device=f"{self.device} ({assumption})" if assumption else self.device,
            matmul={dtype: self._stated(value) for dtype, value in self.dense.items()},
            vector=self._vector(),
            bandwidth=self._stated(self.bandwidth * GIGA),
            launch_ns=Peak(LAUNCH_NS[1], "assumed", LAUNCH_SOURCE),
            host_op_ns=Peak(HOST_OP_NS[1], "assumed", HOST_OP_SOURCE),
            sync_ns=Peak(CALL_NS[1], "assumed", SYNC_SOURCE),
            h2d_pinned=self._bus(),
            d2h_pinned=self._bus(),
            compute_units=self.units,
            clock=self.clock,
        )

    def _stated(self, value: float) -> Peak:
        return Peak(value, "tabulated", self.source + (f"; {self.note}" if self.note else ""))

    def _vector(self) -> dict[str, Peak]:
        found = {dtype: self._stated(value * TERA) for dtype, value in self.vector.items()}
        single = self.vector.get("float32")
        for dtype, ratio in self.design.ratios.items():
            if single is not None and dtype not in found:
                source = f"{self.design.paper}: {ratio:g} times the float32 rate"
                found[dtype] = Peak(single * ratio * TERA, "tabulated", source)
        return found

    def _bus(self) -> Peak | None:
        if self.pcie is None:
            return None
        source = f"PCIe {self.pcie}.0 with 16 lanes, one way, before the protocol's own share"
        return Peak(_PCIE[self.pcie] * GIGA, "assumed", source)


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())

"""What a device can do at most: the roofs and floors that everything measured is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Origin = Literal["measured", "tabulated", "assumed"]


@dataclass(frozen=True)
class Peak:
    """One figure with where it comes from.

    Attributes:
        value: FLOP/s, bytes/s, or ns, as the field that holds it says.
        source: the data sheet, or the command that measured it.
    """

    value: float
    origin: Origin
    source: str


@dataclass(frozen=True)
class Peaks:
    """The figures of one device. An absent figure is not known; nothing is computed from it.

    Attributes:
        device: name as the driver tells it: "NVIDIA H200", "Intel Xeon ... (2 threads)".
        matmul: dense FLOP/s of matrix units by dtype of the operands, accumulating as usual;
            "tf32" for float32 operands with TF32 allowed.
        vector: FLOP/s outside the matrix units, by dtype.
        bandwidth: device memory, bytes/s, reads and writes together.
        launch_ns: host time of one kernel launch; on a CPU None.
        host_op_ns: host time of one small operator through the dispatcher.
        sync_ns: host time of a synchronisation of an idle device.
        h2d_pinned, h2d_pageable, d2h_pinned, d2h_pageable: copies over the bus, bytes/s.
        compute_units: SMs or CUs, for wave quantisation.
        clock: at which clock the figures hold, for people.
    """

    device: str
    matmul: Mapping[str, Peak] = field(default_factory=dict)
    vector: Mapping[str, Peak] = field(default_factory=dict)
    bandwidth: Peak | None = None
    launch_ns: Peak | None = None
    host_op_ns: Peak | None = None
    sync_ns: Peak | None = None
    h2d_pinned: Peak | None = None
    h2d_pageable: Peak | None = None
    d2h_pinned: Peak | None = None
    d2h_pageable: Peak | None = None
    compute_units: int | None = None
    clock: str = ""

    def flops_per_s(self, unit: str, dtype: str, tf32: bool = False) -> Peak | None:
        """The arithmetic roof for a unit and a dtype; None where it is not known.

        Matrix products in a dtype that the matrix units do not take run on the vector units.
        """
        if unit == "matmul":
            name = "tf32" if dtype == "float32" and tf32 and "tf32" in self.matmul else dtype
            if name in self.matmul:
                return self.matmul[name]
        return self.vector.get(dtype)

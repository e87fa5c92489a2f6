"""Elementwise operators in a row send every result through memory and fetch it again.

What it does
    Finds three and more elementwise operators in a row, in the same module and called equally
    often, each reading what the one before wrote, and adds up the bytes that fusing them would
    save. Speaks up where that is at least a fiftieth of the step on the GPU that was measured or is
    predicted for: the step must be limited by memory, not by launches.

Why it hurts
    An elementwise operator computes almost nothing per byte: it takes as long as its operands take
    to travel. Three in a row move the same tensor six times where one kernel moves it twice.

How the saving is estimated
    Each result in between is written once and read once: twice its bytes over the bandwidth of the
    device is likely. Low is half of it, because large caches keep part of the traffic; high adds
    the launches that go away. That each operator reads the result before it is inferred from
    sizes and order, not recorded.

When not to act
    When the region is compiled already (the trace then shows the fused kernels), when a result in
    between is used elsewhere, or when the step waits for its launches: there fusing helps by
    leaving launches out, and launch_bound_step says so.
"""

from __future__ import annotations

from collections import defaultdict

from perfkit.analysis.elementwise_chains import Chain, elementwise_chains
from perfkit.analysis.roofline import layers_together
from perfkit.analysis.run_floors import run_floors
from perfkit.analysis.step_floor import StepFloor
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.run import Run
from perfkit.rules._engine import Looked

_SHARE = 0.02
_CACHED = 0.5

FIX = "torch.compile the function around them, or write the chain as one operator (F.silu, F.gelu, ...)"


def fusible_elementwise_chain(run: Run) -> Looked:
    """One finding per place, chains of repeated layers together.

    Raises:
        NotApplicable: no step was costed.
        NotObservable: no device's bandwidth is known.
    """
    floor = run_floors(run).first
    if floor.peaks.bandwidth is None:
        raise NotObservable(f"no memory bandwidth is known of {floor.peaks.device}")
    groups: dict[tuple[str, ...], list[Chain]] = defaultdict(list)
    for chain in elementwise_chains(run.costs):
        groups[_key(chain)].append(chain)
    found = [_finding(chains, floor) for chains in groups.values()]
    findings = tuple(f for f in found if _ns(f) >= _SHARE * floor.step_ns)
    chains_told = f"{len(groups)} chain{'' if len(groups) == 1 else 's'} of elementwise operators"
    step = f"a step takes {units.ns(floor.step_ns)} on {floor.peaks.device}"
    return Looked(f"{chains_told}; {step}", findings)


def _key(chain: Chain) -> tuple[str, ...]:
    first = chain.rows[0]
    return (
        layers_together(first.module or ""),
        first.phase or "",
        *(row.op for row in chain.rows),
    )


def _ns(finding: Finding) -> int:
    return finding.saving.likely_ns if finding.saving is not None else 0


def _finding(chains: list[Chain], floor: StepFloor) -> Finding:
    rows = chains[0].rows
    saved = sum(chain.saved_bytes for chain in chains) / floor.steps
    launches = sum(chain.launches_saved for chain in chains) / floor.steps
    bandwidth, launch = floor.peaks.bandwidth, floor.peaks.launch_ns
    likely = saved / bandwidth.value * 1e9 if bandwidth is not None else 0.0
    more = launches * launch.value if launch is not None else 0.0
    names = " → ".join(row.op.rpartition("::")[2] for row in rows)
    return Finding(
        title=f"{names} send {units.nbytes(saved)} per step through memory that fusing saves",
        place=rows[0].place,
        evidence={
            "operators": names,
            "module": layers_together(rows[0].module) if rows[0].module else None,
            "phase": rows[0].phase,
            "chains_per_step": sum(chain.rows[0].calls for chain in chains) / floor.steps,
            "saved_bytes": round(saved),
            "bytes_now": round(sum(chain.nbytes for chain in chains) / floor.steps),
            "launches_saved": launches,
            "device": floor.peaks.device,
        },
        saving=Saving(
            round(likely * _CACHED),
            round(likely),
            round(likely + more),
            "bytes of the results in between over the device's bandwidth",
        ),
        fix=FIX,
        confidence="low",
    )

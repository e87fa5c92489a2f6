"""From a line to a gain, as a user goes: profile, findings, fix, compare, profile again.

The found CTR model and the found lens loss are a user's own files here, everything is typed as
`python -m perfkit ...`, and the sizes are small. Counts are exact; of times only that less work was done.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks._chain import Desk, Told, whole
from benchmarks._user_ctr import CTR
from benchmarks._user_lens import LENS
from benchmarks._user_program import Program
from benchmarks.savings import drift


@dataclass(frozen=True)
class Done:
    """A program after the whole chain; results and CPU seconds by version, 0 as found."""

    program: Program
    folder: Path
    told: list[Told]
    results: dict[int, list[float]]
    seconds: dict[int, float]


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Done]]]:
    """Both programs at once: most of their time is the start of processes."""

    def chain(program: Program) -> Done:
        folder = tmp_path_factory.mktemp(program.name)
        desk = Desk(program, folder, small=True)
        told = whole(desk)
        return Done(program, folder, told, *desk.results((0, len(told)), rounds=2))

    with ThreadPoolExecutor(2) as pool:
        yield {program.name: pool.submit(chain, program) for program in (CTR, LENS)}


def line(folder: Path, place: str) -> str:
    """The line of the unchanged program at `file.py:12`."""
    name, _, number = place.rpartition(":")
    (file,) = folder.glob(f"*_0/{name}")
    return file.read_text(encoding="utf-8").splitlines()[int(number) - 1].strip()


def named(folder: Path, told: list[Told]) -> dict[str, tuple[str, float]]:
    """What the first profile names: the line of each finding, its rule, and waits per step."""
    return {line(folder, c.place): (c.rule, c.waits) for one in told for c in one.claims}


def test_the_ctr_model_from_its_findings_to_the_same_values_without_a_wait(
    chains: dict[str, Future[Done]],
) -> None:
    done = chains["ctr"].result()
    told = done.told
    assert named(done.folder, told) == {
        "for number, expert in enumerate(self.experts):": ("per-expert-loop", 32),
        "owner = users.repeat_interleave(lengths)": ("host-wait-in-step", 2),
        "for values, offsets in slots.values():": ("per-slot-embedding", 0),
        "slots={": ("per-slot-embedding", 56),
        "user_offsets=self.user_offsets.to(device),": ("unpinned-copy", 5),
        "result.probabilities += probabilities[batch.pred_mask].cpu().tolist()": (
            "sync-in-metrics",
            pytest.approx(6, abs=3),  # a copy only in steps that have rows to predict
        ),
    }
    ranked = told[0].before.diagnosis["outcomes"]
    likely = {
        outcome["rule"]: max(f["saving"]["likely_ns"] for f in outcome["findings"] if f["saving"])
        for outcome in ranked
        if outcome["rule"] in ("per-expert-loop", "host-wait-in-step", "per-slot-embedding")
    }
    assert likely["per-expert-loop"] > likely["host-wait-in-step"]
    lookups = next(c for one in told for c in one.claims if c.place.startswith("model.py:31"))
    assert "28 embedding lookups" in lookups.title
    equal(told, proven=3)
    before, after = told[0].before, told[0].after
    assert before.waits == pytest.approx(sum(c.waits for one in told for c in one.claims))
    assert after.waits == 0
    assert before.launches is not None and after.launches is not None
    loops = sum(c.launches or 0 for one in told for c in one.claims)
    assert before.launches - after.launches >= loops > 0
    gained(done)


def test_the_lens_loss_from_its_finding_to_the_same_gradients_without_a_wait(
    chains: dict[str, Future[Done]],
) -> None:
    done = chains["lens"].result()
    told = done.told
    pairs = told[0].claims[0]
    assert (pairs.rule, pairs.rewrite) == ("per-pair-loss", "pairwise_preference_loss")
    assert line(done.folder, pairs.place) == "for number, sample in enumerate(samples):"
    assert "pair by pair in slow_dict" in pairs.title
    equal(told, proven=1)
    before, after = told[0].before, told[0].after
    assert sum(c.waits for one in told for c in one.claims) == before.waits > 100
    assert after.waits == 0
    gained(done)


def equal(told: list[Told], proven: int) -> None:
    """`perfkit compare` found no difference, in values and in gradients."""
    proofs = [one.proof for one in told if one.proof is not None]
    assert len(proofs) == proven
    for proof in proofs:
        assert set(proof.verdicts) <= {"exact", "within tolerance"}
        assert proof.values > 0 and proof.gradients > 0
        assert proof.worst_error < 1e-5


def gained(done: Done) -> None:
    """The bare program gives the same results, in less CPU time."""
    last = len(done.told)
    assert len(done.results[0]) > 0
    assert drift(done.results[0], done.results[last]) <= done.program.tolerance
    assert done.seconds[last] < done.seconds[0]

"""per-expert-loop: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules.host_wait_in_step import host_wait_in_step
from perfkit.rules.per_expert_loop import per_expert_loop
from tests.draw import draw, item
from tests.sample_runs import ctr_run, lens_run
from tests.seeded import at, seeded

MODEL = seeded(
    "/home/ada/moe.py",
    """
    class MoEModel:
        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
                if x.isnan().any():
                    break
            return x

    class Mixture:
        def forward(self, x):
            counts = x.counts.tolist()
            for expert in self.experts:
                for slot in range(2):
                    rows = torch.where(x.choice == slot)
            return rows

        def tokens(self, x):
            return x.nonzero()

        def outer(self, x):
            for number in range(self.num_experts):
                self.tokens(x)
    """,
)


SCRIPT = seeded(
    "/home/ada/settings.py",
    """
    def run(moe):
        model = Mixture(moe)
        for batch in loader:
            batch = batch.to(device)
            if batch.isnan().any():
                break
            model(batch)

    for chosen in ({}, {"moe": "auto"}):
        run(chosen)
        for batch in loader:
            for expert in experts:
                expert(batch).item()
    """,
)


def _found(*lines: str, times: int = 1) -> tuple[Finding, ...]:
    syncs = [item(stack=tuple(at(MODEL, text) for text in stack.split(" < "))) for stack in lines]
    letters = "ijk"[: len(lines)] * times
    run = draw(
        f"step  {'d' * len(letters)}\nsync  {letters}",
        device="pretend-cuda",
        **dict(zip("ijk", syncs, strict=False)),
    )
    return per_expert_loop(run).findings


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("counts =", "a read before the loop is what the advice asks for"),
        ("x.isnan()", "a loop over layers is none over experts, whatever the class is called"),
        ("return x.nonzero()", "nobody knows who called it"),
    ],
)
def test_silent(line: str, why: str) -> None:
    assert _found(line, times=3) == (), why


def test_silent_below_two_waits_per_step() -> None:
    assert _found("rows = torch.where") == ()


def _in_script(**steps: str) -> tuple[Finding, ...]:
    """Findings of a script whose loop over settings speaks of experts; two waits each per step."""
    start = at(SCRIPT, "    run(chosen)", "<module>")
    call = (at(SCRIPT, "model(batch)", "run"), start)
    stacks = {
        "copied": (at(SCRIPT, "batch = batch.to", "run"), start),
        "asked": (at(SCRIPT, "batch.isnan", "run"), start),
        "expert": (at(MODEL, "rows = torch.where", "forward"), *call),
        "inline": (at(SCRIPT, "expert(batch).item()", "<module>"),),
    }
    syncs = {letter: item(stack=stacks[name]) for name, letter in steps.items()}
    cells = "".join(syncs) * 2
    run = draw(
        f"step  {'d' * len(cells)}\nsync  {cells}", step_marker="forward of Mixture", **syncs
    )
    return per_expert_loop(run).findings


def test_silent_on_a_loop_around_the_step_whatever_it_speaks_of() -> None:
    assert _in_script(copied="i", asked="j") == ()


def test_a_loop_around_the_step_takes_nothing_from_the_loop_in_it() -> None:
    (finding,) = _in_script(copied="i", asked="j", expert="k")
    assert finding.place == at(MODEL, "for expert in", "Mixture.forward")
    assert finding.evidence["per_step"] == 2


def test_in_one_single_script_the_loop_in_the_step_is_found() -> None:
    (finding,) = _in_script(inline="i")
    assert finding.place == at(SCRIPT, "for expert in experts", "")


def test_silent_on_the_lens_loss() -> None:
    assert per_expert_loop(lens_run()).findings == ()


def test_it_does_not_apply_where_nothing_waits_or_nobody_looked() -> None:
    for picture in ("step  dddd", "step  bbbb"):
        with pytest.raises(NotApplicable):
            per_expert_loop(draw(picture))


def test_the_outermost_loop_of_the_innermost_function_about_experts_is_named() -> None:
    (finding,) = _found("rows = torch.where < self.tokens(x)", times=2)
    assert finding.place == at(MODEL, "for expert in", "Mixture.forward")
    (called,) = _found("return x.nonzero() < self.tokens(x)", times=2)
    assert called.place == at(MODEL, "for number in range", "Mixture.outer")
    assert called.code == "for number in range(self.num_experts)"


def test_the_found_model_waits_twice_per_expert_and_layer() -> None:
    (finding,) = per_expert_loop(ctr_run()).findings
    assert finding.title == (
        "The loop over experts in SMoE.forward makes 128 of 130 synchronisations per step "
        "(model.py:20, model.py:21)"
    )
    assert finding.rewrite == "moe_dispatch"
    assert finding.evidence["per_step"] == 128
    assert finding.evidence["lines"] == "model.py:20 (64), model.py:21 (64)"
    assert "kinds" not in finding.evidence
    assert finding.saving is not None
    assert (finding.saving.low_ns, finding.saving.likely_ns) == (1_280_000, 8_320_000)


def test_its_lines_stay_in_the_list_without_a_saving_of_their_own() -> None:
    found = {f.code: f for f in host_wait_in_step(ctr_run()).findings}
    line = found["if picked.any():"]
    assert (line.saving, line.evidence["part_of"]) == (None, "per-expert-loop at model.py:18")
    other = found["user_of = torch.repeat_interleave(users, lengths)"]
    assert other.saving is not None
    assert "part_of" not in other.evidence


def test_operators_of_the_loop_are_counted_where_they_were_recorded_by_line() -> None:
    run = ctr_run()
    (unknown,) = per_expert_loop(run).findings
    assert unknown.evidence["operators_in_loop"] is None
    inside = next(s.site for s in run.syncs if s.kind == "nonzero")
    costs = (OpCost("aten::eq", "", 10, place=inside), OpCost("aten::mm", "", 7))
    (finding,) = per_expert_loop(_costed(run, costs)).findings
    assert finding.evidence["operators_in_loop"] == 5


def _costed(run: Run, costs: tuple[OpCost, ...]) -> Run:
    return replace(run, costs=costs, costed_steps=2)

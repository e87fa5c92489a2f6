"""host-wait-in-step: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotObservable
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.rules.host_wait_in_step import host_wait_in_step
from tests.draw import US, copy, draw, item
from tests.sample_runs import ctr_run
from tests.trace_pictures import trace


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        ("step  bbbb.dddd\nsync  .........", "no evidence"),
        ("step  ..wwww.dddd\nsync  s.ss.......", "set-up and warm-up only"),
        ("step  dddd...\nsync  ....sss", "a step that never ended"),
    ],
    ids=lambda value: value if "\n" not in value else "",
)
def test_silent(picture: str, why: str) -> None:
    looked = host_wait_in_step(draw(picture, s=item()))
    assert looked.findings == (), why


def test_silent_on_whole_tensor_copies_which_another_rule_judges() -> None:
    run = draw("step  dddd\nsync  cd..", c=copy(), d=copy(kind="d2h", direction="d2h"))
    assert host_wait_in_step(run).findings == ()


def test_abstains_when_no_step_was_watched() -> None:
    with pytest.raises(NotObservable):
        host_wait_in_step(draw("step  bbbb.llll"))


def test_one_line_is_one_finding_whatever_it_issues() -> None:
    run = draw(
        "step  dddd.dddd\nsync  iin..iin.",
        i=item(blocked_ns=9 * US),
        n=item(op="aten::nonzero", kind="nonzero", phase="other", fix=""),
        device="pretend-cuda",
    )
    looked = host_wait_in_step(run)
    (finding,) = looked.findings
    assert looked.at == "2 watched steps"
    assert finding.title == "The host waits for the device 3 times per step"
    assert (str(finding.place), finding.fix) == ("model.py:88", "Keep the value on the device")
    assert finding.evidence["per_step"] == 3.0
    assert finding.evidence["ops"] == "aten::_local_scalar_dense, aten::nonzero"
    assert finding.evidence["phases"] == "forward, other"
    assert finding.evidence["blocked_ns"] == 18 * US
    assert finding.saving is not None
    measured = (18 * US, 18 * US, 18 * US + 2 * 200 * US)
    estimated = (10 * US, 65 * US, 220 * US)
    assert (finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns) == tuple(
        a + b for a, b in zip(measured, estimated, strict=True)
    )
    assert finding.confidence == "certain"
    assert finding.rewrite is None


def test_on_a_gpu_the_saving_is_capped_at_the_step() -> None:
    run = draw("step  bbbb.dddd\nsync  .....s..", s=item(count=50), device="cuda")
    (finding,) = host_wait_in_step(run).findings
    assert finding.saving is not None
    assert finding.saving.high_ns == 4 * US


def test_confidence_says_how_it_was_seen() -> None:
    picture = "step  dddd\nsync  s..."
    for device, certain, expected in (
        ("cuda", True, "certain"),
        ("pretend-cuda", False, "likely"),
        ("cpu", True, "likely"),
        ("cpu", False, "low"),
    ):
        run = draw(picture, s=item(certain=certain), device=device)
        assert host_wait_in_step(run).findings[0].confidence == expected


def test_a_wait_that_is_rarer_than_a_step_keeps_its_fraction() -> None:
    run = draw("step  dddd.dddd\nsync  s........", s=item())
    assert host_wait_in_step(run).findings[0].title.endswith("0.5 times per step")


def test_the_ctr_model_waits_on_three_lines() -> None:
    found = {f.code: f.evidence["per_step"] for f in host_wait_in_step(ctr_run()).findings}
    assert found == {
        "if picked.any():": 64,
        "rows, slot = torch.nonzero(picked, as_tuple=True)": 64,
        "user_of = torch.repeat_interleave(users, lengths)": 2,
    }


# From a trace: replayed, with what it shows of each wait.


READS = """
    step  ssssssssssssssssssss.ssssssssssssssssssss
    note  ..nnnnnnnn............nnnnnnnnn.......... n=fit
    py    pppppppppppppppppppp.pppppppppppppppppppp p=train.py(3):~loop
    op    ...aaaaaaa.............aaaaaaa........... a=aten::item
    call  l.....wwww..l.......l.....wwww..l........ l=cudaLaunchKernel w=cudaStreamSynchronize
    gpu   ..kkkkkkk.....kk......kkkkkkk.....kk..... k=gemm
"""


def _traced(picture: str) -> Run:
    return trace_run(trace(picture), "drawn")


def test_a_trace_gives_the_place_both_costs_and_a_replayed_saving() -> None:
    (finding,) = host_wait_in_step(_traced(READS)).findings
    assert finding.title == (
        "The host waits for the device once per step: 4 µs in all, after which the device idles 5 µs"
    )
    assert str(finding.place) == "train.py:3"
    evidence = finding.evidence
    assert (evidence["verdict"], evidence["inside"]) == ("bubble", "fit")
    assert evidence["calls"] == "cudaStreamSynchronize"
    assert finding.saving is not None
    assert finding.saving.method.startswith("replayed from the trace")
    assert 0 <= finding.saving.low_ns <= finding.saving.likely_ns == 7 * US  # the operator


def test_a_trace_without_stacks_names_the_operator_and_the_annotation_around_it() -> None:
    picture = "\n".join(line for line in READS.splitlines() if " py " not in line)
    (finding,) = host_wait_in_step(_traced(picture)).findings
    assert finding.place is None
    assert (finding.evidence["ops"], finding.evidence["inside"]) == ("aten::item", "fit")
    assert finding.saving is not None
    assert finding.saving.method.startswith("replayed from the trace")


def test_two_lines_are_replayed_apart() -> None:
    run = _traced("""
        step  ssssssssssssssssssssssssssss
        py    ppppppppppqqqqqqqqqqqqqqqqqq p=train.py(3):~a q=train.py(9):~b
        op    .aaaaaa......aaaaaaaaaaa.... a=aten::item
        call  l..wwww.....l..wwwwwwww..... l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu   .kkkkk.......kkkkkkkk....... k=gemm
    """)
    found = {str(f.place): f for f in host_wait_in_step(run).findings}
    assert set(found) == {"train.py:3", "train.py:9"}
    early, late = (found[place].saving for place in ("train.py:3", "train.py:9"))
    assert early is not None
    assert late is not None
    assert early.method == late.method
    assert early != late


def test_where_nothing_can_be_replayed_the_model_of_costs_stays() -> None:
    lost = READS + "    gpu2  " + "." * 300 + "kk k=late\n"
    late_of_the_first_launch = {0: 0, 1: 1, 2: 2, 3: 3, 4: 0}
    run = trace_run(trace(lost, launch=late_of_the_first_launch), "lost")
    (finding,) = host_wait_in_step(run).findings
    assert finding.saving is not None
    assert not finding.saving.method.startswith("replayed")


def test_a_capture_without_stacks_is_replayed_where_one_line_makes_all_waits_of_a_kind() -> None:
    picture = "\n".join(line for line in READS.splitlines() if " py " not in line)
    events = _traced(picture).events
    alone = draw("step  bbbb.dddd\nsync  .....i..", i=item(), device="cuda")
    (finding,) = host_wait_in_step(replace(alone, events=events)).findings
    assert finding.saving is not None
    assert finding.saving.method.startswith("replayed from the trace")
    other = item(stack=(Frame("other.py", 5, "f"),))
    both = draw("step  bbbb.dddd\nsync  .....ij.", i=item(), j=other, device="cuda")
    for finding in host_wait_in_step(replace(both, events=events)).findings:
        assert finding.saving is not None
        assert not finding.saving.method.startswith("replayed")


def test_many_places_are_replayed_no_longer_than_is_worth_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("perfkit.rules._replayed._MOST_VISITS", 0)
    lines = {letter: number for number, letter in enumerate("pqr", start=3)}
    step = {letter: f"{letter * 12}" for letter in lines}
    names = " ".join(f"{letter}=train.py({number}):~f" for letter, number in lines.items())
    run = _traced(f"""
        step  {"s" * 36}
        py    {"".join(step.values())} {names}
        op    {".aaaaaa....." * 3} a=aten::item
        call  {"l..wwww....." * 3} l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu   {".kkkkk......" * 3} k=gemm
    """)
    methods = [f.saving.method for f in host_wait_in_step(run).findings if f.saving]
    assert len(methods) == 3
    assert sum(method.startswith("replayed") for method in methods) == 1

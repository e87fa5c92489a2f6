"""host-wait-in-step: silent cases first, then exact numbers."""

from __future__ import annotations

import pytest

from perfkit.base.errors import NotObservable
from perfkit.rules.host_wait_in_step import host_wait_in_step
from tests.draw import US, copy, draw, item
from tests.sample_runs import ctr_run


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
        n=item(op="aten::nonzero", kind="nonzero", phase="backward", fix=""),
        device="pretend-cuda",
    )
    looked = host_wait_in_step(run)
    (finding,) = looked.findings
    assert looked.at == "2 watched steps"
    assert finding.title == "The host waits for the device 3 times per step"
    assert (str(finding.place), finding.fix) == ("model.py:88", "Keep the value on the device")
    assert finding.evidence["per_step"] == 3.0
    assert finding.evidence["ops"] == "aten::_local_scalar_dense, aten::nonzero"
    assert finding.evidence["phases"] == "backward, forward"
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

import pytest
import torch

from perfkit.rewrites._counting import count
from perfkit.rewrites.pairwise_preference_loss import REWRITE
from perfkit.rewrites.pairwise_preference_loss.side_stream import begin, why_not


def test_there_are_no_streams_on_a_cpu():
    assert why_not(torch.zeros(1)) is not None


def test_the_host_waits_for_neither_stream():
    assert (
        count(REWRITE.form("side stream"), REWRITE.case("hinge").make(0), backward=True).syncs == 0
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="streams need a CUDA device")
def test_the_result_is_there_for_the_stream_that_asks():
    moved = [a.cuda() if isinstance(a, torch.Tensor) else a for a in REWRITE.case("hinge").make(0)]
    pending = begin(torch.cuda.Stream(), *moved)
    torch.testing.assert_close(pending.result().loss, REWRITE.forms[0].run(*moved)[0])

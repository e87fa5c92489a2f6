import pytest
import torch

from perfkit.rewrites.pairwise_preference_loss import REWRITE, adopt
from perfkit.rewrites.pairwise_preference_loss.forms import choose


def test_the_public_function_takes_the_form_that_is_chosen():
    inputs = REWRITE.case("hinge").make(0)
    from perfkit.rewrites.pairwise_preference_loss import pairwise_preference_loss

    assert choose(*inputs) == "analytic"
    assert torch.equal(pairwise_preference_loss(*inputs).loss, REWRITE.forms[0].run(*inputs)[0])


def test_forms_that_cannot_run_here_say_why():
    inputs = REWRITE.case("hinge").make(0)
    assert "CUDA" in REWRITE.form("side stream").unavailable(*inputs)
    assert REWRITE.form("analytic").unavailable(*inputs) is None


def test_inputs_are_adopted_by_name_or_in_order():
    *inputs, geometry, config = REWRITE.case("hinge").make(0)
    names = ("scores", "positions", "lods", "token_losses", "sample_of_context", "tokens")
    by_name = dict(zip(names, inputs, strict=True)) | {"geometry": geometry, "config": config}
    by_name["sample_of_context"] = torch.tensor(inputs[4])
    assert adopt(**by_name)[4] == inputs[4]
    assert adopt(*inputs, geometry, config) == (*inputs, geometry, config)


@pytest.mark.parametrize("form", [f for f in REWRITE.forms if not f.exact], ids=lambda f: f.name)
def test_a_quality_can_be_missed(form):
    inputs = REWRITE.case("reported scale").make(0)
    found = REWRITE.form("analytic").run(*inputs)
    quality = form.quality(inputs, found, form.run(*inputs))
    assert 0 < quality.value <= quality.limit < 1

"""What every rule keeps, whoever writes it."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from perfkit.base import plugins
from perfkit.model.run import Run
from perfkit.rules import _engine
from tests.sample_runs import ctr_run, hostile_run, lens_run

RULES = plugins.names(_engine.ROOM)
REWRITES = plugins.names("perfkit.rewrites")
HEADINGS = ("What it does", "Why it hurts", "How the saving is estimated", "When not to act")


def test_there_are_rules() -> None:
    assert {"host_wait_in_step", "python_bound_step", "blocking_copies"} <= set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_the_file_defines_what_it_is_named_after_and_has_a_test(name: str) -> None:
    module = plugins.module(_engine.ROOM, name)
    assert inspect.isfunction(getattr(module, name))
    assert name.replace("_", "-") in _engine.rules()
    mirror = Path(__file__).parents[1] / "rules" / f"test_{name}.py"
    assert mirror.exists(), f"{mirror.name} is missing"


@pytest.mark.parametrize("name", RULES)
def test_the_docstring_is_its_page(name: str) -> None:
    page = (plugins.module(_engine.ROOM, name).__doc__ or "").splitlines()
    places = [page.index(heading) for heading in HEADINGS]
    assert places == sorted(places)
    assert page[0].endswith(".")
    for start, end in zip(places, [*places[1:], len(page)], strict=True):
        assert any(line.strip() for line in page[start + 1 : end]), page[start]


@pytest.mark.parametrize("rule_id", _engine.rules())
def test_an_empty_run_is_never_clear(rule_id: str) -> None:
    outcome = _engine.outcome(rule_id, _engine.rules()[rule_id], Run("empty"))
    assert outcome.state in ("not-observable", "not-applicable")
    assert outcome.reason


@pytest.mark.parametrize("rule_id", _engine.rules())
@pytest.mark.parametrize(
    "run", [ctr_run(), lens_run(), hostile_run()], ids=["ctr", "lens", "hostile"]
)
def test_findings_are_ranked_named_and_say_what_to_do(rule_id: str, run: Run) -> None:
    outcome = _engine.outcome(rule_id, _engine.rules()[rule_id], run)
    assert outcome.reason
    likely = [finding.saving.likely_ns if finding.saving else -1 for finding in outcome.findings]
    assert likely == sorted(likely, reverse=True)
    for finding in outcome.findings:
        assert finding.title
        assert finding.fix
        assert finding.saving is None or finding.saving.method
        assert finding.rewrite is None or finding.rewrite in REWRITES

"""What a person reads."""

from __future__ import annotations

from perfkit.base.errors import NotApplicable, NotObservable, PerfkitError


def test_without_a_hint_the_message_stands_alone():
    assert str(PerfkitError("no such file: a.py")) == "no such file: a.py"


def test_the_hint_follows_on_its_own_line():
    assert (
        str(PerfkitError("no such file: a.py", "look again")) == "no such file: a.py\n  look again"
    )


def test_what_does_not_apply_is_also_not_observed() -> None:
    assert issubclass(NotApplicable, NotObservable)

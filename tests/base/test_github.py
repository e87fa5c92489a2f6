"""Text that strangers control stays inside its workflow command."""

from __future__ import annotations

from perfkit.base.github import annotation


def test_plain_text_stays_as_it_is():
    assert annotation("notice", "a: b, c", line=3) == "::notice line=3::a: b, c\n"


def test_nothing_ends_a_property_or_the_line():
    told = annotation("warning", "100%\r\n::error::x", file="a,b:c%.py", line=1)
    assert told == "::warning file=a%2Cb%3Ac%25.py,line=1::100%25%0D%0A::error::x\n"


def test_names_that_are_no_utf8_do_not_fail():
    assert annotation("error", "x", file="\udcff.py") == "::error file=?.py::x\n"

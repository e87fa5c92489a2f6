"""What fixes say they settle is there, and the source tells it as the plug-in does."""

from __future__ import annotations

import subprocess
import sys

from perfkit.base import plugins
from perfkit.fixes import _answers
from perfkit.fixes._codemod import fixes


def test_it_imports_neither_libcst_nor_torch() -> None:
    code = (
        "import sys; from perfkit.fixes import _answers; _answers.answers(); "
        "print([m for m in ('torch', 'libcst') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_the_source_says_what_the_plug_in_says() -> None:
    found: dict[str, set[str]] = {}
    for name, fix in fixes().items():
        assert fix.answers, f"{name} is never found from a finding"
        for subject in fix.answers:
            found.setdefault(subject, set()).add(name)
    assert {subject: set(names) for subject, names in _answers.answers().items()} == found


def test_every_subject_is_a_kind_a_rule_or_a_code() -> None:
    kinds = set(plugins.names("perfkit.catalogue"))
    rules = {name.replace("_", "-") for name in plugins.names("perfkit.rules")}
    codes = {module.CODE for module in plugins.modules("perfkit.lint").values()}
    assert set(_answers.answers()) <= kinds | rules | codes


def test_each_fix_is_named_once() -> None:
    assert _answers.fitting(("item", "PK101", "nothing")).count("accumulate_on_device") == 1
    assert _answers.fitting(()) == ()

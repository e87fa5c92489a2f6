"""From a finding to its fix."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from perfkit.io.redact import Pseudonyms, redact_diagnosis
from perfkit.model.diagnosis import Diagnosis, Finding, Remedy
from perfkit.remedies import with_remedies
from perfkit.remedies.sources import unknown
from tests.remedies.program import GUARD, LOG, ONE_HOT, SOURCE, diagnosis, finding, run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text(SOURCE)
    return path


def _remedy(file: Path, *findings: Finding, **given: object) -> Remedy:
    base = diagnosis(*findings)
    made = with_remedies(base, lambda name: Path(name).read_bytes(), file.parent, **given)  # type: ignore[arg-type]
    remedy = made.outcomes[0].findings[0].remedy
    assert remedy is not None
    return remedy


def test_it_needs_no_torch() -> None:
    code = "import sys, perfkit.remedies, perfkit.remedies.linted; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_a_finding_of_a_kind_that_no_fix_answers_has_pages_and_no_diff(file: Path) -> None:
    remedy = _remedy(file, finding(file, LOG, "synchronize"))
    assert (remedy.fixes, remedy.diff, remedy.no_diff, remedy.apply) == ((), "", "", ())
    assert remedy.pages == ("rules/host_wait_in_step",)
    assert "its queue stays full" in remedy.not_when


def test_a_line_that_its_fixes_leave_alone_has_no_command(file: Path) -> None:
    remedy = _remedy(file, finding(file, LOG, "item"))
    assert (remedy.diff, remedy.apply, remedy.verify) == ("", (), ())


def test_what_another_finding_speaks_for_has_no_remedy_of_its_own(file: Path) -> None:
    part = finding(file, GUARD, "item")
    part = Finding(part.title, part.place, evidence={**part.evidence, "part_of": "x at y"})
    made = with_remedies(diagnosis(part), lambda name: SOURCE.encode())
    assert made.outcomes[0].findings[0].remedy is None


@pytest.mark.parametrize("why", ["the file was changed after the run began", "nobody knows"])
def test_without_the_source_that_ran_the_reason_stands_where_the_diff_would(
    file: Path, why: str
) -> None:
    made = with_remedies(diagnosis(finding(file, GUARD, "item")), unknown(why))
    remedy = made.outcomes[0].findings[0].remedy
    assert remedy is not None
    assert (remedy.diff, remedy.no_diff) == ("", f"No diff was made: {why}.")


def test_another_function_at_the_line_is_another_file(file: Path) -> None:
    file.write_text(SOURCE.replace("def forward", "def predict"))
    assert "another function" in _remedy(file, finding(file, GUARD, "item")).no_diff


def test_a_name_that_would_break_the_diffs_header_gets_none(tmp_path: Path) -> None:
    odd = tmp_path / "a\nb.py"
    odd.write_text(SOURCE)
    remedy = _remedy(odd, finding(odd, GUARD, "item"))
    assert remedy.diff == "" and "cannot be shown" in remedy.no_diff


def test_the_diff_is_of_the_findings_line_alone_and_applies(file: Path) -> None:
    remedy = _remedy(file, finding(file, GUARD, "item"), finding(file, ONE_HOT, "one_hot"))
    assert remedy.fixes == ("any_guard",)
    assert remedy.diff.startswith("--- a/train.py\n+++ b/train.py\n@@")
    assert "one_hot(labels)" not in [line for line in remedy.diff if line[:1] in "+-"]
    done = subprocess.run(
        ["git", "apply", "--unsafe-paths", "-p1", "-"],
        input=remedy.diff, cwd=remedy.root, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "if bad.any()" not in file.read_text() and "        x[bad] = 0\n" in file.read_text()


def test_commands_apply_capture_prove_and_measure(file: Path) -> None:
    remedy = _remedy(
        file, finding(file, GUARD, "item", rewrite="masked_write"), finding(file, LOG, "item")
    )
    assert remedy.apply == ("perfkit fix --write --select any_guard train.py:9",)
    assert remedy.verify == (
        "perfkit verify masked_write",
        "perfkit profile --out profiles/mine-inputs --capture-inputs train.py:Net.forward "
        "--device pretend-cuda train.py --lr 1",
        "perfkit fix --verify profiles/mine-inputs --select any_guard train.py:9",
        "perfkit profile --device pretend-cuda train.py --lr 1",
    )
    assert "`where` for anything computed" in remedy.wins
    assert remedy.folder == remedy.root == str(file.parent)


def test_outside_the_folder_names_are_whole_and_the_diff_is_for_the_root(
    file: Path, tmp_path: Path
) -> None:
    made = with_remedies(
        diagnosis(finding(file, GUARD, "item")), lambda name: SOURCE.encode(), tmp_path / "other"
    )
    remedy = made.outcomes[0].findings[0].remedy
    assert remedy is not None
    assert remedy.diff.startswith(f"--- a{file}\n") and remedy.root == "/"
    assert remedy.apply[0].endswith(f"{file}:9")


def test_a_file_that_does_not_parse_says_so(file: Path) -> None:
    file.write_text(SOURCE + "def forward(:\n")
    assert "not parsed" in _remedy(file, finding(file, GUARD, "item")).no_diff


def test_sharing_a_diagnosis_shares_no_source(file: Path) -> None:
    made = with_remedies(
        diagnosis(finding(file, GUARD, "item")), lambda name: SOURCE.encode(), file.parent
    )
    shared = json.dumps(redact_diagnosis(made, Pseudonyms()).to_json())
    assert "bad.any" not in shared and "train.py:9" not in shared


def test_what_a_run_saw_is_told_and_never_part_of_a_diff(file: Path) -> None:
    one = _remedy(file, finding(file, ONE_HOT, "one_hot"), run=run(file, 7, 7))
    assert one.diff == "" and "7 in 2 calls of one step" in one.by_hand[0]
    once = _remedy(file, finding(file, ONE_HOT, "one_hot"), run=run(file, 7))
    assert once.diff == "" and not once.by_hand
    several = _remedy(file, finding(file, ONE_HOT, "one_hot"), run=run(file, 7, 9))
    assert several.diff == "" and "7 to 9 in 2 calls" in several.by_hand[0]


def test_the_pages_stand_once_in_a_table(file: Path) -> None:
    pair = finding(file, GUARD, "item"), finding(file, LOG, "item")
    made = with_remedies(diagnosis(*pair), lambda name: SOURCE.encode(), file.parent)
    names = [row["name"] for row in made.tables["pages"].records()]
    assert names == ["fixes/any_guard", "rules/host_wait_in_step"]
    assert Diagnosis.from_json(made.to_json()) == made

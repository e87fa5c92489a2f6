"""GitHub Actions: the verdict in the job's summary, findings beside the changed lines.

    - run: perfkit profile --quiet --out run train.py
    - run: perfkit report run --format github

or from Python: `write_summary(diagnosis)` and `print(annotated(diagnosis))`.
"""

from __future__ import annotations

import os
from pathlib import Path

from perfkit.base import units
from perfkit.base.errors import PerfkitError
from perfkit.base.github import annotation
from perfkit.model.diagnosis import Diagnosis, Finding
from perfkit.report import _sections, markdown

_SHOWN = 10
"""Annotations of one kind and step that GitHub shows."""
_SUMMARY_BYTES = 1_000_000
"""Of one step; GitHub drops a summary of more than 1 MiB altogether."""
_BLOCKS = ("verdict", "ranks", "coverage")


def summary(diagnosis: Diagnosis) -> str:
    """The verdict, the first findings and what they stand on, as Markdown."""
    shown = (block for block in _sections.blocks(diagnosis) if block.anchor in _BLOCKS)
    return markdown.page(shown, diagnosis.run)


def write_summary(diagnosis: Diagnosis | str, file: Path | None = None) -> Path | None:
    """Append it to the summary of the job's step; returns where, None outside of a job.

    Args:
        diagnosis: or Markdown, as that of a comparison.
        file: instead of `$GITHUB_STEP_SUMMARY`.

    Raises:
        PerfkitError: it cannot be written.
    """
    named = file or os.environ.get("GITHUB_STEP_SUMMARY")
    if not named:
        return None
    text = diagnosis if isinstance(diagnosis, str) else summary(diagnosis)
    target = Path(named)
    try:
        free = _SUMMARY_BYTES - (target.stat().st_size if target.exists() else 0)
        with target.open("ab") as stream:
            stream.write(_fitting(text, free))
    except OSError as error:
        raise PerfkitError(
            f"cannot write {target}: {error.strerror}", "it is what $GITHUB_STEP_SUMMARY names"
        ) from error
    return target


def annotated(diagnosis: Diagnosis) -> str:
    """Workflow commands for stdout, one per finding: those that cost most, as far as GitHub shows them."""
    pairs = diagnosis.findings()[:_SHOWN]
    return "".join(_annotation(rule, finding) for rule, finding in pairs)


def _annotation(rule: str, finding: Finding) -> str:
    cost = "" if finding.saving is None else f" (about {units.ns(finding.saving.likely_ns)} a step)"
    text = f"{finding.title}{cost}" + (f": {finding.fix}" if finding.fix else "")
    title, place = f"perfkit {rule}", finding.place
    if place is None:
        return annotation("warning", text, title=title)
    file = _in_workspace(place.file)
    if file is None:
        return annotation("warning", f"{place.file}:{place.line}: {text}", title=title)
    return annotation("warning", text, file=file, line=place.line, title=title)


def _in_workspace(file: str) -> str | None:
    """As the repository names it; None where the file is none of the repository's."""
    root = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    try:
        return Path(file).relative_to(root).as_posix()
    except ValueError:
        return None


def _fitting(text: str, most: int) -> bytes:
    data = text.encode(errors="replace")
    if len(data) <= most:
        return data
    note = b"\n\nCut here: the summary of a step holds 1 MiB.\n"
    return data[: most - len(note)].rpartition(b"\n")[0] + note if most > len(note) else b""

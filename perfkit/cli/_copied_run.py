"""A run directory written anew in another place, redacted if it is to be shared."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from perfkit.io.redact import redact_diagnosis, redact_run
from perfkit.io.rundir import load, reserved, save_diagnosis
from perfkit.io.tb_compat import tb_compatible
from perfkit.model.run import Run

if TYPE_CHECKING:
    from perfkit.io.redact import Pseudonyms

_ORIGINAL = "kineto.json.gz"
_TRACE = "trace.pt.trace.json.gz"


def copy_run(source: Path, trace: Path | None, target: Path, names: Pseudonyms | None) -> None:
    """Write the run in `source` to the new folder `target`.

    Args:
        trace: its trace, redacted already where `names` are given; None if it has none.
        names: the pseudonyms; None copies everything as it is.

    Raises:
        PerfkitError: `target` holds something already or cannot be written, or the run does not open.
    """
    from perfkit.cli.report import read

    run, diagnosis = load(source), read(source)
    if names is not None:
        run = replace(redact_run(run, names), name=target.name)
        diagnosis = replace(redact_diagnosis(diagnosis, names), run=target.name)
    with reserved(target) as directory:
        directory.write(run)
        if names is None:
            for file in _files(source, run):
                shutil.copyfile(file, target / file.name)
        elif trace is not None:
            tb_compatible(trace, target / _TRACE)  # one is enough to share: times are the same
            directory.write(replace(run, trace=_TRACE))
        save_diagnosis(target, diagnosis)


def _files(source: Path, run: Run) -> Iterator[Path]:
    """The traces of a run."""
    for name in (run.trace, _ORIGINAL):
        if name is not None and (source / name).is_file():
            yield source / name

"""Weights & Biases: a recorded run beside the training that it measured; offline too.

from perfkit.integrations.wandb import log_run

run = wandb.init(project="ranking")
...
log_run("profiles/ranking-20260101-120000")
"""

from __future__ import annotations

import re
from pathlib import Path

import wandb

from perfkit.integrations._recorded import Recorded, recorded

KIND = "perfkit"
"""Type of the artifact."""
_NAME = re.compile(r"[^\w.-]+")
_LONGEST = 128  # characters of an artifact's name


def log_run(directory: str | Path) -> wandb.Run:
    """Log the page and the diagnosis as one artifact, numbers and verdict into the run's summary.

    Goes to the active run of wandb, or to a new one in the project "perfkit", which is finished.

    Args:
        directory: what `perfkit profile` wrote, of one process or of a launch.

    Raises:
        PerfkitError: there is no run, or it does not open.
    """
    with recorded(directory) as found:
        if wandb.run is not None:
            return _logged(wandb.run, found)
        with wandb.init(project="perfkit", name=found.name, job_type="profile") as run:
            return _logged(run, found)


def _logged(run: wandb.Run, found: Recorded) -> wandb.Run:
    run.summary.update({**found.metrics, **found.facts})
    name = _NAME.sub("-", f"perfkit-{found.name}")[:_LONGEST]
    artifact = wandb.Artifact(name, KIND, metadata=found.facts)
    for file in found.files:
        artifact.add_file(str(file))
    run.log_artifact(artifact)
    return run

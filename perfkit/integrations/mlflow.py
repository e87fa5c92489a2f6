"""MLflow: a recorded run beside the metrics of the training that it measured.

from perfkit.integrations.mlflow import log_run

with mlflow.start_run():
    ...
    log_run("profiles/ranking-20260101-120000")
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import mlflow

from perfkit.integrations._recorded import recorded

FOLDER = "perfkit"
"""Of the artifacts."""


def log_run(directory: str | Path) -> str:
    """Log the page and the diagnosis as artifacts, numbers as metrics, the verdict as tags.

    Goes to the active run of MLflow, or to a new one named after the run. Returns its id.

    Args:
        directory: what `perfkit profile` wrote, of one process or of a launch.

    Raises:
        PerfkitError: there is no run, or it does not open.
    """
    with recorded(directory) as found:
        active = mlflow.active_run()
        with (
            mlflow.start_run(run_name=found.name) if active is None else nullcontext(active) as run
        ):
            mlflow.log_metrics(found.metrics)
            mlflow.set_tags(found.facts)
            for file in found.files:
                mlflow.log_artifact(str(file), FOLDER)
            return str(run.info.run_id)

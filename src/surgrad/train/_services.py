"""Trackers for services whose runs the user opens: Weights & Biases, and MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class WandB:
    """A tracker that logs to a run of Weights & Biases, which you open and finish.

    To resume, open the run with its id, `wandb.init(id="mine", resume="allow")`; no step is logged twice.

    Parameters:
        run: what `wandb.init` returns.
    """

    def __init__(self, run: Any) -> None:
        self.run = run

    def start(self, step: int) -> None:
        """Nothing: the service keeps what it has of later steps, and the same numbers are not sent again."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log the numbers, unless the run is past this step."""
        if step >= self.run.step:
            self.run.log(dict(values), step=step)

    def close(self) -> None:
        """Nothing: who opened the run finishes it."""


class MLflow:
    """A tracker that logs to a run of MLflow, which you create and end.

    To resume, give the same run; no step is logged twice.

    Parameters:
        client: `mlflow.MlflowClient()`, which says where runs are kept.
        run_id: the id of the run, `client.create_run(experiment_id).info.run_id`.
    """

    def __init__(self, client: Any, run_id: str) -> None:
        self.client, self.run_id = client, run_id

    def start(self, step: int) -> None:
        """Nothing: the service keeps what it has of later steps, and the same numbers are not sent again."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log the numbers that the run does not have yet at this step."""
        for name, value in values.items():
            if all(one.step != step for one in self.client.get_metric_history(self.run_id, name)):
                self.client.log_metric(self.run_id, name, value, step=step)

    def close(self) -> None:
        """Nothing: who created the run ends it."""

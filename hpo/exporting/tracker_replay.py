"""Export to experiment trackers: the logs of finished experiments, sent as if the tracker had been attached."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from hpo.results.experiment import Experiment
from hpo.trackers import MLflow, TensorBoard, Trackio, TrialTracker, WandB
from hpo.trackers.base import replay

log = logging.getLogger(__name__)


def write_hparams(experiments: Sequence[Experiment], output: Path) -> None:
    """Write TensorBoard event files: a folder per trial, inside a folder per experiment if there are several."""

    def make(experiment: Experiment) -> TrialTracker:
        config = experiment.config
        name = f"{config.benchmark.name}-{config.method.name}-seed_{config.seed}"
        return TensorBoard(config, output, output / name if len(experiments) > 1 else output)

    _feed(experiments, output, make)


def write_mlflow(experiments: Sequence[Experiment], output: Path) -> None:
    """Write a folder with an MLflow store: `mlflow ui --backend-store-uri sqlite:///OUTPUT/mlflow.db`."""
    _feed(experiments, output, lambda experiment: MLflow(experiment.config, output))


def write_wandb(experiments: Sequence[Experiment], output: Path) -> None:
    """Write a folder with offline W&B runs: `wandb sync OUTPUT/wandb/offline-run-*`."""
    _feed(experiments, output, lambda experiment: WandB(experiment.config, output))


def write_trackio(experiments: Sequence[Experiment], output: Path) -> None:
    """Write a folder for Trackio: `TRACKIO_DIR=OUTPUT trackio show`."""
    _feed(experiments, output, lambda experiment: Trackio(experiment.config, output, store=output))


def _feed(experiments: Sequence[Experiment], output: Path, make: Callable[[Experiment], TrialTracker]) -> None:
    for experiment in experiments:
        tracker = make(experiment)
        output.mkdir(parents=True, exist_ok=True)
        replay(tracker, experiment.events)

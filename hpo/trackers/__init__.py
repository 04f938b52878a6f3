"""Experiment trackers: MLflow, TensorBoard, W&B, Trackio and webhooks, which receive the events of an experiment.

They are configured as `+callbacks.tensorboard._target_=hpo.trackers.TensorBoard`. All except Webhook need a package of
their own, which is imported when the experiment starts.
"""

from hpo.trackers.base import TrialTracker
from hpo.trackers.mlflow_runs import MLflow
from hpo.trackers.tensorboard_files import TensorBoard
from hpo.trackers.trackio_runs import Trackio
from hpo.trackers.wandb_runs import WandB
from hpo.trackers.webhook import Webhook

__all__ = ["MLflow", "TensorBoard", "Trackio", "TrialTracker", "WandB", "Webhook"]

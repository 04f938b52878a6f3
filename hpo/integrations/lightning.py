"""Integration of Lightning, package `lightning`: `trainer.fit(model, data, ckpt_path=resume())` with `LightningReport()`."""

from lightning.pytorch.callbacks import Checkpoint

from hpo.integrations.lightning_epochs import EpochReport, resume

__all__ = ["LightningReport", "resume"]


class LightningReport(EpochReport, Checkpoint):
    """A Lightning callback that saves a checkpoint and reports at the end of each epoch; see `EpochReport` for details."""

"""Lightning, the package `lightning`: `trainer.fit(model, data, ckpt_path=resume())` with `callbacks=[LightningReport()]`."""

from lightning.pytorch.callbacks import Checkpoint

from hpo.integrations.lightning_epochs import EpochReport, resume

__all__ = ["LightningReport", "resume"]


class LightningReport(EpochReport, Checkpoint):
    """Saves and reports at the end of each epoch; see `EpochReport`."""

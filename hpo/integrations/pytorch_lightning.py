"""Integration of Lightning, package `pytorch_lightning`, whose callbacks do not work with the package `lightning`."""

from pytorch_lightning.callbacks import Checkpoint

from hpo.integrations.lightning_epochs import EpochReport, resume

__all__ = ["PyTorchLightningReport", "resume"]


class PyTorchLightningReport(EpochReport, Checkpoint):
    """A callback for `pytorch_lightning` that saves and reports at the end of each epoch; see `EpochReport` for details."""

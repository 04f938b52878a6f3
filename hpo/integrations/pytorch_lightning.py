"""Lightning, the package `pytorch_lightning`, whose callbacks are not those of the package `lightning`."""

from pytorch_lightning.callbacks import Checkpoint

from hpo.integrations.lightning_epochs import EpochReport, resume

__all__ = ["PyTorchLightningReport", "resume"]


class PyTorchLightningReport(EpochReport, Checkpoint):
    """Saves and reports at the end of each epoch; see `EpochReport`."""

# In the shape of a script whose command line is Lightning's.
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI


class Body:
    """A part that has no argument of its own."""


class Net(LightningModule):
    def __init__(self, body: Body | None = None, learning_rate: float = 0.01, dropout: float = 0.1):
        super().__init__()

    def training_step(self, batch, number):
        self.log("train_loss", 0.0, on_epoch=True)
        self.log("lr", 0.0)

    def validation_step(self, batch, number):
        self.log("val_loss", 0.0)
        self.log("val_acc", 0.0, on_step=True)

    def test_step(self, batch, number):
        self.log("test_loss", 0.0)


class Data(LightningDataModule):
    def __init__(self, batch_size: int = 32):
        super().__init__()


LightningCLI(Net, Data, trainer_defaults={"max_epochs": 7})

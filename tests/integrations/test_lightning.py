"""Both packages of Lightning: which epochs are reported and saved, by which process, and how they go on."""

import importlib
import json
import sys

import pytest

from tests.support.extras import extra

lightning, pytorch_lightning, torch = (extra(name) for name in ("lightning", "pytorch_lightning", "torch"))
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
X = torch.randn(48, 3, generator=torch.Generator().manual_seed(0))
DATA = TensorDataset(X, X.sum(1, keepdim=True))
PACKAGES = {"lightning": "LightningReport", "pytorch_lightning": "PyTorchLightningReport"}


class Package:
    """One of the two, and what hpo has for it."""

    def __init__(self, name):
        self.library = sys.modules[name]
        ours = importlib.import_module(f"hpo.integrations.{name}")
        self.report, self.resume = getattr(ours, PACKAGES[name]), ours.resume

    def module(self):
        class Module(self.library.LightningModule):
            def __init__(self):
                super().__init__()
                self.net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))

            def loss(self, batch):
                return ((self.net(batch[0]) - batch[1]) ** 2).mean()

            def training_step(self, batch, _):
                self.log("train/loss", loss := self.loss(batch), on_epoch=True, on_step=False)
                return loss

            def validation_step(self, batch, _):
                self.log("val/loss", self.loss(batch))

            def configure_optimizers(self):
                optimizer = torch.optim.Adam(self.parameters(), 0.1)
                return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)]

        return Module()

    def train(self, epochs, validate=True, **options):
        self.library.seed_everything(3, verbose=False)
        options = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, **options}
        trainer = self.library.Trainer(
            accelerator="cpu", max_epochs=epochs, callbacks=[self.report(), *options.pop("callbacks", ())], **options
        )
        valid = DataLoader(DATA, 48) if validate else None
        module = self.module()
        trainer.fit(module, DataLoader(DATA, 16, shuffle=True), valid, ckpt_path=self.resume())
        return module


@pytest.fixture(params=PACKAGES)
def package(request):
    return Package(request.param)


@pytest.fixture
def one():
    return Package("lightning")


def test_a_resumed_training_has_the_results_of_one_in_one_piece(package, trial, tmp_path, monkeypatch):
    """With Adam's moments, a schedule, dropout and shuffling; sanity checks of the validation are no epochs."""
    package.train(2)
    resumed = package.train(4)
    reports = trial.reported()
    assert [report["epoch"] for report in reports] == [1, 2, 2, 3, 4]
    assert set(reports[0]) == {"train/loss", "val/loss", "epoch"}
    assert trial.files() == ["epoch-4.ckpt", "saved.json"]
    monkeypatch.setenv("HPO_CHECKPOINT_DIR", str(tmp_path / "other"))
    whole = package.train(4)
    assert trial.reported()[5:] == reports[:2] + reports[3:]
    assert all(map(torch.equal, whole.state_dict().values(), resumed.state_dict().values()))
    assert not (tmp_path / "checkpoints").exists(), "Lightning makes no checkpoints of its own beside"


def test_what_was_saved_and_not_reported_is_reported_by_the_next_attempt_which_trains_nothing(one, trial):
    weights = one.train(2).state_dict()
    lost = trial.forget_the_last_report()
    assert all(map(torch.equal, one.train(2).state_dict().values(), weights.values()))
    assert trial.reported()[1:] == [lost]


def test_an_epoch_without_a_validation_is_neither_saved_nor_reported(one, trial):
    one.train(5, check_val_every_n_epoch=2)
    assert [report["epoch"] for report in trial.reported()] == [2, 4]
    assert trial.files() == ["epoch-4.ckpt", "saved.json"]


def test_an_epoch_with_several_validations_is_reported_once(one, trial):
    one.train(2, val_check_interval=0.34)
    assert [report["epoch"] for report in trial.reported()] == [1, 2]


def test_where_nothing_is_validated_each_epoch_is_reported(one, trial):
    one.train(2, validate=False)
    assert [set(report) for report in trial.reported()] == [{"train/loss", "epoch"}] * 2


def test_what_other_callbacks_know_is_saved_as_well(one, trial):
    """An early stopping whose patience of three epochs begins in the first attempt and ends in the second."""
    from lightning.pytorch.callbacks import EarlyStopping

    for epochs in (2, 9):
        one.train(epochs, callbacks=[EarlyStopping("val/loss", min_delta=1e9, patience=3)])
    assert [report["epoch"] for report in trial.reported()] == [1, 2, 2, 3, 4]


def test_by_hand_it_prints_and_saves_nothing(one, by_hand, capsys):
    one.train(2)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    assert list(by_hand.iterdir()) == []


TWO_PROCESSES = """
import sys
from tests.integrations.test_lightning import Package
Package("lightning").train(int(sys.argv[1]), devices=2, strategy="ddp")
"""


@pytest.mark.process
def test_of_two_processes_the_first_reports_and_both_go_on(trial):
    """Real ones: the second is started by Lightning from the same command."""
    for epochs in (1, 3):
        trial.attempt(TWO_PROCESSES, epochs)
    assert [report["epoch"] for report in trial.reported()] == [1, 1, 2, 3]
    assert trial.files() == ["epoch-3.ckpt", "saved.json"]

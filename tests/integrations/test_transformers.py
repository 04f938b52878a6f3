"""The Trainer of Hugging Face: which evaluations are saved and reported, where it ends, and how it goes on."""

import json

import pytest

from tests.support.extras import extra

transformers, torch = extra("transformers"), extra("torch")
extra("accelerate")
from hpo.integrations.transformers import TransformersReport, resume  # noqa: E402

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
X = torch.randn(48, 3, generator=torch.Generator().manual_seed(0))
ROWS = [{"x": x, "labels": x.sum(0, keepdim=True)} for x in X]
STEPS = 3  # per epoch


class Network(torch.nn.Module):
    """As small as can be; the Trainer takes any module that gives a loss."""

    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))

    def forward(self, x, labels):
        out = self.net(x)
        return {"loss": ((out - labels) ** 2).mean(), "logits": out}


def train(epochs, until=None, make=Network, rows=ROWS, valid=None, callbacks=(), **settings):
    settings = {"eval_strategy": "epoch", "save_strategy": "no", "learning_rate": 0.1, **settings}
    settings |= {"per_device_train_batch_size": 16, "report_to": [], "disable_tqdm": True, "use_cpu": True}
    transformers.set_seed(3)
    model = make()
    trainer = transformers.Trainer(
        model,
        transformers.TrainingArguments("out", num_train_epochs=epochs, **settings),
        train_dataset=rows,
        eval_dataset=None if settings["eval_strategy"] == "no" else valid or rows,
        callbacks=[*callbacks, TransformersReport(until)],
    )
    trainer.train(resume_from_checkpoint=resume())
    return trainer


def losses(reports):
    return [(report["epoch"], report["eval_loss"]) for report in reports]


def test_ended_at_an_epoch_and_resumed_it_has_the_results_of_one_in_one_piece(trial, tmp_path, monkeypatch):
    """With Adam's moments, dropout, shuffling, and the learning rate that falls over all epochs."""
    train(4, until=2)
    resumed = train(4, until=4)
    reports = trial.reported()
    assert [(report["epoch"], report["step"]) for report in reports] == [(n, n * STEPS) for n in (1, 2, 2, 3, 4)]
    assert all(isinstance(report["epoch"], int) for report in reports)
    assert trial.files() == ["checkpoint-12", "saved.json"]
    monkeypatch.setenv("HPO_CHECKPOINT_DIR", str(tmp_path / "other"))
    whole = train(4)
    assert losses(trial.reported()[5:]) == losses(reports[:2] + reports[3:])
    assert all(map(torch.equal, whole.model.state_dict().values(), resumed.model.state_dict().values()))


@pytest.mark.parametrize(
    ("resource", "settings"), [("epoch", {}), ("step", {"eval_strategy": "steps", "eval_steps": 1})]
)
def test_what_was_saved_and_not_reported_is_reported_by_the_next_attempt_and_nothing_else(trial, resource, settings):
    train(4, until=2, **settings)
    lost = trial.forget_the_last_report()
    train(4, until=2, **settings)
    assert trial.reported()[1:] == [lost]
    train(4, until=3, **settings)
    assert [report[resource] for report in trial.reported()] == [1, 2, 2, 3]


def test_counted_in_steps(trial):
    settings = {"eval_strategy": "steps", "eval_steps": 2, "logging_steps": 1}
    train(4, until=4, **settings)
    train(4, until=8, **settings)
    reports = trial.reported()
    assert [report["step"] for report in reports] == [2, 4, 4, 6, 8]
    assert reports[0]["epoch"] == pytest.approx(2 / STEPS)
    assert {"loss", "learning_rate", "eval_loss"} <= set(reports[0])


def test_without_evaluations_what_is_logged_is_reported(trial):
    train(2, eval_strategy="no", logging_strategy="epoch")
    assert [(report["epoch"], "loss" in report) for report in trial.reported()] == [(1, True), (2, True)]
    assert trial.files() == ["checkpoint-6", "saved.json"]


def test_evaluations_on_several_sets_are_one_report(trial):
    train(1, valid={"near": ROWS, "far": ROWS[:9]})
    (report,) = trial.reported()
    assert {"eval_near_loss", "eval_far_loss"} <= set(report)


def test_checkpoints_of_the_user_s_own_strategy_are_not_reported_and_the_best_one_is_kept(trial):
    best = {
        "load_best_model_at_end": True,
        "metric_for_best_model": "loss",
        "save_strategy": "epoch",
        "learning_rate": 0.5,
    }
    trainer = train(4, **best)
    losses_ = dict(losses(trial.reported()))
    assert list(losses_) == [1, 2, 3, 4]
    first = min(losses_, key=losses_.get)
    assert trainer.state.best_global_step == first * STEPS
    assert trial.files() == sorted({"checkpoint-12", f"checkpoint-{first * STEPS}", "saved.json"})


def test_a_strategy_that_leaves_evaluations_unsaved_is_refused(trial):
    with pytest.raises(ValueError, match=r"save_strategy='best': .* use 'no'"):
        train(1, save_strategy="best", metric_for_best_model="loss")


def test_weights_with_other_names_in_the_file_go_on(trial):
    """Those of ViT, say, which the Trainer itself does not find again."""
    size = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    shape = {"image_size": 4, "patch_size": 2, "num_channels": 1, "num_labels": 2}

    def make():
        return transformers.ViTForImageClassification(transformers.ViTConfig(**size, **shape))

    rows = [{"pixel_values": torch.randn(1, 4, 4), "labels": n % 2} for n in range(48)]
    weights = train(2, until=1, make=make, rows=rows).model.state_dict()
    kept = {}

    class Begin(transformers.TrainerCallback):
        def on_step_begin(self, args, state, control, model=None, **_):
            kept.setdefault("weights", {name: value.clone() for name, value in model.state_dict().items()})

    train(2, until=2, make=make, rows=rows, callbacks=[Begin()])
    assert all(torch.equal(kept["weights"][name], value) for name, value in weights.items())


def test_by_hand_it_prints_and_saves_nothing(by_hand, capsys):
    train(3, until=2)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('{"')]
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    assert not list(by_hand.glob("out/checkpoint*"))


TWO_PROCESSES = """
import sys
from tests.integrations.test_transformers import train
train(4, until=int(sys.argv[1]))
"""


@pytest.mark.process
def test_of_two_processes_the_first_reports_and_both_go_on(trial):
    for until in (1, 2):
        trial.attempt(
            TWO_PROCESSES, until, module=("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
        )
    assert [report["epoch"] for report in trial.reported()] == [1, 1, 2]
    assert trial.files() == ["checkpoint-4", "saved.json"]

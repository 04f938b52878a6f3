"""Files of other libraries and what was reported with them: whole, together, and never silently ignored."""

import json
from pathlib import Path

import pytest

from hpo.integrations import library_checkpoint


def save(epoch, **metrics):
    def write(path):
        Path(path).write_text(f"epoch {epoch}")

    library_checkpoint.save_and_report(f"epoch-{epoch}.bin", write, {"epoch": epoch, **metrics})


def interrupted(*_):
    raise KeyboardInterrupt


def test_what_is_saved_is_found_with_its_metrics_and_reported_again(trial):
    assert library_checkpoint.resume() is None
    save(1, loss=0.5)
    save(2, loss=float("nan"))
    found = library_checkpoint.resume()
    assert found.path.read_text() == "epoch 2"
    assert found.metrics["epoch"] == 2
    assert [report["epoch"] for report in trial.reported()] == [1, 2, 2]
    assert trial.files() == ["epoch-2.bin", "saved.json"]


def test_it_is_saved_before_it_is_reported(trial, monkeypatch):
    monkeypatch.setattr(library_checkpoint.reporting, "report", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(1, loss=0.5)
    assert library_checkpoint.find_checkpoint().metrics == {"epoch": 1, "loss": 0.5}


@pytest.mark.parametrize("moment", ["sync", "write_atomically"])
def test_killed_while_it_saves_a_trial_goes_on_from_the_one_before(trial, monkeypatch, moment):
    save(1)
    with monkeypatch.context() as patch:
        patch.setattr(library_checkpoint, moment, interrupted)
        with pytest.raises(KeyboardInterrupt):
            save(2)
    assert library_checkpoint.find_checkpoint().path.read_text() == "epoch 1"
    save(3)
    assert trial.files() == ["epoch-3.bin", "saved.json"], "what was left is removed"


def test_an_epoch_that_is_trained_again_leaves_the_one_that_is_whole_until_it_is_whole_itself(trial):
    save(1)
    whole = library_checkpoint.find_checkpoint().path
    for _ in range(3):
        path = library_checkpoint.checkpoint_path("epoch-1.bin")
        assert path != whole
        path.write_text("epoch 1")
        library_checkpoint.report_saved(path, {"epoch": 1})
        assert not whole.exists()
        whole = path


def test_a_folder_is_replaced_as_a_whole_and_one_that_is_needed_stays(trial):
    for number in (5, 10, 15):
        folder = library_checkpoint.checkpoint_path(f"checkpoint-{number}")
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "weights").touch()
        library_checkpoint.report_saved(folder, {"step": number}, keep=[trial.folder / "checkpoint-5"])
    assert trial.files() == ["checkpoint-15", "checkpoint-5", "saved.json"]


def test_what_is_not_ours_stays(trial):
    trial.folder.mkdir()
    (trial.folder / "epoch-1.txt").touch()
    save(1)
    save(2)
    assert trial.files() == ["epoch-1.txt", "epoch-2.bin", "saved.json"]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"name": "epoch-1.bin", "metrics": {}', '{"name": "gone", "metrics": {}, "generators": {}}'],
)
def test_damage_is_an_error_and_not_a_new_start(trial, content):
    save(1)
    (trial.folder / "saved.json").write_text(content)
    with pytest.raises(ValueError, match=r"saved\.json: is damaged"):
        library_checkpoint.resume()


def test_a_metric_that_cannot_be_reported_is_named_and_leaves_what_was_saved(trial):
    save(1)
    with pytest.raises(TypeError, match=r"report\(model=\.\.\.\): a object cannot be reported"):
        save(2, model=object())
    assert library_checkpoint.find_checkpoint().metrics == {"epoch": 1}


def test_by_hand_it_prints_and_saves_nothing(by_hand, capsys):
    save(1, loss=0.5)
    assert json.loads(capsys.readouterr().out) == {"epoch": 1, "loss": 0.5}
    assert library_checkpoint.resume() is None
    assert list(by_hand.iterdir()) == []


@pytest.mark.parametrize(
    ("environment", "first"),
    [({}, True), ({"RANK": "0"}, True), ({"RANK": "2", "LOCAL_RANK": "0"}, False), ({"LOCAL_RANK": "1"}, False)],
)
def test_of_several_processes_the_first_reports_again(trial, monkeypatch, environment, first):
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    save(1)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert library_checkpoint.resume() is not None
    assert len(trial.reported()) == 1 + first


def test_scalars_are_numbers_of_whatever_kind():
    import numpy as np
    import torch

    given = {
        "a/b": 1, "b": 0.5, "c": True, "d": np.float32(0.5), "e": np.array([2.0]), "f": torch.tensor(3),
        "g": torch.ones(1, 1), "text": "x", "none": None, "list": [1], "matrix": np.ones(2), "tensor": torch.ones(2),
    }  # fmt: skip
    assert library_checkpoint.scalars(given) == {"a/b": 1, "b": 0.5, "c": True, "d": 0.5, "e": 2.0, "f": 3, "g": 1.0}

"""Configuration files that a script is given: their keys are the space, and a trial gets a copy with its values."""

from pathlib import Path

import pytest

import hpo
from hpo.config.yaml_files import read_plain
from hpo.errors import ConfigError
from hpo.proposing.proposal import write_benchmark
from tests.conftest import succeeded

BASE = (
    "model:\n  hidden_dim: 128\ntrain:\n  lr: 1e-3  # a text for PyYAML\n  epochs: 4\n  shuffle: true\ndata_dir: data\n"
)
BODY = """
for epoch in range(config["train"]["epochs"]):
    print(f"epoch {epoch + 1} val_loss {float(config['train']['lr']) + 1 / (epoch + 1):.4f}")
"""
OPTION = """import argparse
import yaml
parser = argparse.ArgumentParser()
parser.add_argument("--config", default="base.yaml")
parser.add_argument("--weight-decay", type=float, default=0.01)
args = parser.parse_args()
config = yaml.safe_load(open(args.config))
"""
WORD = "import sys, yaml\nconfig = yaml.safe_load(open(sys.argv[1]))\n"
FIXED = """import argparse
import yaml
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
config = yaml.safe_load(open("base.yaml"))
"""
SPACE = ["model.hidden_dim", "train.lr"]


@pytest.fixture
def proposed(tmp_path, monkeypatch):
    """A function that proposes a benchmark for a script beside base.yaml, and returns its content and its text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BASE)

    def propose(head, **keys):
        (tmp_path / "train.py").write_text(head + BODY)
        path = write_benchmark(script=tmp_path / "train.py", name="mine", folder=tmp_path, gpus=False, **keys).path
        return read_plain(path), path.read_text()

    return propose


def test_the_keys_of_the_default_file_are_proposed_with_their_lines(proposed):
    content, text = proposed(OPTION)
    assert (content["argument_style"], content["config_file"]) == ("file", "base.yaml")
    assert list(content["config_space"]) == [*SPACE, "weight-decay"]
    assert content["config_space"]["weight-decay"]["argument"] == "--weight-decay"
    assert content["config_space"]["train.lr"] == {"type": "float", "lower": 1e-5, "upper": 0.1, "log": True}
    assert content["arguments"] == {"--config": "{config_file}", "train.epochs": 4}
    assert content["max_resource_attr"] == "train.epochs"
    assert "# default in line 4; each trial gets a copy" in text
    assert "# default 0.001 in base.yaml line 4" in text
    assert "# train.shuffle: {type: choice, values: [true, false]}" in text


@pytest.mark.parametrize("given", [True, False])
def test_a_file_that_is_the_first_word_is_named_by_the_user(proposed, tmp_path, given):
    if given:
        content, text = proposed(WORD, config=tmp_path / "base.yaml")
        assert list(content["config_space"]) == SPACE
        assert content["arguments"]["1"] == "{config_file}"
        assert "# as given to hpo init; each trial gets a copy" in text
    else:
        assert "its keys are proposed by hpo init --config FILE." in proposed(WORD)[1]


def test_a_file_that_a_shell_script_names_is_found(proposed, tmp_path):
    (tmp_path / "run.sh").write_text("python train.py --config base.yaml\n")
    content, text = proposed(OPTION.replace(', default="base.yaml"', ", required=True"))
    assert list(content["config_space"]) == [*SPACE, "weight-decay"]
    assert "config_file: base.yaml  # as in run.sh line 1; each trial gets a copy" in text


def test_where_options_overwrite_the_file_a_default_of_an_option_hides_its_key(proposed, tmp_path):
    (tmp_path / "base.yaml").write_text("weight_decay: 0.1\nlr: 0.1\n")
    assert "weight_decay" in proposed(OPTION)[0]["config_space"]
    (tmp_path / "benchmark" / "mine.yaml").unlink()
    space = proposed(OPTION + "config.update(vars(args))\n")[0]["config_space"]
    assert list(space) == ["lr", "weight-decay"]
    assert space["weight-decay"]["argument"] == "--weight-decay"


def test_a_file_that_no_argument_names_cannot_be_tuned_and_the_proposal_says_so(proposed):
    content, text = proposed(FIXED)
    assert list(content["config_space"]) == ["lr"]
    assert "# base.yaml is read and no argument names another file: what is in it cannot be tuned" in text


@pytest.mark.parametrize(
    ("head", "file", "sentence"),
    [
        (OPTION, "none.yaml", r"--config none\.yaml: there is no such file"),
        (OPTION, "train.py", r"--config train\.py: its name must end in \.json, \.toml, \.yaml, \.yml"),
        (FIXED, "base.yaml", r"--config base\.yaml: the program has no argument that names such a file"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(proposed, head, file, sentence):

    with pytest.raises(ConfigError, match=sentence):
        proposed(head, config=Path(file))


@pytest.mark.process
def test_trials_run_with_the_values_in_their_copies_of_the_file(proposed, workplace):
    (workplace.path / "base.yaml").write_text(BASE)
    (workplace.path / "train.py").write_text(WORD + BODY)
    succeeded(workplace.verb("init", "train.py", "--config", "base.yaml"))
    succeeded(
        workplace.hpo("--config-dir", "conf", "benchmark=train", "method=RS", "max_num_trials=2", "experiment_tag=a")
    )
    reports = hpo.load_experiment(workplace.path / "outputs/a/train/RS/seed_0").reports
    for _, row in reports.iterrows():
        assert row["val_loss"] == pytest.approx(row["config_train.lr"] + 1 / row["epoch"], abs=1e-4)
    assert len(reports) == 8

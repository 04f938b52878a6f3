"""Experiments that version 0.1.0 has left are gone on with, replayed, reported and exported as its own."""

import tarfile
from pathlib import Path

import pytest
import yaml

import hpo
from tests.conftest import SCRIPTS as HERE
from tests.conftest import Workplace, succeeded
from tests.golden.store import ARCHIVE, SCRIPTS

pytestmark = pytest.mark.process

PLACES = {"grown": "mine/RS/seed_0", "killed": "mine/ASHA/seed_0", "simulated": "generated_typical/MOBSTER/seed_0"}


@pytest.fixture
def stored(tmp_path):
    """The directories, under outputs/ of a working directory, with the paths of this machine."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path / "outputs", filter="data")
    for path in (tmp_path / "outputs").rglob("experiment.yaml"):
        path.write_text(path.read_text().replace(SCRIPTS, str(HERE)))
    return Workplace(tmp_path)


def directory_of(stored: Workplace, tag: str) -> Path:
    return stored.path / "outputs" / tag / PLACES[tag]


def config_of(directory: Path) -> dict:
    return yaml.safe_load((directory / "experiment.yaml").read_text())


@pytest.mark.parametrize("tag", PLACES)
def test_every_verb_reads_it(stored, tag):
    assert " 0 different" in succeeded(stored.verb("replay", tag))
    assert "best" in succeeded(stored.verb("status", tag))
    succeeded(stored.verb("report", tag))
    assert (stored.path / "outputs" / tag / "report.html").is_file()
    succeeded(stored.verb("export", tag, "--to", "csv", "--output", str(stored.path / "t.csv")))


@pytest.mark.parametrize("tag", ["grown", "simulated"])
def test_a_complete_one_is_skipped(stored, tag):
    directory = directory_of(stored, tag)
    before = hpo.load_experiment(directory).events
    assert hpo.run_experiment(config_of(directory), directory).skipped
    assert hpo.load_experiment(directory).events == before


@pytest.mark.parametrize(("tag", "changes"), [("killed", {}), ("grown", {"max_num_trials": 5})])
def test_it_goes_on_and_keeps_what_it_had(stored, tag, changes):
    directory = directory_of(stored, tag)
    before = hpo.load_experiment(directory)
    outcome = hpo.run_experiment({**config_of(directory), **changes}, directory)
    after = hpo.load_experiment(directory)
    assert outcome.reason is not None
    assert after.events[: len(before.events)] == before.events
    assert len(after.state.trials) == outcome.config.max_num_trials > len(before.state.trials)
    assert " 0 different" in succeeded(stored.verb("replay", tag))
    assert after.reports["epoch"].max() == 9


def test_what_ran_under_slurm_or_sagemaker_is_known_by_its_classes(stored):
    directory = directory_of(stored, "grown")
    for target in ("hpo.launchers.slurm.SlurmLauncher", "hpo.launchers.sagemaker.SageMakerLauncher"):
        config = {**config_of(directory), "launcher": {"_target_": target}}
        assert hpo.run_experiment(config, directory).skipped

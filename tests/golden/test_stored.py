"""Experiments that version 0.1.0 has left are gone on with, replayed, reported and exported as its own."""

import importlib
import tarfile
from pathlib import Path

import pytest
import yaml

import hpo
from hpo.config.reading import resolve
from hpo.sagemaker.names import identity
from tests.conftest import SCRIPTS as HERE
from tests.conftest import Workplace, succeeded
from tests.golden.store import ARCHIVE, SCRIPTS

pytestmark = pytest.mark.process

IDENTITIES = [
    ("mlp_digits", "auto", "8c9b77bf0213530f9571a557a7fb3517"),
    ("generated_typical", "auto", "510b1876fc92217309758d402f2295da"),
    ("mlp_digits_grid", "simulated", "b4daf749c5107fd1f9a57ea5dc6f88ff"),
]
"""What version 0.1.0 takes for the same SageMaker job."""
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


@pytest.mark.parametrize(("benchmark", "backend", "known"), IDENTITIES)
def test_a_job_that_was_sent_is_found_again(benchmark, backend, known):
    config = hpo.load_config(benchmark, "ASHA", seed=2, random_seed=5, backend={"name": backend})
    assert identity(resolve(config)) == known


def test_a_queued_slurm_job_finds_its_function():
    from hpo.launchers.slurm.job import work as former
    from hpo.slurm.job import work

    assert former is work


PUBLISHED = [
    "hpo.searchers.GaussianProcessSearcher",
    "hpo.searchers.GridSearcher",
    "hpo.searchers.HyperTuneSearcher",
    "hpo.searchers.IndependentSearcher",
    "hpo.searchers.MOBSTERSearcher",
    "hpo.searchers.RandomSearcher",
    "hpo.searchers.Searcher",
    "hpo.searchers.SobolSearcher",
    "hpo.searchers.botorch.BoTorchSearcher",
    "hpo.searchers.cqr.CQRSearcher",
    "hpo.schedulers.ASHA",
    "hpo.schedulers.FIFO",
    "hpo.schedulers.Scheduler",
    "hpo.schedulers.StoppingASHA",
    "hpo.schedulers.SynchronousHyperband",
    "hpo.schedulers.asha.ASHA",
    "hpo.launchers.local.LocalLauncher",
    "hpo.launchers.sagemaker.SageMakerLauncher",
    "hpo.launchers.slurm.SlurmLauncher",
    "hpo.trackers.MLflow",
    "hpo.trackers.TensorBoard",
    "hpo.trackers.Trackio",
    "hpo.trackers.TrialTracker",
    "hpo.trackers.WandB",
    "hpo.backends.local.LocalBackend",
    "hpo.backends.simulated.SimulatedBackend",
]
"""Every `_target_` that was ever published: they lie in stored experiments and in users' YAML."""


@pytest.mark.parametrize("target", PUBLISHED)
def test_every_published_target_names_a_class(target):
    module, _, name = target.rpartition(".")
    assert isinstance(getattr(importlib.import_module(module), name), type)

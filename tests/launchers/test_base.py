"""Which launcher a configuration names, and what is known of it before it is made."""

from dataclasses import replace

import pytest

from hpo.config.reading import load_config
from hpo.errors import ConfigError
from hpo.launchers.base import make_launcher, runs_here
from hpo.launchers.local import LocalLauncher
from hpo.launchers.remote import JobDescription, RemoteLauncher
from hpo.slurm.launcher import SlurmLauncher


class Mine(LocalLauncher):
    """Somebody's own, beside this process's."""


class Elsewhere(RemoteLauncher):
    """The least that a launcher to come has."""

    def request(self, experiment, output_dir):
        if experiment.seed == 13:
            raise ConfigError("seed=13: nobody takes this")
        return {}

    submit = state = fetch = cancel = join = None


def config(target, *, trusted=(), **overrides):
    made = load_config("mlp_digits", "RS", trusted_modules=list(trusted), **overrides)
    return replace(made, launcher={"_target_": target})


def mine(name, **overrides):
    return config(f"{__name__}.{name}", trusted=[__name__.partition(".")[0]], **overrides)


def test_a_launcher_says_whether_it_runs_experiments_here():
    assert runs_here(config("hpo.launchers.local.LocalLauncher"))
    assert runs_here(mine("Mine")), "what a launcher of the user's own does counts, and not its name"
    assert not runs_here(mine("Elsewhere"))
    assert not runs_here(config("hpo.slurm.SlurmLauncher"))
    assert not runs_here(config("hpo.sagemaker.SageMakerLauncher"))


@pytest.mark.parametrize("target", ["hpo.launchers.local.Nobody", "os.system", None])
def test_a_wrong_launcher_is_said_to_be_wrong_only_where_it_is_made(target):
    assert not runs_here(config(target))
    with pytest.raises(ConfigError, match="launcher"):
        make_launcher(config(target))


def test_keys_that_a_launcher_does_not_have_are_one_sentence():
    with pytest.raises(ConfigError, match=r"launcher: .*check the keys under launcher"):
        make_launcher(config("hpo.launchers.local.LocalLauncher"), nodes=3)


def test_a_launcher_to_come_needs_no_more_than_a_request_to_be_planned(tmp_path):
    made = make_launcher(mine("Elsewhere", max_wallclock_time=1800))
    assert isinstance(made, RemoteLauncher)
    told = made.describe(mine("Elsewhere", max_wallclock_time=1800), tmp_path)
    assert told == JobDescription(tmp_path.as_posix(), "Elsewhere", None, hours=0.5, limit_hours=0.5)
    with pytest.raises(ConfigError, match="seed=13"):
        made.describe(mine("Elsewhere", seed=13), tmp_path)


def test_a_slurm_job_is_described_by_what_it_asks_of_the_cluster(tmp_path):
    config = load_config("mlp_digits", "RS", num_gpus_per_trial=1, n_workers=2, max_wallclock_time=7200)
    launcher = SlurmLauncher(partition="long", sbatch={"gres": "gpu:a100:2,tmpfs:9"})
    told = launcher.describe(config, tmp_path)
    assert (told.machine, told.gpus) == ("8 cores, 2 GPUs, long", 2)
    assert (told.hours, told.limit_hours, told.instance_type) == (2.0, 4.0, None)

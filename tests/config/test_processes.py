"""The number of processes of a trial: what cannot be started is one sentence that names the key."""

import pytest

from hpo.config.processes import processes_per_trial
from hpo.config.reading import load_config, resolve
from hpo.errors import ConfigError
from hpo.sagemaker.names import identity

MINE = {
    "name": "mine", "script": "train.py", "metric": "loss", "mode": "min", "num_gpus_per_trial": 0,
    "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
}  # fmt: skip


def made(**keys):
    content = {key: value for key, value in {**MINE, **keys}.items() if value is not ...}
    return resolve(load_config(content, "RS", random_seed=1))


def test_without_the_key_a_trial_has_no_launcher():
    assert processes_per_trial(made()) is None


def test_the_number_is_as_given_or_that_of_the_trials_gpus():
    assert processes_per_trial(made(processes_per_trial=3)) == 3
    assert processes_per_trial(made(processes_per_trial="gpu", num_gpus_per_trial=4)) == 4


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"processes_per_trial": 0}, "use a positive whole number"),
        ({"processes_per_trial": -2}, "use a positive whole number"),
        ({"processes_per_trial": True}, "use a positive whole number"),
        ({"processes_per_trial": "gpus"}, "use a positive whole number"),
        ({"processes_per_trial": "gpu"}, "num_gpus_per_trial=0"),
        ({"processes_per_trial": 2, "script": ..., "function": "train.py:objective"}, "benchmark.function"),
        ({"processes_per_trial": 2, "script": ..., "table": "t"}, "simulation"),
        ({"processes_per_trial": 2, "script": "train.sh"}, "only Python scripts"),
        ({"processes_per_trial": 2, "script": ..., "command": ["torchrun", "train.py"]}, "{processes}"),
    ],
)
def test_what_cannot_be_started_is_one_sentence(keys, words):
    with pytest.raises(ConfigError, match=r"^benchmark\.processes_per_trial=") as caught:
        made(**keys)
    assert words in str(caught.value)


def test_the_identity_of_an_experiment_changes_only_with_the_key():
    assert identity(made()) == identity(made(processes_per_trial=None)) != identity(made(processes_per_trial=2))

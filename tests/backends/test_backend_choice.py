"""Which backend a configuration means, by name or by `_target_`, and what is wrong with one."""

import pytest

from hpo.backends.backend_choice import backend_of, check_backend
from hpo.backends.local import LocalBackend
from hpo.backends.simulated import SimulatedBackend
from hpo.config.reading import load_config, resolve
from hpo.errors import ConfigError
from tests.backends.test_backends import config_of

LOCAL = "hpo.backends.local.LocalBackend"
SIMULATED = "hpo.backends.simulated.SimulatedBackend"


@pytest.mark.parametrize(
    ("backend", "benchmark", "kind"),
    [
        ({"name": "auto"}, "mlp_digits", LocalBackend),
        ({"name": "auto"}, "generated_typical", SimulatedBackend),
        ({"name": "auto"}, "mlp_digits_grid", LocalBackend),
        ({"name": "simulated"}, "mlp_digits_grid", SimulatedBackend),
        ({"name": "local"}, "mlp_digits_grid", LocalBackend),
        ({"_target_": SIMULATED}, "mlp_digits_grid", SimulatedBackend),
        ({"name": "anything", "_target_": LOCAL}, "mlp_digits", LocalBackend),
    ],
)
def test_the_class_follows_from_the_target_or_the_name_or_the_benchmark(backend, benchmark, kind):
    config = resolve(load_config(benchmark, "RS", backend=backend, num_gpus_per_trial=0))
    assert backend_of(config)[0] is kind
    assert config.backend["_target_"] == (LOCAL if kind is LocalBackend else SIMULATED)
    assert config.backend["name"] == backend.get("name", "auto")
    check_backend(config)


@pytest.mark.parametrize(
    ("backend", "named"),
    [
        ({"name": "cloud"}, "backend=cloud: use auto, local, simulated, ray, slurm, sagemaker, or give it a _target_"),
        ({"name": "local", "charge_decisions": True}, r"backend\.charge_decisions"),
        ({"name": "simulated", "charge_decision": True}, r"backend\.charge_decision.*charge_decisions"),
        ({"_target_": "os.system"}, "trusted_modules"),
        ({"_target_": "hpo.launchers.local.LocalLauncher"}, "no backend of this name"),
        ({"_target_": "tests.backends.test_backends.Mine", "sped": 2}, r"backend\.sped.*speed"),
        ({"_target_": "tests.backends.test_backends.config_of"}, "not a subclass"),
        ({"name": "simulated"}, r"benchmark\.table is not given"),
    ],
)
def test_a_wrong_backend_is_one_sentence_that_says_what_is_wrong(backend, named):
    with pytest.raises(ConfigError, match=named):
        check_backend(config_of(backend, trusted_modules=["tests"]))


def test_more_resource_than_the_table_has_names_both():
    keys = {"benchmark.arguments": {"epochs": 81}}
    with pytest.raises(ConfigError, match=r"epochs=81: the table .* ends at 27; use at most that"):
        check_backend(resolve(load_config("generated_typical", "RS", **keys)))


def test_a_table_without_a_program_is_not_run_locally():
    with pytest.raises(ConfigError, match="use backend=simulated"):
        check_backend(resolve(load_config("generated_typical", "RS", backend={"name": "local"})))

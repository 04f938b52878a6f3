"""`--cfg job` shows the experiments of a command."""

import pytest
import yaml

from hpo.cli.show_config import cfg_job
from tests.conftest import error_of, succeeded


@pytest.mark.parametrize(
    "words",
    [
        ["--cfg", "job", "method=RS", "n_workers=2"],
        ["method=RS", "--cfg", "job", "n_workers=2"],
        ["method=RS", "n_workers=2", "-c", "job", "--resolve"],
        ["method=RS", "--cfg=job", "n_workers=2"],
    ],
)
def test_overrides_may_stand_on_both_sides_of_it(words):
    assert cfg_job(words).overrides == ["method=RS", "n_workers=2"]


@pytest.mark.parametrize("words", [["--cfg", "hydra"], ["--cfg", "all"], ["method=RS"], []])
def test_hydras_own_configuration_is_hydras(words):
    assert cfg_job(words) is None


@pytest.mark.process
def test_it_names_every_experiment_and_shows_the_first(workplace):
    out = succeeded(workplace.hpo("benchmark=mine", "--cfg", "job", "experiment_tag=t", "num_seeds=2"))
    assert "# The first of 8 experiments:\n# outputs/t/mine/RS/seed_0\n# outputs/t/mine/RS/seed_1\n" in out
    shown = yaml.safe_load(out)
    assert (shown["benchmark"]["name"], shown["method"]["name"], shown["seed"]) == ("mine", "RS", 0)
    assert not (workplace.path / "outputs").exists()


@pytest.mark.process
def test_a_part_of_it_can_be_shown(workplace):
    out = succeeded(workplace.hpo("benchmark=mine", "method=ASHA", "--cfg", "job", "-p", "method"))
    assert list(yaml.safe_load(out)) == ["method"]
    sentence = error_of(workplace.hpo("benchmark=mine", "method=ASHA", "--cfg", "job", "-p", "methods"))
    assert "--package methods" in sentence

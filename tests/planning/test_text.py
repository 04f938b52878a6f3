"""The text of a plan."""

from pathlib import Path

import pytest

from hpo import load_config
from hpo.launchers.base import Job
from hpo.planning.plan import make_plan
from hpo.planning.text import text

HERE = {"_target_": "hpo.launchers.local.LocalLauncher"}


def plan_of(stop_when):
    config = load_config(
        "hpobench_car", "ASHA", seed=0, random_seed=1, max_num_trials=60, stop_when=stop_when, launcher=HERE
    )
    return text(make_plan([Job(config, Path("new"), Path())]))


@pytest.mark.parametrize(
    ("written", "said"), [({"patience": 3}, "stop_when.patience=3, "), ({}, "stop_when.patience=32, ")]
)
def test_it_names_the_rule_that_may_end_the_search_with_its_defaults(written, said):
    found = plan_of(written)
    assert f"max_num_trials=60, {said}stop_when.min_improvement=0.02" in found
    assert " trials unless stop_when ends the search before" in found


def test_without_a_rule_it_names_none():
    assert "stop_when" not in plan_of(None)

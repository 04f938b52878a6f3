"""The rungs of an experiment are the same wherever they are shown: live, in the report, and in the plan."""

from pathlib import Path

import pytest

from hpo import schedulers
from hpo.config.config_folders import CONF_DIR
from hpo.config.reading import load_config, resolve
from hpo.history.curves import rungs
from hpo.history.rungs import rung_board
from hpo.planning.expectation import simulate_method
from hpo.planning.plan import Group
from hpo.results.experiment import Experiment
from hpo.schedulers.construction import scheduler_of
from tests.support.fakes import SPACE

METHODS = sorted(path.stem for path in (CONF_DIR / "method").glob("*.yaml"))
WITHOUT_RUNGS = {
    *("BO", "BO-MEDIAN", "BOTORCH", "CMA-ES", "CQR", "GRID", "MEDIAN"),
    *("MO-BO", "NSGA-II", "PBT", "REA", "RS", "SOBOL", "TPE"),
}
RUNGS = [1, 3, 9]
MAXIMUM = 27


def config_of(method, constant, full_name):
    """An experiment whose maximum is a constant of the space or an argument, and whose scheduler has its longer name."""
    maximum = {"epochs": MAXIMUM}
    benchmark = {
        "name": "fake", "script": "train.py", "metric": "error", "mode": "min", "resource_attr": "epoch",
        "max_resource_attr": "epochs", "config_space": {**SPACE, **(maximum if constant else {})},
        "arguments": {} if constant else maximum, "max_num_trials": 9,
    }  # fmt: skip
    config = resolve(load_config(benchmark, method, random_seed=0))
    if method == "PBT":
        config.method.scheduler["mutable"] = ["x"]
    if full_name:
        scheduler = getattr(schedulers, config.method.scheduler["_target_"].rpartition(".")[2])
        config.method.scheduler["_target_"] = f"{scheduler.__module__}.{scheduler.__name__}"
    return config


@pytest.mark.parametrize("full_name", [False, True])
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_watch_report_and_plan_know_the_same_rungs(method, constant, full_name):
    if method == "BOTORCH":
        pytest.importorskip("botorch")
    config = config_of(method, constant, full_name)
    expected = [] if method in WITHOUT_RUNGS else RUNGS
    assert list(rung_board(config).levels) == expected
    group = Group([], 4, None, scheduler_of(config))
    assert group.rungs == expected
    assert list(simulate_method(config, None, 4).reached) == [*expected, MAXIMUM]
    reported = [rung.level for rung in rungs(Experiment(Path("nowhere"), config, {}, []))]
    assert reported == ([*expected, MAXIMUM] if expected else [])


def test_whose_rungs_are_asked_for_is_not_imported_though_the_experiment_trusts_it(monkeypatch, tmp_path):
    (tmp_path / "theirs.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    config = config_of("ASHA", constant=False, full_name=False)
    config.method.scheduler["_target_"] = "theirs.Scheduler"
    config.trusted_modules = ["theirs"]
    assert rung_board(config).steps == []

"""Configurations that were written for the Optuna sweeper run after one word is changed: real files and processes."""

import logging
from pathlib import Path

import pytest
import yaml
from hydra.errors import CompactHydraException
from hydra_plugins.hydra_hpo_sweeper._moved import translate
from hydra_plugins.hydra_hpo_sweeper.hpo_sweeper import HpoSweeperConf

from hpo import load_experiment
from sweeper.tests.test_search import run, write

FILES = Path(__file__).parent / "moved"
APP = """import hydra
from omegaconf import OmegaConf

def numbers(node):
    if isinstance(node, dict):
        return [n for value in node.values() for n in numbers(value)]
    if isinstance(node, list):
        return [n for value in node for n in numbers(value)]
    return [float(node)] if isinstance(node, (int, float)) else []

@hydra.main(config_path="conf", config_name="config", VERSION)
def main(config):
    total = sum(numbers(OmegaConf.to_container(config, resolve=True)))
    return RETURNED

main()
"""


def one_word_changed(name):
    text = (FILES / f"{name}.yaml").read_text()
    assert text.count("hydra/sweeper: optuna") == 1
    return text.replace("hydra/sweeper: optuna", "hydra/sweeper: hpo")


def start(folder, files, words=(), returned="total"):
    write(
        folder, {"app.py": APP.replace("RETURNED", returned), **{f"conf/{name}": text for name, text in files.items()}}
    )
    code, out, err = run(folder, "app.py", "-m", "hydra.sweep.dir=found", *words)
    assert code == 0, out + err
    assert "Warning" not in err
    [experiment] = Path(folder, "found", "app").glob("*/seed_0")
    results = yaml.safe_load(Path(folder, "found", "optimization_results.yaml").read_text())
    return load_experiment(experiment), results, out


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "returned", "method", "trials", "names"),
    [
        ("two_objectives", "total, -total", "MO-BO", 3, ["first", "second"]),
        pytest.param("sphere", "total", "TPE", 3, ["x", "y"], marks=pytest.mark.slow),
        pytest.param(
            "search_space", "[total, 1 / total, 2]", "MO-BO", 2,
            ["data.clean.outlier_threshold", "model.hidden_size", "model.layers"], marks=pytest.mark.slow,
        ),
        pytest.param(
            "reinforcement_learning", "total", "TPE", 3,
            ["system.clip_eps", "system.gae_lambda", "system.epochs"], marks=pytest.mark.slow,
        ),
        pytest.param("every_key", "total", "TPE", 4, ["architecture.hidden", "train.lr"], marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_configuration_of_the_optuna_sweeper_runs_after_one_word_is_changed(
    tmp_path, name, returned, method, trials, names
):
    experiment, results, out = start(tmp_path, {"config.yaml": one_word_changed(name)}, returned=returned)
    assert experiment.metadata["status"] == "complete"
    assert experiment.directory.parent.name == method
    assert len(experiment.trials) == trials
    assert [column for column in experiment.trials if column.startswith("config_")] == [f"config_{n}" for n in names]
    assert "hydra.sweeper was written for the Optuna sweeper; for hpo it is " in out
    if "," in returned:
        assert [sorted(solution["params"]) for solution in results["solutions"]] == [sorted(names)] * len(
            results["solutions"]
        )
        assert len(results["solutions"][0]["values"]) == returned.count(",") + 1
    else:
        assert sorted(results["best_evaluated_params"]) == sorted(names)


@pytest.mark.process
def test_the_class_of_the_optuna_sweeper_in_a_file_of_the_lightning_templates_layout_stands_for_ours(tmp_path):
    files = {
        "config.yaml": "defaults: [_self_, data: mnist, model: mlp, hparams_search: null, optional local: default]\n",
        "data/mnist.yaml": "batch_size: 8\n",
        "model/mlp.yaml": "optimizer: {lr: 0.5}\nnet: {lin1_size: 4}\n",
        "hparams_search/mnist_optuna.yaml": one_word_changed("lightning_template"),
    }
    experiment, results, _ = start(tmp_path, files, ["hparams_search=mnist_optuna"])
    assert len(experiment.trials) == 3
    assert results["best_evaluated_result"] == max(experiment.reports["objective"])
    assert set(experiment.trials["config_model.net.lin1_size"]) <= {64, 128, 256}


def translated(**settings):
    return translate(HpoSweeperConf(num_gpus_per_trial=0, **settings))


@pytest.mark.parametrize(
    ("sampler", "several", "method", "words"),
    [
        ({}, False, "TPE", []),
        ({"_target_": "optuna.samplers.TPESampler", "n_startup_trials": 3, "n_ei_candidates": 9}, False, "TPE",
         ["method.searcher.startup=3", "method.searcher.num_candidates=9"]),
        ({"_target_": "optuna.samplers.TPESampler", "n_startup_trials": 3}, True, "MO-BO", []),
        ({"_target_": "optuna.samplers.RandomSampler"}, True, "RS", []),
        ({"_target_": "optuna.samplers.GridSampler", "_partial_": True}, False, "GRID", []),
        ({"_target_": "optuna.samplers.CmaEsSampler", "inc_popsize": 2}, False, "CMA-ES", []),
        ({"_target_": "optuna.samplers.QMCSampler", "qmc_type": "sobol"}, False, "SOBOL", []),
        ({"_target_": "optuna.samplers.GPSampler", "deterministic_objective": False}, False, "BO", []),
        ({"_target_": "hydra_plugins.hydra_optuna_sweeper._impl.create_nsgaii_sampler", "population_size": 8}, True,
         "NSGA-II", ["method.searcher.population_size=8"]),
    ],
)  # fmt: skip
def test_a_sampler_becomes_the_method_that_does_the_same(sampler, several, method, words):
    found = translated(sampler={**sampler, "seed": 7}, direction=["minimize", "maximize"] if several else "maximize")
    assert (found.method, found.overrides, found.random_seed) == (method, words, 7)
    assert found.objectives == ({"objective_1": "min", "objective_2": "max"} if several else None)
    assert several or found.mode == "max"
    assert found.max_num_trials == 20  # that sweeper's own default


def test_a_method_that_is_chosen_beside_a_sampler_is_the_one_that_searches():
    found = translated(sampler={"_target_": "optuna.samplers.CmaEsSampler", "sigma0": 1}, method="ASHA", n_trials=5)
    assert (found.method, found.max_num_trials) == ("ASHA", 5)


@pytest.mark.parametrize(
    ("pruner", "expected"),
    [
        ({"_target_": "optuna.pruners.NopPruner"}, None),
        (
            {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 7, "n_warmup_steps": 2},
            {"_target_": "hpo.schedulers.StoppingRules", "rules": [{"median": {
                "percentile": 50, "min_completed": 7, "warmup": 2, "interval": 1, "compare": "value"}}]},
        ),
        (
            {"_target_": "optuna.pruners.PatientPruner", "patience": 4},
            {"_target_": "hpo.schedulers.StoppingRules", "rules": [{"patience": {"reports": 4, "min_delta": 0.0}}]},
        ),
        (
            {"_target_": "optuna.pruners.SuccessiveHalvingPruner", "min_resource": 2, "reduction_factor": 3},
            {"_target_": "hpo.schedulers.StoppingASHA", "min_resource": 2, "reduction_factor": 3},
        ),
    ],
)  # fmt: skip
def test_a_pruner_becomes_a_scheduler(pruner, expected):
    from hpo.cli.run import compose_jobs

    found = translated(pruner=pruner, resource_attr="epoch", n_trials=3)
    [job] = compose_jobs(["benchmark=generated_typical", f"method={found.method}", *found.overrides])
    scheduler = {key: value for key, value in job.config.method.scheduler.items() if key != "_partial_"}
    assert scheduler == (expected or {"_target_": "hpo.schedulers.FIFO"})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"direction": "minimise"}, r"^hydra\.sweeper\.direction=minimise: .*did you mean minimize"),
        ({"direction": "minimize", "objectives": {"a": "min"}}, r"^hydra\.sweeper\.direction=minimize: .*remove one"),
        ({"n_jobs": -1}, r"^hydra\.sweeper\.n_jobs=-1: use a positive number, such as hydra\.sweeper\.n_workers=4"),
        ({"n_trials": 0}, r"^hydra\.sweeper\.n_trials=0: use a positive number"),
        ({"sampler": {"_target_": "optuna.samplers.TPSampler"}}, r"_target_=optuna\.samplers\.TPSampler: .*TPESampler"),
        ({"sampler": {"_target_": "optuna.samplers.BruteForceSampler"}}, r"BruteForceSampler: hpo has no counterpart"),
        ({"sampler": {"_target_": "optuna.samplers.MOTPESampler"}}, r"no counterpart of MOTPESampler; .*method=TPE"),
        ({"sampler": {"prior_weight": 2.0}}, r"^hydra\.sweeper\.sampler\.prior_weight=2\.0: method=TPE has no such"),
        ({"sampler": {"constraints_func": "a.b"}}, r"sampler\.constraints_func=a\.b: .*hydra\.sweeper\.constraints"),
        ({"sampler": {"_target_": "optuna.samplers.CmaEsSampler"}, "direction": ["minimize"] * 2},
         r"no counterpart of CmaEsSampler for several objectives; .*MO-BO"),
        ({"pruner": {"_target_": "optuna.pruners.WilcoxonPruner"}}, r"WilcoxonPruner: hpo has no counterpart"),
        ({"pruner": {"_target_": "optuna.pruners.MedianPruner"}}, r"pruner=MedianPruner: .*resource_attr=epoch"),
        ({"pruner": {"_target_": "optuna.pruners.MedianPruner", "n_min_trials": 2}, "resource_attr": "e"},
         r"^hydra\.sweeper\.pruner\.n_min_trials=2: .*leave it out"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_refused_by_name(settings, sentence):
    with pytest.raises(CompactHydraException, match=sentence):
        translated(**settings)


def test_a_storage_and_a_failure_rate_are_warned_of_with_what_to_do_instead(caplog):
    with caplog.at_level(logging.INFO):
        translated(storage="sqlite:///a.db", study_name="mine", max_failure_rate=0.5)
    said = {record.getMessage().partition(":")[0]: record.getMessage() for record in caplog.records}
    assert "hpo export --to optuna" in said["hydra.sweeper.storage=sqlite"]
    assert "hydra.sweep.dir" in said["hydra.sweeper.study_name=mine"]
    assert "max_failures=10" in said["hydra.sweeper.max_failure_rate=0.5"]
    assert translated(max_failure_rate=1.0).overrides == ["max_failures=1000000"]

"""The scripts of the recorded tables train again what is in them, paused or not, and every hyperparameter has an effect.

On another processor sums come out differently in their last bits, and a training then takes another way: a curve is that of
the table within a quarter of the deviation that final values have between configurations.
"""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from hpo.config.reading import content_of, load_config
from hpo.randomness import Randomness
from hpo.tables.lookup import find_table
from tests.support.extras import only_with_extras
from tests.support.hosted import TrialHost, changed

pytestmark = [pytest.mark.xdist_group("recorded"), pytest.mark.process]  # one host

CHEAP = {
    "cnn_fashionmnist_grid": {"learning_rate": 0.01, "schedule": "cosine", "channels": 2, "kernel": 3},
    "fourier_photo_grid": {"learning_rate": 0.003, "scale": 2.0, "n_units": 64},
    "lightgbm_diabetes_grid": {"learning_rate": 0.08, "num_leaves": 6},
    "sgd_digits_grid": {"eta0": 0.03, "schedule": "invscaling", "alpha": 0.001, "penalty": "elasticnet"},
    "xgboost_cancer_grid": {
        "booster": "dart", "eta": 0.36, "max_depth": 3, "subsample": 0.5, "min_child_weight": 0.3,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    preload = ["numpy", "sklearn.datasets", "sklearn.linear_model", "torch", "torch._dynamo", "xgboost", "lightgbm"]
    host = TrialHost(tmp_path_factory.mktemp("host"), [module for module in preload if _is_here(module)])
    yield host
    host.close()


@pytest.fixture(params=CHEAP)
def name(request):
    """A benchmark whose library and data are here."""
    if request.param.startswith("lightgbm"):
        only_with_extras("lightgbm")
    if request.param.startswith("xgboost") and not _is_here("xgboost"):
        only_with_extras("xgboost")
    if "fashionmnist" in request.param and not Path("/usr/share/datasets/fashion-mnist").is_dir():
        pytest.skip("needs the images of Fashion-MNIST: apt-get install dataset-fashion-mnist")
    return request.param


def _is_here(module):
    return importlib.util.find_spec(module.partition(".")[0]) is not None


def run(host, name, until, **options):
    """The reports of a training, without what differs each time."""
    benchmark = content_of("benchmark", name)
    reports = host.run(name, **{benchmark["max_resource_attr"]: until, **options}).good
    assert all(report.pop("cpu_seconds") > 0 for report in reports)
    return reports


def test_a_training_of_today_is_the_recorded_one_paused_or_not(host, name, tmp_path):
    benchmark, configuration, table = content_of("benchmark", name), CHEAP[name], find_table(name)
    seed = Randomness(0, 1).training_seed(configuration)
    whole = run(host, name, 5, seed=seed, **configuration)
    pieces = [run(host, name, until, seed=seed, checkpoints=tmp_path, **configuration) for until in (2, 5)]
    assert [report[benchmark["resource_attr"]] for report in whole] == [1, 2, 3, 4, 5]
    assert pieces == [whole[:2], whole[1:]], "the last one before the pause is reported again"

    metric = benchmark["metric"]
    recorded = table.training(configuration, table.replicate(Randomness(0, 1), configuration))[0][metric][:5]
    spread = np.std(table.means(metric))
    assert [report[metric] for report in whole] == pytest.approx(recorded, abs=0.25 * spread)


def test_every_hyperparameter_and_the_seed_change_the_training(host, name):
    metric, configuration = content_of("benchmark", name)["metric"], CHEAP[name]
    assert set(configuration) == set(load_config(name, "RS").space.domains)

    def curve(**options):
        return [report[metric] for report in run(host, name, 4, **{**configuration, **options})]

    baseline = curve()
    assert all(math.isfinite(value) for value in baseline)
    assert curve(seed=1) != baseline
    for hyperparameter, settings in changed(name, configuration):
        assert any(curve(**setting) != baseline for setting in settings), hyperparameter

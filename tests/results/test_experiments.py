"""Several experiments in one table."""

import pandas as pd
import pytest

import hpo
from hpo.errors import StoreError

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two seeds of two methods on a simulated benchmark."""
    folder = tmp_path_factory.mktemp("several")
    for method in ("RS", "ASHA"):
        for seed in (0, 1):
            config = hpo.load_config(
                "generated_typical", method, seed=seed, experiment_tag="t", random_seed=3, max_num_trials=5
            )
            hpo.run_experiment(config, folder / "t" / method / f"seed_{seed}")
    return folder


def test_each_row_says_whose_it_is(place):
    found = hpo.load_experiments(place / "t")
    assert [(e.config.method.name, e.config.seed) for e in found] == [
        ("ASHA", 0), ("ASHA", 1), ("RS", 0), ("RS", 1),
    ]  # fmt: skip
    for name in ("trials", "reports"):
        table = getattr(found, name)
        assert list(table.columns[:4]) == ["experiment_tag", "benchmark", "method", "seed"]
        assert len(table) == sum(len(getattr(e, name)) for e in found)
        for (method, seed), part in table.groupby(["method", "seed"], observed=True):
            [one] = [e for e in found if (e.config.method.name, e.config.seed) == (method, seed)]
            own = getattr(one, name)
            pd.testing.assert_frame_equal(
                part[own.columns].reset_index(drop=True).astype(own.dtypes.to_dict()), own, check_dtype=True
            )


def test_what_is_one_of_few_is_a_category(place):
    found = hpo.load_experiments(place)
    for column in ("experiment_tag", "benchmark", "method", "status"):
        assert isinstance(found.trials[column].dtype, pd.CategoricalDtype), column
    for column in ("method", "st_decision", "st_status"):
        assert isinstance(found.reports[column].dtype, pd.CategoricalDtype), column
    assert found.trials["seed"].dtype == "int64"


def test_an_experiment_is_read_once_though_two_places_hold_it(place):
    assert len(hpo.load_experiments(place, place / "t" / "RS")) == 4


def test_none_is_an_error_that_names_the_place(tmp_path):
    with pytest.raises(StoreError, match="nothing"):
        hpo.load_experiments(tmp_path / "nothing")


def test_a_notebook_shows_the_first_ones(place):
    assert hpo.load_experiments(place)._repr_html_().count("<table>") == 4

"""Earlier results as measurements of a model."""

from dataclasses import replace

from hpo.warm_start.matching import match_results
from hpo.warm_start.model_data import to_model_data
from hpo.warm_start.results import EarlierResult
from tests.warm_start.making import earlier, new


def test_of_each_trial_the_results_where_trials_are_compared_and_the_last():
    at = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 2), (2, 9)]
    results = [
        EarlierResult(trial, {"lr": 0.01, "layers": trial + 1}, epoch, {"loss": trial + 1 / epoch})
        for trial, epoch in at
    ]
    config = new(use="data")
    (source,) = match_results([replace(earlier(), results=results)], config)
    data = to_model_data(source, {1, 3, 9})
    assert list(zip(data.trials, data.resources, strict=True)) == [(0, 1), (0, 3), (0, 4), (1, 1), (1, 2), (2, 9)]
    assert [one["layers"] for one in data.configurations] == [1, 2, 3]
    assert data.losses == [1, 1 / 3, 1 / 4, 2, 1.5, 2 + 1 / 9]
